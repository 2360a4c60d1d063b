"""package.json and npm's own locks, versions 1 to 3 (npm Docs, package-lock.json)."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _json, _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.source import Source

KINDS: Final = ("npm", "npm-lock")

_TABLES: Final = (
    *("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"),
    *("overrides", "resolutions"),
)


def read(source: Source) -> Iterator[Fact]:
    """Each package, with its constraint or its locked version."""
    try:
        document = _json.parse(source.text)
    except ValueError as error:
        yield unparsed(source, f"no JSON: {error}")
        return
    yield from (_lock if source.kind == "npm-lock" else _manifest)(source, document)


def _manifest(source: Source, document: _json.Located) -> Iterator[Fact]:
    for table in _TABLES:
        for name, version in document.get(table).members().items():
            text = version.text()
            alias = text.removeprefix("npm:").rpartition("@")[0] if text[:4] == "npm:" else ""
            at = (version.start, version.end)
            plain = source.text[slice(*at)] == text.lstrip("=v") and not alias
            yield dependency(
                source,
                "npm",
                alias or name.rpartition("/")[2] if table == "resolutions" else alias or name,
                _ranges.npm(text),
                at,
                version_at=at if plain and table != "resolutions" else None,
            )


def _lock(source: Source, document: _json.Located) -> Iterator[Fact]:
    packages = document.get("packages")
    if packages.members():
        for path, package in packages.members().items():
            name = package.get("name").text() or path.rpartition("node_modules/")[2]
            if path and "node_modules/" in path:
                yield from _locked(source, name, package.get("version"))
        return
    # Version 1 has the tree in itself.
    pending = list(reversed(document.get("dependencies").members().items()))
    while pending:
        name, package = pending.pop()
        yield from _locked(source, name, package.get("version"))
        pending.extend(reversed(package.get("dependencies").members().items()))


def _locked(source: Source, name: str, version: _json.Located) -> Iterator[Fact]:
    if version.text()[:1].isdigit():
        pin = _ranges.pinned(version.text())
        yield dependency(source, "npm", name, pin, (version.start, version.end))
