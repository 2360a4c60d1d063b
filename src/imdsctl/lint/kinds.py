"""What kind of text a file is, by its name and its first lines."""

import re
from pathlib import PurePath
from typing import Final

_BY_SUFFIX: Final = {
    ".sh": "shell", ".bash": "shell", ".ksh": "shell", ".zsh": "shell",
    ".ps1": "powershell", ".psm1": "powershell",
    ".py": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript",
    ".jsx": "javascript", ".ts": "typescript", ".tsx": "typescript", ".mts": "typescript",
    ".go": "go", ".java": "java", ".gradle": "gradle", ".rb": "ruby", ".rake": "ruby",
    ".tf": "terraform", ".tofu": "terraform", ".tfvars": "terraform-variables", ".hcl": "hcl",
    ".dockerfile": "dockerfile", ".containerfile": "dockerfile",
    ".service": "systemd", ".timer": "systemd", ".socket": "systemd",
    ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".template": "yaml",
    ".csproj": "msbuild", ".fsproj": "msbuild", ".vbproj": "msbuild", ".props": "msbuild",
    ".gemspec": "gemspec", ".tftpl": "template", ".tpl": "template", ".tmpl": "template",
}  # fmt: skip
_BY_NAME: Final = {
    "dockerfile": "dockerfile", "containerfile": "dockerfile",
    "crontab": "cron", "user-data": "user-data", "user_data": "user-data", "userdata": "user-data",
    "rakefile": "ruby", "vagrantfile": "ruby", "gemfile": "gemfile", "gemfile.lock": "gemfile-lock",
    "requirements.txt": "requirements", "constraints.txt": "requirements",
    "pyproject.toml": "pyproject", "poetry.lock": "poetry-lock", "uv.lock": "uv-lock",
    "pdm.lock": "pdm-lock", "pylock.toml": "pylock",
    "pipfile": "pipfile", "pipfile.lock": "pipfile-lock",
    "setup.cfg": "setup-cfg", "package.json": "npm", "package-lock.json": "npm-lock",
    "npm-shrinkwrap.json": "npm-lock", "yarn.lock": "yarn-lock", "pnpm-lock.yaml": "pnpm-lock",
    "pom.xml": "maven", "build.gradle": "gradle", "build.gradle.kts": "gradle",
    "gradle.lockfile": "gradle-lock", "libs.versions.toml": "gradle-catalog",
    "go.mod": "go-mod", "go.sum": "go-sum", "packages.lock.json": "nuget-lock",
    "packages.config": "nuget-config", "directory.packages.props": "msbuild",
    "composer.json": "composer", "composer.lock": "composer-lock",
}  # fmt: skip
_USER_DATA: Final = (
    "#cloud-config", "#cloud-boothook", "#include", "MIME-Version:", "Content-Type: multipart/",
    "<powershell>",
)  # fmt: skip
_TEMPLATES: Final = (".tftpl", ".tpl", ".tmpl")
_SHEBANG: Final = re.compile(r"#!\s*(?:\S*/env\s+(?:-S\s+)?)?(?:\S*/)?([a-z]+)")
_INTERPRETERS: Final = {
    "sh": "shell", "bash": "shell", "dash": "shell", "ksh": "shell", "zsh": "shell", "ash": "shell",
    "python": "python", "node": "javascript", "ruby": "ruby", "pwsh": "powershell",
}  # fmt: skip


def kind_of(path: str, text: str) -> str | None:
    """The kind of a file's text, None for what no reader reads.

    Args:
        path: its name, by which most are known.
        text: its beginning, by which scripts without a suffix and user data are.
    """
    name = PurePath(path).name.lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    if re.fullmatch(r"(?:.*[-_.])?requirements(?:[-_.].*)?\.(?:txt|in)", name):
        return "requirements"
    if re.match(r"(?:dockerfile|containerfile)[.-]|.*\.dockerfile$", name):
        return "dockerfile"
    if text.startswith(_USER_DATA) and not name.endswith(_TEMPLATES):
        return "user-data"
    if name.endswith((".pkr.hcl", ".pkr.json")):
        return "packer"
    if name.endswith(".tf.json"):
        return "terraform-json"
    suffix = PurePath(name).suffix
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if "cron.d" in PurePath(path).parts:
        return "cron"
    if found := _SHEBANG.match(text):
        return _INTERPRETERS.get(found[1])
    return None
