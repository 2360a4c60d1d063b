"""Maven artifacts: `ComparableVersion` (Maven POM Reference, "Version Order Specification").

Dots separate, dashes and changes between digits and letters nest; trailing zeros and releases do
not count; alpha < beta < milestone < rc < snapshot < release < sp < all other words < numbers.
"""

from __future__ import annotations

import re
from typing import Union

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import digits, sign

_Item = Union[int, str, "list[_Item]"]
_WORDS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_RELEASE = str(_WORDS.index(""))
_ALIASES = {"ga": "", "final": "", "release": "", "cr": "rc"}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_DEEPEST = 64
_SEPARATORS = (".", "-")
_TOKEN = re.compile(r"[0-9]+|[^0-9.-]+|[.-]", re.ASCII)


def compare(left: str, right: str) -> int:
    """The order of Maven; every text is a version there, save an empty one.

    Raises:
        UnknownVersionError: one is empty, or has more parts than any version has.
    """
    return _compare(_parse(left), _parse(right))


def _parse(version: str) -> list[_Item]:
    parts: list[str] = _TOKEN.findall(version.strip().lower())
    if not parts:
        raise UnknownVersionError("an empty version")
    top: list[_Item] = []
    lists = [top]
    before = "."
    for part, after in zip(parts, [*parts[1:], ""]):  # noqa: B905 - Python 3.9 has no strict
        if part in _SEPARATORS:
            if before in _SEPARATORS:
                lists[-1].append(0)
            if part == "-":
                _nest(lists)
        elif digits(part):
            lists[-1].append(int(part))
        else:
            _put_word(lists, part, before, after)
        before = part
    if len(lists) > _DEEPEST:
        raise UnknownVersionError(f"{version[:40]!r} has more parts than a version has")
    for one in reversed(lists):
        _trim(one)
    return top


def _put_word(lists: list[list[_Item]], word: str, before: str, after: str) -> None:
    ends = after not in _SEPARATORS
    if digits(before) or (ends and lists[-1]):
        _nest(lists)  # 1.0.0.rc1 is 1.0.0-rc1
    lists[-1].append(_word(word, before_digit=digits(after)))
    if digits(after):
        _nest(lists)


def _nest(lists: list[list[_Item]]) -> None:
    inner: list[_Item] = []
    lists[-1].append(inner)
    lists.append(inner)


def _word(text: str, *, before_digit: bool) -> str:
    if before_digit:
        text = _SHORT.get(text, text)
    return _ALIASES.get(text, text)


def _trim(items: list[_Item]) -> None:
    for at in range(len(items) - 1, -1, -1):
        if items[at] in (0, "", []):
            del items[at]
        elif not isinstance(items[at], list):
            break


def _rank(word: str) -> str:
    return str(_WORDS.index(word)) if word in _WORDS else f"{len(_WORDS)}-{word}"


def _against_nothing(item: _Item) -> int:
    if isinstance(item, int):
        return int(item != 0)
    if isinstance(item, str):
        return sign(_rank(item), _RELEASE)
    return next((found for found in map(_against_nothing, item) if found), 0)


def _compare(left: _Item, right: _Item) -> int:
    kinds = (int, list, str)
    mine, other = (next(n for n, k in enumerate(kinds) if isinstance(x, k)) for x in (left, right))
    if mine != other:
        return sign(other, mine)  # numbers above lists above words
    if isinstance(left, str) and isinstance(right, str):
        return sign(_rank(left), _rank(right))
    if isinstance(left, list) and isinstance(right, list):
        for at in range(max(len(left), len(right))):
            if at >= len(left):
                found = -_against_nothing(right[at])
            elif at >= len(right):
                found = _against_nothing(left[at])
            else:
                found = _compare(left[at], right[at])
            if found:
                return found
        return 0
    return sign(left, right)
