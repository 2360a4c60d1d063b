"""Python distributions: PEP 440, "Version Identification and Dependency Specification"."""

from __future__ import annotations

import re
from typing import Any

from imdsctl.software.versions.error import UnknownVersionError
from imdsctl.software.versions.order import digits, sign

_VERSION = re.compile(
    r"\s*v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?"
    r"(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?"
    r"(?:[-_.]?(dev)[-_.]?([0-9]*))?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*",
    re.IGNORECASE | re.ASCII,
)
_STAGES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_FIRST, _LAST = (-1,), (2,)


def compare(left: str, right: str) -> int:
    """The order of PEP 440: dev, a, b, rc, final, post; local versions last.

    Raises:
        UnknownVersionError: one is not of PEP 440.
    """
    return sign(_key(left), _key(right))


def _key(version: str) -> tuple[Any, ...]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise UnknownVersionError(f"{version!r} is no version of PEP 440")
    epoch, release, stage, number, bare_post, post, post_number, dev, dev_number, local = (
        found.groups()
    )
    numbers = [int(part) for part in release.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    is_post = post is not None or bare_post is not None
    if stage is not None:
        word = stage.lower()
        pre: tuple[Any, ...] = (0, _STAGES.get(word, word), int(number or 0))
    elif dev is not None and not is_post:
        pre = _FIRST  # 1.0.dev1 comes before 1.0a1
    else:
        pre = _LAST
    return (
        int(epoch or 0),
        numbers,
        pre,
        int(post_number or bare_post or 0) if is_post else -1,
        (0, int(dev_number or 0)) if dev is not None else _LAST,
        [] if local is None else [_local(part) for part in re.split("[-_.]", local)],
    )


def _local(part: str) -> tuple[int, int, str]:
    return (1, int(part), "") if digits(part) else (0, 0, part.lower())
