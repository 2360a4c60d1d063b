"""Where the names of a program stand."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from imdsctl.lint.readers import _forms as f

Uses = Mapping[str, list[int]]
"""By a variable's name, the places where it is read or assigned, as bytes of the text."""


def uses(forms: Iterable[f.Form]) -> Uses:
    """The names of a text. A member that is assigned counts as used somewhere else, at -1."""
    found: dict[str, list[int]] = {}
    waiting: list[object] = list(forms)
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            waiting += one
        if not isinstance(one, f.Form):
            continue
        if isinstance(one, f.Name | f.Member):
            found.setdefault(one.name, []).append(one.at[0])
        if isinstance(one, f.Assign):
            for target in one.targets:
                if isinstance(target, f.Member):
                    found.setdefault(target.name, []).append(-1)
        waiting += [getattr(one, field.name) for field in fields(one) if field.name != "at"]
    return found


def stays_in(name: str, body: tuple[f.Form, ...], found: Uses) -> bool:
    """Whether a variable is assigned and used in one stretch of the text, and nowhere else."""
    places = found.get(name, [])
    if not body or len(places) <= 1:
        return False
    first, last = body[0].at[0], body[-1].at[1]
    return all(first <= at < last for at in places)
