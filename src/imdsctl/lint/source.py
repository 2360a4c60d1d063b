"""A text to be read: a file, or what a file embeds, with the way back to the file's own lines."""

import bisect
import re
from dataclasses import dataclass, field
from functools import cached_property

from imdsctl.lint.facts import Place


class TookTooLong(Exception):  # noqa: N818 - said of the parser
    """A parser does not come to an end with a text."""


@dataclass(frozen=True)
class Source:
    """A text and what kind of text it is.

    Attributes:
        path: the file that a person opens.
        kind: what it is: `shell`, `python`, `terraform`, `cloud-config`, … (see `kinds`).
        text: the text itself.
        inside: where in the file it is embedded, in words; empty for the file itself.
        lines: for each line of the text (from 0) the line of the file (from 1) that it comes from;
            None where the text is the file.
        indent: characters that were cut off the beginning of each line (a heredoc's indentation).
        indents: the same line by line, where it differs; empty elsewhere.
        loose: lines (from 0) that stand in the file in another notation, so that no edit fits.
        verbatim: whether a script that is not the file stands there as it is (a quoted heredoc).
        expanded: whether a shell fills in variables and commands before the text is used.
        context: names that are known from files given besides it (`. ./lib.sh`): variables that
            hold a token, functions that fetch one.
    """

    path: str
    kind: str
    text: str
    inside: str = ""
    lines: tuple[int, ...] | None = None
    indent: int = 0
    context: dict[str, str] = field(default_factory=dict, hash=False)
    indents: tuple[int, ...] = ()
    loose: frozenset[int] = frozenset()
    verbatim: bool = False
    expanded: bool = False

    @cached_property
    def data(self) -> bytes:
        """The text as the parsers want it."""
        return self.text.encode("utf-8", "surrogatepass")

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    @cached_property
    def _byte_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer(b"\n", self.data))]

    def place(self, start: int, end: int) -> Place:
        """The place in the file of the characters from `start` to before `end`."""
        line, column = self._position(start)
        end_line, end_column = self._position(max(start, end - 1))
        return Place(line, column, end_line, end_column)

    def place_of_bytes(self, start: int, end: int) -> Place:
        """The same for byte offsets, as tree-sitter gives them."""
        return self.place(self.characters(start), self.characters(end))

    def characters(self, offset: int) -> int:
        """The character at a byte offset."""
        row = bisect.bisect_right(self._byte_starts, offset) - 1
        before = self.data[self._byte_starts[row] : offset]
        # An offset within a character is of no use to anybody, and no reason to fail.
        return self._starts[row] + len(before.decode("utf-8", "replace"))

    def row(self, offset: int) -> int:
        """The line of the text itself (from 1) at a character, for `embedded`."""
        return bisect.bisect_right(self._starts, offset)

    def _position(self, offset: int) -> tuple[int, int]:
        row = bisect.bisect_right(self._starts, offset) - 1
        column = offset - self._starts[row] + 1 + self.margin(row)
        if self.lines is None:
            return row + 1, column
        return self.lines[min(row, len(self.lines) - 1)] if self.lines else 1, column

    def margin(self, row: int) -> int:
        """Characters that were cut off the beginning of a line of the text (from 0)."""
        return self.indents[min(row, len(self.indents) - 1)] if self.indents else self.indent

    def embedded(
        self, kind: str, text: str, first_line: int, inside: str, indent: int = 0
    ) -> "Source":
        """A text that begins on line `first_line` (from 1) of this one and goes on line by line."""
        rows = range(first_line - 1, first_line - 1 + text.count("\n") + 1)
        if self.lines is None:
            lines = tuple(row + 1 for row in rows)
        else:
            last = len(self.lines) - 1
            lines = tuple(self.lines[min(row, last)] for row in rows)
        where = f"{self.inside}, {inside}" if self.inside else inside
        return Source(
            path=self.path,
            kind=kind,
            text=text,
            inside=where,
            lines=lines,
            indent=indent,
            context=self.context,
            loose=frozenset(new for new, row in enumerate(rows) if row in self.loose),
            expanded=self.expanded,
        )
