"""On which line of a TOML text each key and table stands (tomllib does not say)."""

import bisect
import re
import tomllib

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
# The four kinds of string; a multi-line one may end in up to two quotes of its own.
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|(?!""").)*"{3,5}',
        r"'''(?:(?!''').)*'{3,5}",
        r'"(?:\\.|[^"\\\n])*"',
        r"'[^'\n]*'",
    )
)


def lines_of(text: str) -> dict[Path, int]:
    """Map the path of every table, array element and key to its line, counted from 1.

    A path is what one would write to reach the value in what `tomllib.loads` returns, e.g.
    `("account", 0, "region", 2, "name")`. An array of tables stands where its first table does.

    Args:
        text: TOML that `tomllib.loads` accepts; other text gives no meaningful answer.
    """
    return _Scanner(text).scan()


class _Scanner:
    """Walks over valid TOML once and notes where keys are; values are skipped, not read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {(): 1}
        self._sizes: dict[Path, int] = {}  # arrays of tables and how many tables they hold so far

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
                size = self._sizes.get(table, 0)
                self._sizes[table] = size + 1
                self._note(table)
                table = (*table, size)
                self._note(table)
            elif self._text.startswith("[", self._at):
                table = self._header(1)
                self._note(table)
            else:
                self._key_and_value(table)
            self._skip(_BLANK)
        return self._lines

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _note(self, path: Path) -> None:
        self._lines.setdefault(path, bisect.bisect_left(self._ends, self._at) + 1)

    def _header(self, brackets: int) -> Path:
        self._at += brackets
        path: Path = ()
        for part in self._key():
            if path in self._sizes:
                path = (*path, self._sizes[path] - 1)
            path = (*path, part)
            if path not in self._lines:
                self._note(path)
        self._at += brackets
        if brackets == 1 and path in self._sizes:  # pragma: no cover - tomllib refuses it
            path = (*path, self._sizes[path] - 1)
        return path

    def _key(self) -> list[str]:
        """A key with its dots, e.g. `a."b c".d`; stops behind it."""
        parts = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                quoted = self._string()
                parts.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                parts.append(self._skip(_BARE_KEY))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _key_and_value(self, table: Path) -> None:
        start = self._at
        parts = self._key()
        behind, self._at = self._at, start
        path = table
        for part in parts:
            path = (*path, part)
            self._note(path)
        self._at = behind + 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._string()
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            element = (*path, index)
            self._note(element)
            self._value(element)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
            index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._key_and_value(path)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            if text := self._skip(pattern):
                return text
        raise ValueError(f"no TOML string at offset {self._at}")
