"""MSBuild projects and properties, packages.config and packages.lock.json (NuGet)."""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _json, _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.readers._xml import Element, parse
from imdsctl.lint.source import Source

KINDS: Final = ("msbuild", "nuget-config", "nuget-lock")

_ITEMS: Final = ("PackageReference", "PackageVersion", "GlobalPackageReference")
_PROPERTY: Final = re.compile(r"\$\(([\w.]+)\)")


def read(source: Source) -> Iterator[Fact]:
    """Each package that has a version."""
    readers = {"msbuild": _project, "nuget-config": _config, "nuget-lock": _lock}
    try:
        yield from readers[source.kind](source)
    except ValueError as error:
        yield unparsed(source, error)


def _project(source: Source) -> Iterator[Fact]:
    root = parse(source)
    defined = {
        one.name: one
        for group in root.every("PropertyGroup")
        for one in group.children
        if not one.children
    }
    for item in root.every(*_ITEMS):
        name = item.attributes.get("Include") or item.attributes.get("Update")
        if not name:
            continue
        version, at = _version(source, item)
        if found := _PROPERTY.fullmatch(version):
            holder = defined.get(found[1])
            version = holder.text.strip() if holder else ""
            at = holder.text_at(source) if holder else None
        if version:
            place = at or item.tag_at(source)
            yield dependency(source, "nuget", name, _ranges.nuget(version), place)


def _version(source: Source, item: Element) -> tuple[str, tuple[int, int] | None]:
    """The version as an attribute or as an element, and where it stands."""
    for name in ("VersionOverride", "Version"):
        if name in item.attributes:
            return item.attributes[name].strip(), item.attribute_at(source, name)
        if one := item.child(name):
            return one.text.strip(), one.text_at(source)
    return "", None


def _config(source: Source) -> Iterator[Fact]:
    for item in parse(source).every("package"):
        name, version = item.attributes.get("id", ""), item.attributes.get("version", "")
        if name and version:
            at = item.attribute_at(source, "version") or item.tag_at(source)
            yield dependency(source, "nuget", name, _ranges.pinned(version), at)


def _lock(source: Source) -> Iterator[Fact]:
    for packages in _json.parse(source.text).get("dependencies").members().values():
        for name, package in packages.members().items():
            if resolved := package.get("resolved").text():
                at = package.get("resolved")
                pin = _ranges.pinned(resolved)
                yield dependency(source, "nuget", name, pin, (at.start, at.end))
