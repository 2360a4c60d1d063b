"""Pipfile and Pipfile.lock (Pipenv)."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _json, _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.readers._toml import strings
from imdsctl.lint.source import Source

KINDS: Final = ("pipfile", "pipfile-lock")


def read(source: Source) -> Iterator[Fact]:
    """Each package, with its constraint or its locked version."""
    try:
        yield from (_lock if source.kind == "pipfile-lock" else _manifest)(source)
    except ValueError as error:
        yield unparsed(source, error)


def _manifest(source: Source) -> Iterator[Fact]:
    for one in strings(source.text):
        match one.path:
            case (str(table), str(name)) | (str(table), str(name), "version") if _holds(table):
                allowed = _ranges.pep440(one.value)
                yield dependency(source, "pypi", name, allowed, (one.start, one.end))


def _holds(table: str) -> bool:
    """Every other table of a Pipfile is a category of packages."""
    return table not in ("source", "requires", "scripts", "pipenv")


def _lock(source: Source) -> Iterator[Fact]:
    for category, packages in _json.parse(source.text).members().items():
        if category.startswith("_"):
            continue
        for name, package in packages.members().items():
            version = package.get("version")
            if version.text().startswith("=="):
                pin = _ranges.pinned(version.text().removeprefix("=="))
                yield dependency(source, "pypi", name, pin, (version.start, version.end))
