"""pyproject.toml: PEP 621, dependency groups (PEP 735), Poetry, PDM, uv and build requirements."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.readers._toml import Path, Text, strings
from imdsctl.lint.readers.python_requirements import requirement
from imdsctl.lint.source import Source

KINDS: Final = ("pyproject",)
_BY_NAME: Final = 2


def read(source: Source) -> Iterator[Fact]:
    """A dependency for each requirement, whatever tool reads it."""
    try:
        found = list(strings(source.text))
    except ValueError as error:
        yield unparsed(source, f"no TOML: {error}")
        return
    for one in found:
        if _is_list(one.path):
            yield from requirement(source, one.value, one.start)
        else:
            yield from _poetry(source, one)


def _is_list(path: Path) -> bool:
    """Whether it is an item of a list of PEP 508 requirements."""
    match path:
        case ("project", "dependencies", int()) | ("build-system", "requires", int()):
            return True
        case ("project", "optional-dependencies", str(), int()):
            return True
        case ("dependency-groups", str(), int()):
            return True
        case ("tool", "pdm", "dev-dependencies", str(), int()):
            return True
        case ("tool", "uv", "dev-dependencies" | "constraint-dependencies", int()):
            return True
        case _:
            return False


def _poetry(source: Source, one: Text) -> Iterator[Fact]:
    match one.path:
        case ("tool", "poetry", *middle, name) if middle and _is_table(middle):
            pass
        case ("tool", "poetry", *middle, name, "version") if middle and _is_table(middle):
            pass
        case ("tool", "poetry", *middle, name, int(), "version") if middle and _is_table(middle):
            pass
        case _:
            return
    if isinstance(name, str) and name != "python":
        allowed = _ranges.poetry(one.value)
        yield dependency(source, "pypi", name, allowed, (one.start, one.end))


def _is_table(middle: list[str | int]) -> bool:
    """`dependencies`, `dev-dependencies`, `group.NAME.dependencies`."""
    return middle in (["dependencies"], ["dev-dependencies"]) or (
        middle[0] == "group" and middle[_BY_NAME:] == ["dependencies"]
    )
