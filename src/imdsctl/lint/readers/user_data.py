"""User data in a file of its own, and the lists of addresses that `#include` takes more from."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.readers._userdata import embedded_user_data
from imdsctl.lint.source import Source

KINDS: Final = ("user-data", "user-data-include")


def read(source: Source) -> Iterator[Fact | Source]:
    """The scripts and documents in user data; what it only names is said to be unread."""
    if source.kind == "user-data":
        yield from embedded_user_data(source, source.text, 1, "user data")
        return
    at = 0
    for line in source.text.splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            place = source.place(at, at + len(line.rstrip()))
            yield Unparsed(place=place, why=f"more user data comes from {line.strip()[:200]}")
        at += len(line)
