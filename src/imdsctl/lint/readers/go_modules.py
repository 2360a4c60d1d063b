"""go.mod and go.sum (Go Modules Reference)."""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, lines
from imdsctl.lint.source import Source

KINDS: Final = ("go-mod", "go-sum")
REQUIRED: Final = "go module "
"""Before a module's path in `Source.context`: the go.mod beside a go.sum names it."""

_DIRECTIVE: Final = re.compile(r"\s*(require|replace|exclude|retract|tool|godebug)\b\s*(\()?(.*)")
_VERSIONED: Final = re.compile(r"\s*\"?([^\s\"]+)\"?\s+(v[^\s]+)")
_REPLACED: Final = re.compile(r"\s*(\S+)(?:\s+(v\S+))?\s+=>\s+(\S+)(?:\s+(v\S+))?")
_SUM_FIELDS: Final = 3


def read(source: Source) -> Iterator[Fact]:
    """Each module that is required, as what it is replaced with."""
    yield from (_sum if source.kind == "go-sum" else _mod)(source)


def required(source: Source) -> dict[str, str]:
    """The modules of a go.mod, for the context of the go.sum beside it."""
    names = [name for what, name, *_ in _directives(source.text) if what == "require"]
    return {f"{REQUIRED}{name}": "required" for name in names}


def _directives(text: str) -> Iterator[tuple[str, str, str, int, int, str]]:
    """What is said of a module: the directive, module, version, where that stands, the line."""
    block = ""
    for start, line in lines(text):
        plain = line.partition("//")[0]
        shift = 0
        what = block
        if block and plain.strip() == ")":
            block = ""
            continue
        if not block:
            found = _DIRECTIVE.match(plain)
            if found is None:
                continue
            what, shift = found[1], found.start(3)
            if found[2]:
                block = what
            plain = found[3]
        if one := _VERSIONED.match(plain):
            at = start + shift
            yield what, one[1], one[2], at + one.start(1), at + one.end(2), plain
        elif what == "replace" and plain.strip():
            yield what, "", "", start + shift, start + shift + len(plain), plain


def _mod(source: Source) -> Iterator[Fact]:
    replaced: dict[str, tuple[str, str, int, int]] = {}
    wanted = []
    for what, name, version, start, end, line in _directives(source.text):
        if what == "replace" and (found := _REPLACED.match(line)):
            # With a version on its left only that one is replaced.
            key = f"{found[1]} {found[2]}" if found[2] else found[1]
            replaced[key] = (found[3], found[4] or "", start, start + len(line.rstrip()))
        elif what == "require":
            wanted.append((name, version, start, end))
    for name, version, start, end in wanted:
        other = replaced.get(f"{name} {version}") or replaced.get(name)
        if other is None:
            yield dependency(source, "go", name, _ranges.pinned(version), (start, end))
        elif other[1]:
            yield dependency(source, "go", other[0], _ranges.pinned(other[1]), other[2:])


def _sum(source: Source) -> Iterator[Fact]:
    """The newest version of each module whose content was hashed; older ones are not built."""
    newest: dict[str, tuple[str, int, int]] = {}
    for start, line in lines(source.text):
        parts = line.split()
        if len(parts) != _SUM_FIELDS or parts[1].endswith("/go.mod"):
            continue
        name, version = parts[0], parts[1]
        if f"{REQUIRED}{name}" in source.context:
            continue
        held = newest.get(name)
        if held is None or _ranges.key(version) > _ranges.key(held[0]):
            newest[name] = (version, start, start + line.find(version) + len(version))
    for name, (version, start, end) in newest.items():
        yield dependency(source, "go", name, _ranges.pinned(version), (start, end))
