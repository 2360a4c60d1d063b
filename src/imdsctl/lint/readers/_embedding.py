"""Texts that a program holds for others to run: command lines of a shell, user data."""

import bisect
import re
import shlex
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _metadata_url
from imdsctl.lint.readers._forms import Span
from imdsctl.lint.readers._values import Hole, Piece, Seq, Str, Value, alternatives, as_parts
from imdsctl.lint.source import Source

_MOST: Final = 200
_SCRIPT: Final = ("#!", "#cloud-config", "#cloud-boothook", "MIME-Version:", "<powershell>")
_PLAIN: Final = re.compile(r"\W+")


class Embedding:
    """Those of one text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[tuple[int, str], Source] = {}
        self._breaks: list[int] | None = None

    def _line(self, offset: int) -> int:
        if self._breaks is None:
            self._breaks = [found.start() for found in re.finditer(b"\n", self._source.data)]
        return bisect.bisect_left(self._breaks, offset) + 1

    def __iter__(self) -> Iterator[Source]:
        return iter(self._found.values())

    def command(self, value: Value, at: Span, kind: str = "shell") -> None:
        """A command line, or a list of a command's arguments."""
        for one in alternatives(value):
            if isinstance(one, Str):
                self._add(one, at, kind, "a command")
            elif isinstance(one, Seq):
                self._add(Str(tuple(_quoted(one))), at, kind, "a command")

    def script(self, value: Str) -> None:
        """A string that is a script of its own, as its first line says."""
        first = value.parts[0] if value.parts else None
        if not isinstance(first, Piece) or not first.at or "\n" not in value.shown():
            return
        shown = value.shown().lstrip("\\\n ")
        if shown.startswith(_SCRIPT) and (kind := kind_of("", shown)):
            lead = len(value.shown()) - len(shown)
            self._add(value, first.at, kind, "a script in a string", lead)

    def _add(self, value: Str, at: Span, kind: str, inside: str, lead: int = 0) -> None:
        if len(self._found) >= _MOST:
            return
        shown, lines = self._rendered(value, at)
        shown, lines = shown[lead:], lines[shown[:lead].count("\n") :]
        if not _metadata_url.concerns(shown):
            return
        source = self._source
        where = f"{source.inside}, {inside}" if source.inside else inside
        if source.lines is not None:
            last = len(source.lines) - 1
            lines = [source.lines[min(line - 1, last)] for line in lines]
        self._found[at[0], shown] = Source(
            path=source.path, kind=kind, text=shown, inside=where, lines=tuple(lines),
            context=source.context,
        )  # fmt: skip

    def _rendered(self, value: Str, at: Span) -> tuple[str, list[int]]:
        """The text with `${name}` for what is not known, and the line of each of its lines."""
        line = last = self._line(at[0])
        lines: list[int] = []
        out: list[str] = []
        for part in value.parts:
            if isinstance(part, Hole):
                name = _PLAIN.sub("_", part.answer.name if part.answer else part.name).strip("_")
                out.append("${%s}" % (name or "unknown"))
                continue
            if part.at:
                line, last = self._line(part.at[0]), self._line(part.at[1])
            if not lines:
                lines.append(line)
            for _ in range(part.text.count("\n")):
                line = min(line + 1, last)
                lines.append(line)
            out.append(part.text)
        return "".join(out), lines or [line]


def _quoted(command: Seq) -> Iterator[Piece | Hole]:
    for index, item in enumerate(command.items):
        if index:
            yield Piece(" ")
        parts = as_parts(item)
        if all(isinstance(p, Piece) for p in parts):
            yield Piece(shlex.quote(Str(parts).shown()).replace("\n", " "))
            continue
        yield Piece('"')
        for part in parts:
            if isinstance(part, Hole):
                yield part
            else:
                yield Piece(re.sub(r'(["\\$`])', r"\\\1", part.text))
        yield Piece('"')
