"""Debian packages: the algorithm of deb-version(7)."""

from __future__ import annotations

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import digits, sign


def compare(left: str, right: str) -> int:
    """The order of `dpkg --compare-versions`.

    Raises:
        UnknownVersionError: one is empty, or its epoch is no number.
    """
    mine, other = _parts(left), _parts(right)
    return (
        sign(mine[0], other[0])
        or _compare_part(mine[1], other[1])
        or _compare_part(mine[2], other[2])
    )


def _parts(version: str) -> tuple[int, str, str]:
    version = version.strip()
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    plain, dash, revision = rest.rpartition("-")
    if not dash:
        plain, revision = rest, ""
    if not plain or not digits(epoch) or not plain.isascii() or " " in plain:
        raise UnknownVersionError(f"{version!r} is no version of a Debian package")
    return int(epoch), plain, revision


def _weight(text: str, at: int) -> int:
    """`~` before the end, the end and digits before letters, letters before all else."""
    if at >= len(text) or digits(text[at]):
        return 0
    one = text[at]
    if one == "~":
        return -1
    return ord(one) if one.isalpha() else ord(one) + 256


def _compare_part(left: str, right: str) -> int:
    i = j = 0
    while i < len(left) or j < len(right):
        while (i < len(left) and not digits(left[i])) or (j < len(right) and not digits(right[j])):
            by_weight = sign(_weight(left, i), _weight(right, j))
            if by_weight:
                return by_weight
            i, j = i + 1, j + 1
        first, i = _number(left, i)
        second, j = _number(right, j)
        by_number = sign(first, second)
        if by_number:
            return by_number
    return 0


def _number(text: str, start: int) -> tuple[int, int]:
    end = start
    while end < len(text) and digits(text[end]):
        end += 1
    return int(text[start:end] or "0"), end
