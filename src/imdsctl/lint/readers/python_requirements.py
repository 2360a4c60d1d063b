"""pip's requirements files (pip User Guide, "Requirements File Format"), constraints and `.in`."""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, lines
from imdsctl.lint.source import Source

KINDS: Final = ("requirements",)

_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_REQUIREMENT: Final = re.compile(
    r"\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*\(?\s*([^;@()#]*)"
)
_INCLUDE: Final = re.compile(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)")
_PIN: Final = re.compile(r"===?\s*([^\s,;*]+)\s*$")


def read(source: Source) -> Iterator[Fact]:
    """A dependency for each requirement that names a package; options and addresses are none."""
    for start, line in logical_lines(source.text):
        if line.lstrip().startswith("-"):
            continue
        hashed = "--hash" in line
        yield from requirement(source, line.partition(" --")[0], start, pinnable=not hashed)


def requirement(source: Source, text: str, start: int, *, pinnable: bool = False) -> Iterator[Fact]:
    """A PEP 508 requirement that stands in the source at `start`.

    Args:
        source: what it is in.
        text: as written; what it has after an at sign is an address and says no version.
        start: where in the source's text.
        pinnable: whether another version may be written there (no hash beside it).
    """
    found = _REQUIREMENT.match(text)
    if found is None or "@" in text.partition(";")[0]:
        return
    allowed = _ranges.pep440(found[2])
    at = None
    pin = _PIN.search(found[2].rstrip())
    if pinnable and pin and "," not in found[2]:
        at = (start + found.start(2) + pin.start(1), start + found.start(2) + pin.end(1))
    first = start + found.start(1)
    last = start + len(text.partition(";")[0].rstrip())
    yield dependency(source, "pypi", found[1], allowed, (first, max(last, first)), version_at=at)


def includes(text: str) -> Iterator[str]:
    """The files that it takes in with -r and -c, as written."""
    for _, line in logical_lines(text):
        if (found := _INCLUDE.match(line)) and "://" not in found[1]:
            yield found[1]


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, those that a backslash continues as one; and where they begin."""
    held, begun = "", 0
    for start, line in lines(text):
        plain = _COMMENT.sub("", line)
        if not held:
            begun = start
        if plain.endswith("\\"):
            # A blank for the backslash and one for the line's end keep the offsets right.
            held += plain[:-1] + "  "
            continue
        whole, held = held + plain, ""
        if whole.strip():
            yield begun, whole
    if held.strip():
        yield begun, held
