"""Alpine packages: `apk version -t`, after apk-package(5) and Gentoo's rules that it follows.

Numbers, at most one letter, `_suffix` with a number, `-rN`. Suffixes from alpha to rc come before
the plain version, cvs to p after it.
"""

from __future__ import annotations

import re
from typing import Any

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import sign

_VERSION = re.compile(
    r"([0-9]+(?:\.[0-9]+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)"
    r"(?:~[0-9a-f]+)?(?:-r([0-9]+))?",
    re.ASCII,
)
_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)", re.ASCII)
_BEFORE = ("alpha", "beta", "pre", "rc")
_AFTER = ("cvs", "svn", "git", "hg", "p")


def compare(left: str, right: str) -> int:
    """The order of `apk version -t`.

    Raises:
        UnknownVersionError: one is no version there.
    """
    return sign(_key(left), _key(right))


def _key(version: str) -> tuple[Any, ...]:
    found = _VERSION.fullmatch(version.strip())
    if found is None:
        raise UnknownVersionError(f"{version!r} is no version of an Alpine package")
    first, *others = found[1].split(".")
    numbers = [(1, int(first), ""), *map(_number, others)]
    suffixes = [_suffix(word, number) for word, number in _SUFFIX.findall(found[3])]
    return numbers, found[2], [*suffixes, (0, 0)], int(found[4] or 0)


def _number(part: str) -> tuple[int, int, str]:
    """With a zero in front, parts are compared as decimal fractions are."""
    return (0, 0, part.rstrip("0")) if part[0] == "0" else (1, int(part), "")


def _suffix(word: str, number: str) -> tuple[int, int]:
    if word in _BEFORE:
        return _BEFORE.index(word) - len(_BEFORE), int(number or 0)
    return 1 + _AFTER.index(word), int(number or 0)
