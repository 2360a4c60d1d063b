"""Filling a root with the real package managers: the same software, too old or up to date."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple, Protocol

from host_audit.audited import archive, pom, put, run, there


class Manager(Protocol):
    def __call__(self, root: Path, *, old: bool) -> None: ...


class NotHereError(Exception):
    """Says which tool or package is missing."""


def _need(*tools: str) -> None:
    missing = [tool for tool in tools if not there(tool)]
    if missing:
        raise NotHereError(f"no {', '.join(missing)} on this machine")


SHELF = Path(os.environ.get("IMDSCTL_CLIENTS", Path(__file__).parents[2] / ".clients"))
"""Where `make clients` has pip and npm install real clients: tests ask no index themselves."""


def from_shelf(client: str, target: Path) -> None:
    """What pip or npm installed there, put where a host has it."""
    if not (SHELF / client / ".installed").exists():
        raise NotHereError(f"no {client} in {SHELF.name}: make clients")
    shutil.copytree(SHELF / client, target, symlinks=True, dirs_exist_ok=True)


def pip(root: Path, *, old: bool) -> None:
    client = "botocore-1.12.253" if old else "botocore-1.44.5"
    from_shelf(client, root / "opt/app/lib/python3.8/site-packages")


def npm(root: Path, *, old: bool) -> None:
    version = "2.574.0" if old else "2.1693.0"
    from_shelf(f"aws-sdk-for-Node.js-{version}", root / "srv/node")


def gem(root: Path, *, old: bool) -> None:
    """A gem of that name and version, built here and installed by the real tool."""
    _need("gem")
    version = "3.78.0" if old else "3.220.0"
    spec = (
        f"Gem::Specification.new{{|s| s.name='aws-sdk-core'; s.version='{version}'; "
        "s.summary='a test'; s.authors=['a test']; s.files=['a.rb']}"
    )
    build = root.parent / f"gem-{version}"
    put(build, "a.rb", "")
    put(build, "x.gemspec", spec)
    run("gem", "build", "x.gemspec", cwd=build)
    made = build / f"aws-sdk-core-{version}.gem"
    target = root / "usr/lib/ruby/gems/3.1.0"
    run("gem", "install", "--local", "--no-document", "-i", target, made)


def dpkg(root: Path, *, old: bool) -> None:
    _need("dpkg", "dpkg-deb")
    if os.geteuid():
        raise NotHereError("dpkg installs as root only")
    version = "2.3.372.0-1" if old else "3.3.987.0-1"
    package = root.parent / f"deb-{version}"
    control = f"Package: amazon-ssm-agent\nVersion: {version}\nArchitecture: all\n"
    control += "Maintainer: a test <a@test.invalid>\nDescription: a test\n"
    put(package, "DEBIAN/control", control)
    put(package, "usr/share/doc/amazon-ssm-agent/copyright", "none\n")
    deb = root.parent / f"{version}.deb"
    run("dpkg-deb", "--build", package, deb)
    for folder in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / folder).mkdir(parents=True, exist_ok=True)
    put(root, "var/lib/dpkg/status", "")
    put(root, "var/lib/dpkg/available", "")
    run("dpkg", "--root", root, "--force-not-root", "--force-script-chrootless", "-i", deb)


def spec_of(name: str, version: str, release: str = "1.amzn2") -> str:
    return (
        f"Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: a test\nLicense: none\n"
        "BuildArch: noarch\n%description\na test\n%files\n"
    )


def build_rpm(folder: Path, name: str, version: str) -> Path:
    _need("rpm", "rpmbuild")
    spec = put(folder, f"{name}.spec", spec_of(name, version))
    run("rpmbuild", "--quiet", "--define", f"_topdir {folder}", "-bb", spec)
    return next((folder / "RPMS").rglob(f"{name}-{version}-*.rpm"))


def rpm(root: Path, *, old: bool) -> None:
    version = "1.2" if old else "2.4"
    package = build_rpm(root.parent / f"rpm-{version}", "ec2-net-utils", version)
    run("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-i", "--nodeps", package)


_GO_MAIN = """package main
import "github.com/aws/aws-sdk-go/aws/ec2metadata"
func main() { println(ec2metadata.New().Region()) }
"""
_GO_WAITS = (
    _GO_MAIN.replace("import ", 'import "fmt"\nimport "time"\nimport ', 1)
    .replace("println(", "_ = (")
    .replace(" }\n", '; fmt.Println("ready"); time.Sleep(time.Minute) }\n')
)
_GO_OLD = """package ec2metadata
type EC2Metadata struct{ at string }
//go:noinline
func New() *EC2Metadata { return &EC2Metadata{"latest"} }
//go:noinline
func (c *EC2Metadata) Region() string { return c.at }
"""
_GO_NEW = (
    _GO_OLD.replace("return c.at", "return c.at + (&tokenProvider{c}).token()")
    + """
