"""What the readers of dependencies share: the fact, and how a text that is no such file is said."""

import re
from collections.abc import Iterator

from imdsctl.lint.facts import Dependency, Unparsed
from imdsctl.lint.readers._ranges import Range
from imdsctl.lint.source import Source


def dependency(
    source: Source,
    ecosystem: str,
    name: str,
    allowed: Range,
    place: tuple[int, int],
    *,
    version_at: tuple[int, int] | None = None,
) -> Dependency:
    """The fact, from character offsets."""
    return Dependency(
        place=source.place(*place),
        ecosystem=ecosystem,
        name=name,
        version=allowed.lowest,
        exact=allowed.exact,
        highest=allowed.highest,
        version_at=version_at if allowed.exact else None,
    )


def unparsed(source: Source, why: object, offset: int = 0) -> Unparsed:
    """The whole text, or what begins at an offset, could not be read."""
    return Unparsed(place=source.place(offset, offset + 1), why=str(why))


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line without its end, and the offset at which it begins."""
    start = 0
    for line in text.split("\n"):
        yield start, line.removesuffix("\r")
        start += len(line) + 1


def find(pattern: re.Pattern[str], line: str, start: int) -> tuple[int, int] | None:
    """Where the pattern's first group is in the text, for a line that begins at `start`."""
    found = pattern.search(line)
    return (start + found.start(1), start + found.end(1)) if found else None
