"""What finders hand back."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO, NamedTuple, Optional

LARGEST_TEXT = 64 * 1024 * 1024
"""Bytes of a package database or manifest; the largest seen in the wild are a tenth of it."""


class NotReadError(Exception):
    """Something that may hold software could not be looked into; the text says why."""


def open_regular(path: str, *, follow: bool = False) -> BinaryIO:
    """A file, if it is a regular one: a pipe or a device could keep its reader for ever.

    Raises:
        OSError: it cannot be opened.
        NotReadError: it is something else.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotReadError("no longer a regular file")
    return os.fdopen(handle, "rb")


class File(NamedTuple):
    """A regular file below the root."""

    path: str
    """Where it really is."""
    shown: str
    """Where it is below the root, from `/` on."""
    name: str
    parent: str
    """The name of the folder that it is in."""

    def open(self) -> BinaryIO:
        """The file, if it still is a regular one; symbolic links are not followed.

        Raises:
            OSError: it cannot be opened.
            NotReadError: it is something else by now.
        """
        return open_regular(self.path)

    def read(self, most: int = LARGEST_TEXT) -> bytes:
        """All of it.

        Raises:
            OSError: it cannot be read.
            NotReadError: it is larger than `most` bytes.
        """
        with self.open() as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise NotReadError(f"larger than {most // 1024 // 1024} MiB")
        return data

    def text(self, most: int = LARGEST_TEXT) -> str:
        """The same as text; what is no UTF-8 is replaced."""
        return self.read(most).decode("utf-8", "replace")


class Package(NamedTuple):
    """One piece of software that is there.

    `version` is empty where it could not be told, and then `speaks_v2` is what the code itself
    showed: whether it has the request for a token; None where nobody looked.
    """

    ecosystem: str
    name: str
    version: str
    where: str
    how: str
    """What says so: `dpkg database`, `Go build information`."""
    speaks_v2: Optional[bool] = None  # noqa: UP045 - evaluated on Python 3.9
    aside: str = ""
    """Why it is only worth a note: a library that is named but not linked in, a wheel that is not
    installed."""


class Setting(NamedTuple):
    """A setting of the metadata client: `effect` is `v1-off`, `v1-forced`, `imds-off`, ….

    `where` is a file, or `pid 12 (name)`.
    """

    name: str
    value: str
    where: str
    effect: str
    meaning: str


class NotRead(NamedTuple):
    """What could not be read, and why."""

    where: str
    why: str
