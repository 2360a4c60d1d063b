"""RPM packages: rpmvercmp, as rpm-version(7) describes it."""

from __future__ import annotations

import re

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import digits, sign

_SEPARATORS = re.compile(r"[^0-9A-Za-z~^]+", re.ASCII)
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+", re.ASCII)


def compare(left: str, right: str) -> int:
    """The order of `[epoch:]version[-release]`; a missing release comes before any.

    Raises:
        UnknownVersionError: one is empty, or its epoch is no number.
    """
    mine, other = _parts(left), _parts(right)
    return sign(mine[0], other[0]) or vercmp(mine[1], other[1]) or vercmp(mine[2], other[2])


def _parts(text: str) -> tuple[int, str, str]:
    epoch, colon, rest = text.strip().partition(":")
    if not colon:
        epoch, rest = "0", text.strip()
    version, _, release = rest.partition("-")
    if not version or not digits(epoch):
        raise UnknownVersionError(f"{text!r} is no version of a package")
    return int(epoch), version, release


def vercmp(left: str, right: str) -> int:
    """Segment by segment: numbers above letters, `~` before the end, `^` after it."""
    while left or right:
        left, right = (_skip(text) for text in (left, right))
        for mark, before in (("~", True), ("^", False)):
            mine, other = left.startswith(mark), right.startswith(mark)
            if mine and other:
                break
            if mine or other:
                # `^` is newer than the end, but older than anything that goes on.
                rest = right if mine else left
                first = -1 if before or rest else 1
                return first if mine else -first
        else:
            if not left or not right:
                break
            one = _SEGMENT.match(left)
            two = _SEGMENT.match(right)
            if one is None or two is None:  # what `_skip` leaves starts with a segment
                break
            if digits(one[0]) != digits(two[0]):
                return 1 if digits(one[0]) else -1
            by_segment = sign(int(one[0]), int(two[0])) if digits(one[0]) else sign(one[0], two[0])
            if by_segment:
                return by_segment
            left, right = left[one.end() :], right[two.end() :]
            continue
        left, right = left[1:], right[1:]
    return sign(bool(left), bool(right))


def _skip(text: str) -> str:
    found = _SEPARATORS.match(text)
    return text[found.end() :] if found else text
