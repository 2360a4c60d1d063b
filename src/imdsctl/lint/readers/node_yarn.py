"""yarn.lock: Yarn 1's own format, and the YAML that later versions write in the same shape."""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, lines
from imdsctl.lint.source import Source

KINDS: Final = ("yarn-lock",)

_NAME: Final = re.compile(r'"?((?:@[^@/"\s]+/)?[^@"\s,]+)@')
_VERSION: Final = re.compile(r'  version:? "?([^"\s]+)"?\s*$')
_RESOLVED: Final = re.compile(r'  resolution: "?((?:@[^@/"\s]+/)?[^@"\s]+)@')


def read(source: Source) -> Iterator[Fact]:
    """Each entry: a line at the margin with the constraints, an indented one with the version."""
    name, held = "", None
    for start, line in lines(source.text):
        if line[:1] not in ("", " ", "#"):
            if held:
                yield held
            found = _NAME.match(line)
            name, held = (found[1] if found else ""), None
        elif name and (version := _VERSION.match(line)) and version[1][0].isdigit():
            place = (start + version.start(1), start + version.end(1))
            held = dependency(source, "npm", name, _ranges.pinned(version[1]), place)
        elif held and (resolved := _RESOLVED.match(line)) and resolved[1] != held.name:
            # An alias: the entry has the name that the project uses.
            held = dependency(source, "npm", resolved[1], _ranges.pinned(held.version), place)
    if held:
        yield held
