"""JSON with the place of every value: what the standard library's decoder does not keep."""

import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Located:
    """A value: text, another scalar's own text, a list of Located or a dict of them by name.

    `start` and `end` are character offsets, quotes left out.
    """

    value: Any
    start: int
    end: int

    def get(self, *names: str) -> "Located":
        """What is below these names; an empty value where there is nothing."""
        found = self
        for name in names:
            found = found.members().get(name, NOTHING)
        return found

    def members(self) -> dict[str, "Located"]:
        """The members of an object, none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> list["Located"]:
        """The items of a list, none of anything else."""
        return self.value if isinstance(self.value, list) else []

    def text(self) -> str:
        """A string's text, empty for anything else."""
        return self.value if isinstance(self.value, str) else ""


NOTHING: Final = Located(None, 0, 0)


def parse(text: str) -> Located:
    """The document.

    Raises:
        ValueError: it is no JSON, or nested deeper than anybody writes.
    """
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    found, end = _value(text, at, 0)
    if _skip(text, end) != len(text):
        raise ValueError("something follows the JSON document")
    return found


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> tuple[Located, int]:
    if depth > _DEEPEST:
        raise ValueError(f"nested more than {_DEEPEST} deep")
    first = text[at : at + 1]
    if first == '"':
        value, end = scanstring(text, at + 1, False)  # noqa: FBT003 - takes no names
        return Located(value, at + 1, end - 1), end
    if first == "{":
        return _object(text, at, depth)
    if first == "[":
        return _list(text, at, depth)
    if scalar := _SCALAR.match(text, at):
        return Located((scalar[0],), at, scalar.end()), scalar.end()
    raise ValueError(f"no JSON value at character {at}")


def _object(text: str, start: int, depth: int) -> tuple[Located, int]:
    members: dict[str, Located] = {}
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        if text[at : at + 1] != '"':
            raise ValueError(f"no member's name at character {at}")
        name, at = scanstring(text, at + 1, False)  # noqa: FBT003 - takes no names
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError(f"no colon at character {at}")
        members[name], at = _value(text, _skip(text, at + 1), depth + 1)
        at = _after(text, at, "}")
    return Located(members, start, at + 1), at + 1


def _list(text: str, start: int, depth: int) -> tuple[Located, int]:
    items: list[Located] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        item, at = _value(text, at, depth + 1)
        items.append(item)
        at = _after(text, at, "]")
    return Located(items, start, at + 1), at + 1


def _after(text: str, at: int, closing: str) -> int:
    """Where the next one begins, or the closing bracket is."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        at = _skip(text, at + 1)
        if text[at : at + 1] == closing:
            raise ValueError(f"a comma too many at character {at}")
        return at
    if text[at : at + 1] != closing:
        raise ValueError(f"neither comma nor {closing} at character {at}")
    return at
