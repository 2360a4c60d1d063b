"""Printing: data on stdout, the rest on stderr, colour only with meaning."""

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.text import Text

from imdsctl.cli.common import Common

WIDTH = 80
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


class Screen:
    """The two streams of one command."""

    def __init__(self, common: Common) -> None:
        self.out = self._console(sys.stdout, common)
        self.err = self._console(sys.stderr, common)
        self.quiet = common.quiet
        self.verbose = common.verbose

    @staticmethod
    def _console(stream: TextIO, common: Common) -> Console:
        return Console(
            file=stream,
            no_color=common.no_color or None,
            highlight=False,
            soft_wrap=True,
            width=None if stream.isatty() else 100,
        )

    def line(self, *parts: str | Text | tuple[str, str]) -> None:
        """One line of data; a tuple is text with a style."""
        self.out.print(Text.assemble(*parts))

    def note(self, *parts: str | Text | tuple[str, str]) -> None:
        """One line beside the data, on stderr."""
        if not self.quiet:
            self.err.print(Text.assemble(*parts))

    def json(self, schema: str, document: dict[str, Any]) -> None:
        """One JSON object with its schema."""
        body = {"schema": f"imdsctl/{schema}/v1", **document}
        encoded = msgspec.json.format(msgspec.json.encode(body), indent=2)
        self.out.file.write(encoded.decode() + "\n")

    def next(self, *commands: str) -> None:
        """What one would do now."""
        if commands:
            self.note(("next: ", "bold"), "\n      ".join(commands))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 instance`, `2 instances`, `1,234 instances`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def short(members: Iterable[str], most: int = 3) -> str:
    """The first few names and how many more there are."""
    names = list(members)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
