"""build.gradle and build.gradle.kts, their lock and the version catalog.

There is no parser for Gradle's two languages among the grammars: inside `dependencies` blocks,
lines are searched for dependency notations, and variables are followed where they are plain
strings of the same file. The lock and the catalog are read whole.
"""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, lines, unparsed
from imdsctl.lint.readers._toml import Text, strings
from imdsctl.lint.source import Source

KINDS: Final = ("gradle", "gradle-lock", "gradle-catalog")

_BLOCK: Final = re.compile(r"\b(?:dependencies|constraints|dependencySet|imports)\b[^{}\n]*\{")
_NOTATION: Final = re.compile(
    r"""["']([A-Za-z0-9_.-]+):([A-Za-z0-9_.-]+):([^"':@\s]{1,200})(?::[^"'\s]*)?(?:@\w+)?["']"""
)
_MAP: Final = re.compile(
    r"""\bgroup\s*[:=]\s*["']([\w.-]+)["']\s*,\s*name\s*[:=]\s*["']([\w.-]+)["']\s*,"""
    r"""\s*version\s*[:=]\s*(["'][^"'\s]+["']|[\w.]+)"""
)
_VARIABLE: Final = re.compile(
    r"""^\s*(?:(?:def|val|var|String|const val|ext\.|set\()\s*)*["']?([A-Za-z_]\w*)["']?"""
    r"""\s*(?::\s*String\s*)?[=,]\s*["']([^"'$\s]+)["']\)?\s*$"""
)
_REFERENCE: Final = re.compile(r"\$\{?(?:[\w.]*[.])?([A-Za-z_]\w*)\}?$")
_COMMENT: Final = re.compile(r"(?:(?<=\s)|^)//.*$")


def read(source: Source) -> Iterator[Fact]:
    """Each dependency that has a version."""
    if source.kind == "gradle-lock":
        yield from _lock(source)
    elif source.kind == "gradle-catalog":
        yield from _catalog(source)
    else:
        yield from _script(source)


def _script(source: Source) -> Iterator[Fact]:
    variables: dict[str, tuple[str, tuple[int, int]]] = {}
    for start, line in lines(source.text):
        if found := _VARIABLE.match(line):
            variables[found[1]] = (found[2], (start + found.start(2), start + found.end(2)))
    depth, commented = 0, False
    for start, raw in lines(source.text):
        line, commented = _without_comments(raw, commented=commented)
        opens = depth == 0 and _BLOCK.search(line)
        if depth or opens:
            for found in (*_NOTATION.finditer(line), *_MAP.finditer(line)):
                at = (start + found.start(3), start + found.end(3))
                version = found[3].strip("\"'")
                if (name := _REFERENCE.fullmatch(version) or _bare(found[3])) is not None:
                    if name[1] not in variables:
                        continue
                    version, at = variables[name[1]]
                yield dependency(
                    source, "maven", f"{found[1]}:{found[2]}", _ranges.gradle(version), at
                )
        if depth:
            depth = max(0, depth + line.count("{") - line.count("}"))
        elif opens:
            rest = line[opens.start() :]
            depth = max(0, rest.count("{") - rest.count("}"))


def _bare(version: str) -> re.Match[str] | None:
    """A variable's name without quotes, in the notation with named arguments."""
    return re.fullmatch(r"(?:[\w.]*\.)?([A-Za-z_]\w*)", version)


def _without_comments(line: str, *, commented: bool) -> tuple[str, bool]:
    """The line with blanks for its comments, and whether one goes on after it."""
    if commented:
        before, closed, rest = line.partition("*/")
        if not closed:
            return " " * len(line), True
        line = " " * (len(before) + 2) + rest
    before, opened, rest = line.partition("/*")
    if opened and not before.rstrip().endswith(("'", '"')):
        inside, closed, after = rest.partition("*/")
        line = before + " " * (len(inside) + 2 + len(closed)) + after
        commented = not closed
    else:
        commented = False
    return _COMMENT.sub("", line), commented


def _lock(source: Source) -> Iterator[Fact]:
    for start, line in lines(source.text):
        coordinates = line.partition("=")[0]
        parts = coordinates.split(":")
        if len(parts) == 3 and not line.startswith("#"):  # noqa: PLR2004 - group, artifact, version
            place = (start, start + len(coordinates))
            yield dependency(
                source, "maven", f"{parts[0]}:{parts[1]}", _ranges.pinned(parts[2]), place
            )


def _catalog(source: Source) -> Iterator[Fact]:
    try:
        found = {one.path: one for one in strings(source.text)}
    except ValueError as error:
        yield unparsed(source, f"no TOML: {error}")
        return
    libraries = dict.fromkeys(path[1] for path in found if path[0] == "libraries")
    for library in libraries:
        short = found.get(("libraries", library))
        if short is not None:
            group, _, rest = short.value.partition(":")
            name, _, version = rest.partition(":")
            if version:
                yield dependency(
                    source, "maven", f"{group}:{name}", _ranges.gradle(version), short[2:]
                )
            continue
        version_text = _version_of(found, library)
        module = found.get(("libraries", library, "module"))
        group_text = found.get(("libraries", library, "group"))
        name_text = found.get(("libraries", library, "name"))
        if module is None and not (group_text and name_text):
            continue
        called = module.value if module else f"{group_text and group_text.value}:"
        called += "" if module or name_text is None else name_text.value
        if version_text is not None:
            allowed = _ranges.gradle(version_text.value)
            yield dependency(source, "maven", called, allowed, version_text[2:])


def _version_of(found: dict[tuple[str | int, ...], Text], library: str | int) -> Text | None:
    """The library's version: its own, a rich one's, or that of a name in `[versions]`."""
    own = ("libraries", library, "version")
    reference = found.get((*own, "ref"))
    base = ("versions", reference.value) if reference else own
    for last in ((), ("strictly",), ("require",), ("prefer",)):
        if one := found.get((*base, *last)):
            return one
    return None
