"""Semantic versions: npm and Go strictly, NuGet, Composer and PowerShell with any number of parts.

Semantic Versioning 2.0.0, section 11. Go's pseudo-versions (Go Modules Reference,
"Pseudo-versions") are pre-releases and need nothing more; `+incompatible` is build metadata.
"""

from __future__ import annotations

import re

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import digits, sign

_REST = r"(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?"
_STRICT = re.compile(r"\s*[v=]*\s*([0-9]+\.[0-9]+\.[0-9]+)" + _REST + r"\s*", re.ASCII)
_LOOSE = re.compile(r"\s*v?([0-9]+(?:\.[0-9]+)*)" + _REST + r"\s*", re.ASCII | re.IGNORECASE)


def compare(left: str, right: str) -> int:
    """The order of `semver.compare` and of Go's `semver.Compare`.

    Raises:
        UnknownVersionError: one is no semantic version.
    """
    return _compare(_parse(_STRICT, left), _parse(_STRICT, right))


def compare_loosely(left: str, right: str) -> int:
    """The same with as many numbers as there are, and letters of any case.

    Raises:
        UnknownVersionError: one does not begin with a number, as Composer's `dev-main`.
    """
    return _compare(_parse(_LOOSE, left.lower()), _parse(_LOOSE, right.lower()))


_Parsed = tuple[list[int], list[str]]


def _parse(pattern: re.Pattern[str], version: str) -> _Parsed:
    found = pattern.fullmatch(version)
    if found is None:
        raise UnknownVersionError(f"{version!r} is no semantic version")
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers, found[2].split(".") if found[2] else []


def _compare(left: _Parsed, right: _Parsed) -> int:
    by_number = sign(left[0], right[0])
    if by_number:
        return by_number
    if not left[1] or not right[1]:
        return sign(not left[1], not right[1])  # a pre-release comes before its release
    for mine, other in zip(left[1], right[1]):  # noqa: B905 - Python 3.9 has no strict
        if mine == other:
            continue
        if digits(mine) and digits(other):
            return sign(int(mine), int(other))
        if digits(mine) or digits(other):
            return -1 if digits(mine) else 1
        return sign(mine, other)
    return sign(len(left[1]), len(right[1]))
