"""The page of the rules, written from their own texts: `python -m imdsctl.lint.page FILE`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from imdsctl.lint.finding import Example, Rule
from imdsctl.lint.ignore import RULES
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import every_rule

_HEAD: Final = """# The rules of `imdsctl lint`

Written from the rules' own texts by `python -m imdsctl.lint.page docs/lint-rules.md`; the examples
are their tests. How to run it, to ignore, to mend: [lint.md](lint.md).
"""
_FENCES: Final = {
    "shell": "sh", "powershell": "powershell", "python": "python", "javascript": "js",
    "typescript": "ts", "go": "go", "java": "java", "ruby": "ruby", "terraform": "hcl",
    "hcl": "hcl", "packer": "hcl", "dockerfile": "dockerfile", "yaml": "yaml", "json": "json",
    "npm": "json", "maven": "xml", "msbuild": "xml", "systemd": "ini",
}  # fmt: skip


def page() -> str:
    """The whole page."""
    rules = {**every_rule(), **RULES}
    rows = "\n".join(
        f"| [`{name}`](#{name}) | {rule.severity} | {_cell(rule.title)} |"
        for name, rule in rules.items()
    )
    table = f"| rule | severity | finds |\n|---|---|---|\n{rows}\n"
    return "\n".join([_HEAD, table, *(_section(name, rule) for name, rule in rules.items())])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _section(name: str, rule: Rule) -> str:
    parts = [f"## {name}", f"{rule.title} ({rule.severity}).", rule.why]
    if rule.source:
        parts.append(f"Source: {rule.source}.")
    for title, examples in (("Bad:", rule.bad), ("Good:", rule.good)):
        if examples:
            parts.append(title)
            parts += [_shown(one) for one in examples]
    return "\n\n".join(parts) + "\n"


def _shown(example: Example) -> str:
    return "\n".join(_lines(example))


def _lines(example: Example) -> Iterator[str]:
    found = ", ".join(map(str, example.lines))
    where = f", found on line{'s' if len(example.lines) > 1 else ''} {found}" if found else ""
    yield f"`{example.name}`{where}"
    yield ""
    # A fence longer than any in the text.
    fence = "```"
    while fence in example.text:
        fence += "`"
    yield f"{fence}{_FENCES.get(kind_of(example.name, example.text) or '', '')}"
    yield example.text.rstrip("\n")
    yield fence


def main(arguments: Sequence[str]) -> None:
    """Write the page into the file that is named."""
    Path(arguments[0]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
