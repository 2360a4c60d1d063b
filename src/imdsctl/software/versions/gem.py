"""Ruby gems: `Gem::Version` (RubyGems guides, "Patterns")."""

from __future__ import annotations

import re

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import digits, sign

_VERSION = re.compile(r"\s*([0-9]+(?:\.[0-9a-zA-Z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?\s*")
_SEGMENT = re.compile(r"[0-9]+|[a-z]+", re.IGNORECASE | re.ASCII)


def compare(left: str, right: str) -> int:
    """The order of `Gem::Version#<=>`: letters make a pre-release.

    Raises:
        UnknownVersionError: one is no version of a gem.
    """
    mine, other = _segments(left), _segments(right)
    for at in range(max(len(mine), len(other))):
        one = mine[at] if at < len(mine) else 0
        two = other[at] if at < len(other) else 0
        if isinstance(one, str) != isinstance(two, str):
            return -1 if isinstance(one, str) else 1
        by_segment = sign(one, two)
        if by_segment:
            return by_segment
    return 0


def _segments(version: str) -> list[int | str]:
    if not version.isascii() or _VERSION.fullmatch(version) is None:
        raise UnknownVersionError(f"{version!r} is no version of a gem")
    text = version.strip().replace("-", ".pre.") or "0"
    parts: list[int | str] = [
        int(part) if digits(part) else part for part in _SEGMENT.findall(text)
    ]
    first = next((at for at, part in enumerate(parts) if isinstance(part, str)), len(parts))
    return _stripped(parts[:first]) + _stripped(parts[first:])


def _stripped(parts: list[int | str]) -> list[int | str]:
    end = len(parts)
    while end and parts[end - 1] == 0:
        end -= 1
    return parts[:end]
