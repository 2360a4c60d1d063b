"""User data that AWS holds, for an instance or in a launch template: only looked at, never kept."""

import gzip
import io
import re
import zlib
from typing import Final, NamedTuple

from imdsctl.lint.result import NotRead, Report
from imdsctl.lint.run import Selection, judged_apart
from imdsctl.lint.text import LARGEST, decoded
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.ports import Fleet

_INSTANCE: Final = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_TEMPLATE: Final = re.compile(
    r"(lt-(?:[0-9a-f]{8}|[0-9a-f]{17}))(?::(\$Latest|\$Default|[1-9]\d{0,9}))?"
)
_GZIP: Final = b"\x1f\x8b"


class Held(NamedTuple):
    """What AWS holds user data for: an instance, or a version of a launch template."""

    resource: str
    version: str | None = None

    @property
    def path(self) -> str:
        """What a finding calls it."""
        return f"{self.resource}:{self.version}" if self.version else self.resource


def held(text: str) -> Held:
    """An instance id, or a launch template's with or without its version (default: `$Default`).

    Raises:
        UsageError: it is neither.
    """
    if _INSTANCE.fullmatch(text):
        return Held(text)
    if found := _TEMPLATE.fullmatch(text):
        return Held(found[1], found[2] or "$Default")
    raise UsageError(
        f"--user-data {text} is no instance and no launch template",
        hint="i-0123456789abcdef0, lt-0123456789abcdef0, lt-0123456789abcdef0:3 or lt-…:$Latest",
    )


def looked_at(fleet: Fleet, cell: Cell, what: Held, selection: Selection) -> Report:
    """The findings of one user data; its text is dropped when this returns."""
    data = fleet.user_data(cell, what.resource, what.version)
    if isinstance(data, Unreadable):
        return Report(not_read=[NotRead(path=what.path, why=data.why)])
    if data is None:
        return Report(skipped=[(what.path, "it has no user data")])
    text = unpacked(data)
    if text is None:
        return Report(not_read=[NotRead(path=what.path, why="its user data is no text")])
    return judged_apart(what.path, text, "user-data", selection)


def unpacked(data: bytes) -> str | None:
    """The text of user data, gzip taken off, as cloud-init does; None where it is no text."""
    if data.startswith(_GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error):
            return None
    if len(data) > LARGEST:
        return None
    found = decoded(data)
    return found.text if found else None
