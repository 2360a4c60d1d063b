"""The tables of a fleet file: values by key and type, and errors that name the line."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from typing import Any, TypeVar

from imdsctl.simulator.fleetfile import FleetError
from imdsctl.simulator.tomllines import Path, lines_of

_T = TypeVar("_T")


class Table:
    """One table of the file: hands out its values by key and knows which were asked for."""

    def __init__(self, file: "FleetText", path: Path, values: dict[str, Any]) -> None:
        self._file = file
        self._path = path
        self._values = values
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def error(self, key: str | None, found: str, expected: str) -> FleetError:
        """The error of a key, or (None) of the table as a whole."""
        path = self._path if key is None or key not in self._values else (*self._path, key)
        return self._file.error(path, found, expected)

    def bad(self, key: str, expected: str) -> FleetError:
        """The error of a key whose value is not what it should be."""
        return self.error(key, f"{key} = {shown(self._values.get(key))}", expected)

    def raw(self, key: str) -> Any:
        """The value as TOML gave it, or None."""
        self._known.append(key)
        return self._values.get(key)

    def done(self) -> None:
        """Refuse what was never asked for."""
        for key in self._values:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1, cutoff=0.6)
                hint = f"{close[0]} (one of: " if close else "one of: "
                names = ", ".join(sorted(self._known)) + (")" if close else "")
                raise self.error(key, f"unknown key {key}", hint + names)

    def text(self, key: str, default: _T) -> str | _T:
        """The text under `key`, or `default` where there is none."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.bad(key, "a text in quotes")
        return value

    def name(self, key: str = "name") -> str:
        """A name that must be there and not be empty."""
        value = self.text(key, None)
        if value is None:
            raise self.error(None, f"a table without {key}", f'{key} = "…"')
        if not value.strip():
            raise self.bad(key, "a name that is not empty")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], expected: str) -> str:
        """A name that must be there and match `pattern`; `expected` says it in words."""
        value = self.name(key)
        if not pattern.fullmatch(value):
            raise self.bad(key, expected)
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> Any:
        """One of `choices`."""
        value = self.text(key, default)
        if value not in choices:
            raise self.bad(key, one_of(choices))
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """A true or false."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.bad(key, "true or false")
        return value

    def whole(self, key: str, default: int, least: int, most: int | None = None) -> int:
        """A whole number from `least` to `most`, both included."""
        value = self.raw(key)
        if value is None:
            return default
        top = f"{least} to {most}" if most is not None else f"{least} or more"
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.bad(key, f"a whole number, {top}")
        if most is not None and value > most:
            raise self.bad(key, f"a whole number, {top}")
        return value

    def number(self, key: str, default: _T, *, above: float | None = None) -> float | _T:
        """A number of 0 or more, or above `above`."""
        value = self.raw(key)
        if value is None:
            return default
        expected = "a number of 0 or more" if above is None else f"a number above {above:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad(key, expected)
        # Not-a-number fails every comparison; infinity passes them.
        if not (value >= 0 if above is None else value > above) or value == float("inf"):
            raise self.bad(key, expected)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty where there is none."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(key, "a list of texts")
        return tuple(value)

    def tags(self, key: str = "tags") -> dict[str, str]:
        """A table of texts, empty where there is none."""
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.bad(key, 'a table of texts such as { env = "prod" }')
        for tag, text in value.items():
            if not isinstance(text, str):
                path = (*self._path, key, tag)
                raise self._file.error(path, f"tag {tag} = {shown(text)}", "a text in quotes")
        return value

    def table(self, key: str) -> "Table | None":
        """The table under `key`, if there is one."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.bad(key, "a table such as { … }")
        return Table(self._file, (*self._path, key), value)

    def tables(self, key: str) -> "Iterator[Table]":
        """The tables of the list under `key`."""
        value = self.raw(key)
        if value is None:
            return
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.bad(key, f"a list of tables, or [[…{key}]]")
        for index, item in enumerate(value):
            yield Table(self._file, (*self._path, key, index), item)


class FleetText:
    """The text at hand: its name and the lines of its keys."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self._broken(text, str(error)) from None
        self._lines = lines_of(text)
        self.root = Table(self, (), values)

    def _broken(self, text: str, message: str) -> FleetError:
        where = re.search(r"line (\d+)", message)
        line = int(where.group(1)) if where else text.count("\n") + 1
        return FleetError(self.name, line, message, "valid TOML")

    def error(self, path: Path, found: str, expected: str) -> FleetError:
        """The error of what stands at `path`."""
        return FleetError(self.name, self._lines[path], found, expected)


def shown(value: Any) -> str:
    """A value as the file has it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return str(value)


def one_of(choices: tuple[str, ...]) -> str:
    """The choices in words: "a", "b" or "c"."""
    return ", ".join(f'"{choice}"' for choice in choices[:-1]) + f' or "{choices[-1]}"'
