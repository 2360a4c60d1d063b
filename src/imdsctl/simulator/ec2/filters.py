"""Filters of the Describe calls: compiled once a call, then asked of every resource."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from imdsctl.simulator.ec2.errors import Refused

Predicate = Callable[[Any], bool]
Reader = Callable[[Any], object]


def matcher(values: Sequence[str]) -> Callable[[object], bool]:
    """Whether a value, or any of a list of them, equals one of `values`.

    `*` stands for any text and `?` for one character, and a backslash takes their meaning away
    (User Guide, "Filter your resources"). Values are case-sensitive.
    """
    exact = {value for value in values if not _is_pattern(value)}
    patterns = [re.compile(_regex(value), re.DOTALL) for value in values if _is_pattern(value)]

    def one(value: object) -> bool:
        if value is None:
            return False
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text in exact or any(pattern.fullmatch(text) for pattern in patterns)

    def matches(value: object) -> bool:
        if isinstance(value, (list, set, tuple)):
            return any(one(item) for item in value)
        return one(value)

    return matches


def compile_filters(
    filters: Mapping[str, Sequence[str]],
    readers: Mapping[str, Reader],
    tags_of: Callable[[Any], Mapping[str, str]] | None = None,
    otherwise: Callable[[str, Sequence[str]], Predicate | None] | None = None,
) -> list[Predicate]:
    """The predicates that a resource must all meet.

    Args:
        filters: filter names and their values.
        readers: how the value of each filter is read from a resource.
        tags_of: how a resource's tags are read; None if it is not filtered by tags.
        otherwise: asked for filters that `readers` does not know.

    Raises:
        Refused: InvalidParameterValue for a filter that the call does not have.
    """
    found = []
    for name, values in filters.items():
        predicate = _tag_filter(name, values, tags_of) if tags_of else None
        if predicate is None and name in readers:
            predicate = _read(readers[name], matcher(values))
        if predicate is None and otherwise:
            predicate = otherwise(name, values)
        if predicate is None:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
        found.append(predicate)
    return found


def _read(reader: Reader, matches: Callable[[object], bool]) -> Predicate:
    return lambda resource: matches(reader(resource))


def _tag_filter(
    name: str, values: Sequence[str], tags_of: Callable[[Any], Mapping[str, str]]
) -> Predicate | None:
    matches = matcher(values)
    if name.startswith("tag:"):
        key = name[4:]
        return lambda resource: matches(tags_of(resource).get(key))
    if name == "tag-key":
        return lambda resource: matches(list(tags_of(resource)))
    if name == "tag-value":
        return lambda resource: matches(list(tags_of(resource).values()))
    return None


def _is_pattern(value: str) -> bool:
    return any(sign in value for sign in "*?\\")


def _regex(value: str) -> str:
    found, escaped = [], False
    for sign in value:
        if escaped:
            found.append(re.escape(sign))
            escaped = False
        elif sign == "\\":
            escaped = True
        else:
            found.append({"*": ".*", "?": "."}.get(sign) or re.escape(sign))
    return "".join(found)
