"""Printing: data on stdout, the rest on stderr, colour only with meaning."""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.text import Text

from imdsctl.cli.common import Common

STYLES = {
    "done": "green",
    "ready": "cyan",
    "blocked": "red",
    "unknown": "yellow",
    "exempt": "magenta",
    "v2-only": "green",
    "imds-off": "green",
    "v1-allowed": "red",
}
POSTURES = {"v1-allowed": "IMDSv1 allowed", "v2-only": "V2 only", "imds-off": "IMDS off"}
"""How a person reads a posture."""

Part = str | Text | tuple[str, str]
_PIPED_WIDTH = 100


class _Stream(Console):
    """A console that falls silent where nobody reads any more (`imdsctl check | head`).

    Whoever closes a pipe has seen enough; that changes nothing of what a command does, nor of its
    exit code.
    """

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True
        silence(self.file)


class Screen:
    """The two streams of one command."""

    def __init__(self, common: Common) -> None:
        self.out = self._console(sys.stdout, common)
        self.err = self._console(sys.stderr, common)
        self.quiet = common.quiet
        self.verbose = common.verbose

    @staticmethod
    def _console(stream: TextIO, common: Common) -> Console:
        return _Stream(
            file=stream,
            no_color=common.no_color or None,
            highlight=False,
            soft_wrap=True,
            width=None if stream.isatty() else _PIPED_WIDTH,
        )

    def line(self, *parts: Part, hang: int | None = None) -> None:
        """One line of data; a tuple is text with a style.

        Args:
            parts: What to print.
            hang: The column at which a line too long for the terminal goes on; two right of its
                own indentation if not given. Where stdout is no terminal, lines stay whole.
        """
        _print(self.out, Text.assemble(*parts), hang)

    def note(self, *parts: Part, hang: int | None = None) -> None:
        """One line beside the data, on stderr."""
        if not self.quiet:
            _print(self.err, Text.assemble(*parts), hang)

    def ask(self, what: str, question: str) -> None:
        """Say what an answer would set off, and ask; --quiet does not silence it."""
        _print(self.err, Text(what), hang=0)
        self.err.print(question, end="")

    def data(self, text: str) -> None:
        """Text as it is, on stdout: a document of another format."""
        try:
            self.out.file.write(text)
            self.out.file.flush()
        except BrokenPipeError:
            self.out.on_broken_pipe()

    def json(self, name: str, document: dict[str, Any]) -> None:
        """One JSON object, of the published schema of that name.

        Raises:
            msgspec.ValidationError: the document is not what the schema promises.
        """
        from imdsctl.cli.answers import ANSWERS, SCHEMAS  # noqa: PLC0415 - only for JSON

        answer = msgspec.convert({"schema": SCHEMAS[name], **document}, ANSWERS[name])
        self.data(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")

    def next(self, *steps: str) -> None:
        """What one would do now, the likeliest first."""
        for number, step in enumerate(steps):
            self.note(("next: " if number == 0 else "      ", "bold"), step, hang=8)


def silence(stream: TextIO | Any) -> None:
    """Send what is still to come on a stream whose reader is gone to nowhere."""
    try:
        descriptor = stream.fileno()
    except (io.UnsupportedOperation, AttributeError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
    finally:
        os.close(nowhere)


def _print(console: Console, text: Text, hang: int | None) -> None:
    """Print a text, folded with a hanging indent where it meets the edge of a terminal."""
    if not console.is_terminal or text.cell_len <= console.width:
        console.print(text)
        return
    plain = text.plain
    own = len(plain) - len(plain.lstrip())
    start = min(own + 2 if hang is None else hang, console.width // 2)
    head, body = text.divide([start])
    lines = body.wrap(console, console.width - start)
    for number, line in enumerate(lines):
        line.rstrip()
        console.print(Text.assemble(head if number == 0 else " " * start, line))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 instance`, `2 instances`, `1,234 instances`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def short(members: Iterable[str], most: int = 3) -> str:
    """The first few names and how many more there are."""
    names = list(members)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def joined(parts: Sequence[str], last: str = " and ") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return last.join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def at(moment: datetime | None) -> str:
    """A time to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "–"


def span(seconds: float) -> str:
    """A duration as a person says it: `15 min`, `24 h`, `3 days`."""
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 120:  # noqa: PLR2004 - two hours still read well in minutes
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours <= 48 else f"{hours / 24:.0f} days"  # noqa: PLR2004 - two days
