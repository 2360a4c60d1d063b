"""TOML with the place of every string: `tomllib` judges the text, this finds where things stand."""

import re
import tomllib
from collections.abc import Iterator
from typing import Final, NamedTuple

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}\n#]*")
_DOTTED: Final = re.compile(r"[\w\"'. \t-]{1000,}")
_MOST_PARTS: Final = 500
_STRINGS: Final = (
    re.compile(r'"""((?:[^"\\]|\\.|"(?!""))*"{0,2})"""', re.DOTALL),
    re.compile(r"'''((?:[^']|'(?!''))*'{0,2})'''", re.DOTALL),
    re.compile(r'"((?:[^"\\\n]|\\.)*)"'),
    re.compile(r"'([^'\n]*)'"),
)

Path = tuple[str | int, ...]


class Text(NamedTuple):
    """A string value: where in the document, what, and between which characters (no quotes)."""

    path: Path
    value: str
    start: int
    end: int


def strings(text: str) -> Iterator[Text]:
    """Every string of the document, in its order.

    Raises:
        ValueError: it is no TOML.
    """
    # tomllib takes a time that grows with the square of a key's parts.
    if any(run[0].count(".") > _MOST_PARTS for run in _DOTTED.finditer(text)):
        raise ValueError("a key of more parts than anybody writes")
    try:
        tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError as error:
        raise ValueError("nested deeper than anybody writes") from error
    yield from _Scan(text).document()


class _Scan:
    """One pass over a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.arrays: dict[Path, int] = {}

    def document(self) -> Iterator[Text]:
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                path = (*table, *self._key())
                self.at += 1  # the equals sign
                self._skip(_SPACE)
                yield from self._value(path)
            before = self.at
            self._skip(_BLANK)
            if self.at == before and self.at < len(self.text):
                raise ValueError(f"not understood at character {self.at}")

    def _header(self) -> Path:
        several = self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        parts = self._key()
        self.at += 2 if several else 1
        table: Path = ()
        for part in parts[:-1]:
            table = (*table, part)
            if table in self.arrays:
                table = (*table, self.arrays[table])
        table = (*table, parts[-1])
        if several:
            self.arrays[table] = self.arrays.get(table, -1) + 1
        return (*table, self.arrays[table]) if table in self.arrays else table

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            if found := _BARE_KEY.match(self.text, self.at):
                self.at = found.end()
                parts.append(found[0])
            else:
                parts.append(self._string(())[0].value)
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _value(self, path: Path) -> Iterator[Text]:
        first = self.text[self.at : self.at + 1]
        if first in ('"', "'"):
            yield from self._string(path)
        elif first == "[":
            yield from self._array(path)
        elif first == "{":
            yield from self._inline(path)
        else:
            self._skip(_SCALAR)

    def _string(self, path: Path) -> list[Text]:
        for pattern in _STRINGS:
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
                value = found[1]
                if "\\" in value and found[0].startswith('"'):
                    value = str(tomllib.loads(f"x={found[0]}".replace("\r\n", "\n"))["x"])
                return [Text(path, value, found.start(1), found.end(1))]
        raise ValueError(f"no string at character {self.at}")

    def _array(self, path: Path) -> Iterator[Text]:
        self.at += 1
        index = 0
        self._skip(_BLANK)
        while not self.text.startswith("]", self.at):
            yield from self._value((*path, index))
            index += 1
            self._comma()
        self.at += 1

    def _inline(self, path: Path) -> Iterator[Text]:
        self.at += 1
        self._skip(_BLANK)
        while not self.text.startswith("}", self.at):
            inner = (*path, *self._key())
            self.at += 1
            self._skip(_SPACE)
            yield from self._value(inner)
            self._comma()
        self.at += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip(_BLANK)
        elif self.text[self.at : self.at + 1] not in ("]", "}"):
            raise ValueError(f"not understood at character {self.at}")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if found := pattern.match(self.text, self.at):
            self.at = found.end()
