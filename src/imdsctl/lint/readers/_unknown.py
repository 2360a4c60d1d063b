"""Values that a text does not tell, or tells several of."""

from dataclasses import dataclass
from typing import Any, Final

_MOST: Final = 5_000
"""Parts of a value that a function takes."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that the text does not tell; `name` is what it refers to, if that is all there is."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Either:
    """One of several values, by a condition that the text does not tell."""

    values: tuple[Any, ...]


UNKNOWN: Final = Unknown()


def either(*values: Any) -> Any:
    """One of these; the value itself where they are the same."""
    if not small(values):
        return UNKNOWN
    flat = [
        one for value in values for one in (value.values if isinstance(value, Either) else (value,))
    ]
    distinct = [one for index, one in enumerate(flat) if one not in flat[:index]]
    return distinct[0] if len(distinct) == 1 else Either(tuple(distinct))


def small(value: Any) -> bool:
    """Whether a value is of a size that a template's values have.

    Values share their parts, so a few lines can make one whose size has no end.
    """
    pending, left = [value], _MOST
    while pending and left > 0:
        one = pending.pop()
        if isinstance(one, list | tuple):
            left -= len(one)
            pending += one[:left] if left > 0 else ()
        elif isinstance(one, dict):
            left -= len(one)
            pending += one.values()
        elif isinstance(one, Either):
            pending += one.values
        elif isinstance(one, str):
            left -= len(one) // 1000
        left -= 1
    return left > 0


def into(value: Any, steps: list[Any]) -> Any:
    for step in steps:
        if isinstance(value, Either):
            value = either(*(into(one, [step]) for one in value.values))
        elif isinstance(value, Unknown):
            return Unknown(f"{value.name}.{step}") if value.name else UNKNOWN
        elif (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and -1 < step < len(value)
        ):
            value = value[step]
        else:
            return UNKNOWN
    return value