type tokenProvider struct{ client *EC2Metadata }
//go:noinline
func (t *tokenProvider) token() string { return "token" + t.client.at }
"""
)
_MODULE = "github.com/aws/aws-sdk-go"


def build_go(
    folder: Path,
    version: str,
    *,
    old: bool,
    modules: bool = True,
    flags: str = "",
    waits: bool = False,
) -> bytes:
    """A program with a client of these names, built from a vendored module or in GOPATH."""
    _need("go")
    code = _GO_OLD if old else _GO_NEW
    project = folder / ("module" if modules else "path/src/example.invalid/tool")
    put(project, "main.go", _GO_WAITS if waits else _GO_MAIN)
    put(project, f"vendor/{_MODULE}/aws/ec2metadata/service.go", code)
    if modules:
        put(
            project,
            "go.mod",
            f"module example.invalid/tool\ngo 1.19\nrequire {_MODULE} {version}\n",
        )
        listed = f"# {_MODULE} {version}\n## explicit\n{_MODULE}/aws/ec2metadata\n"
        put(project, "vendor/modules.txt", listed)
    environment = {
        **os.environ, "GO111MODULE": "on" if modules else "off", "GOPATH": str(folder / "path"),
        "GOFLAGS": "-mod=vendor" if modules else "", "GOCACHE": str(folder.parents[1] / "go-cache"),
        "CGO_ENABLED": "0", "GOTOOLCHAIN": "local",
    }  # fmt: skip
    out = folder / "tool"
    words = ["go", "build", "-o", str(out), *flags.split(), "."]
    run(*words, cwd=project, env=environment)
    return out.read_bytes()


def go(root: Path, *, old: bool) -> None:
    version = "v1.25.19" if old else "v1.55.7"
    put(
        root, "usr/local/bin/tool", build_go(root.parent / f"go-{version}", version, old=old), 0o755
    )


def java(root: Path, *, old: bool) -> None:
    """A Spring Boot jar, packed by the JDK's own tool."""
    _need("jar")
    version = "1.11.563" if old else "1.12.780"
    inner = archive({**pom("com.amazonaws", "aws-java-sdk-core", version), "a.class": b"x"})
    folder = root.parent / f"jar-{version}"
    put(folder, f"BOOT-INF/lib/aws-java-sdk-core-{version}.jar", inner)
    put(folder, "org/example/Main.class", b"x")
    (root / "srv").mkdir(parents=True, exist_ok=True)
    run("jar", "-c", "-f", root / "srv/app.jar", "-0", "-C", folder, ".")


MANAGERS: dict[str, tuple[Manager, str, str]] = {
    "pip": (pip, "botocore", "1.12.253"),
    "npm": (npm, "aws-sdk", "2.574.0"),
    "gem": (gem, "aws-sdk-core", "3.78.0"),
    "dpkg": (dpkg, "amazon-ssm-agent", "2.3.372.0-1"),
    "rpm": (rpm, "ec2-net-utils", "1.2-1.amzn2"),
    "go": (go, "github.com/aws/aws-sdk-go", "v1.25.19"),
    "jar": (java, "com.amazonaws:aws-java-sdk-core", "1.11.563"),
}
"""What fills a root, and the name and version that must be found of the old software."""


class Filled(NamedTuple):
    root: Path
    missing: dict[str, str]
    """Managers that could not be used, and why."""


def fill(folder: Path, *, old: bool) -> Filled:
    root = folder / "root"
    root.mkdir()
    missing = {}
    for name, (manager, _, _) in MANAGERS.items():
        try:
            manager(root, old=old)
        except NotHereError as error:
            missing[name] = str(error)
    return Filled(root, missing)
