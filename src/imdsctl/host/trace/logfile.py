"""Lines come in; a file that is begun anew when it is large or old enough goes out.

`trace.jsonl` is the one being written, `trace.jsonl.1` the one before it, and so on. A file that
somebody else moved away or removed, as logrotate does, is begun anew at its place.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_OWNER_ONLY = 0o600


class LogFile:
    """One log with its predecessors.

    Args:
        path: of the one that is written.
        first: the line that every file begins with, asked for as one begins.
        rotate_size: bytes after which the next is begun; 0 never.
        rotate_age: seconds after which it is; 0 never.
        keep: predecessors that are kept.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        first: Callable[[], str],
        *,
        rotate_size: int = 0,
        rotate_age: float = 0,
        keep: int = 5,
    ) -> None:
        self._path = path
        self._first = first
        self._rotate_size = rotate_size
        self._rotate_age = rotate_age
        self._keep = keep
        self._descriptor = -1
        self._headed = False
        self._open()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, _OWNER_ONLY)
        status = os.fstat(descriptor)
        regular = stat.S_ISREG(status.st_mode)
        if regular and status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
            # Cut off by a crash: nothing may be written on to half a line.
            os.close(descriptor)
            self._shift()
            descriptor = os.open(self._path, flags, _OWNER_ONLY)
            status = os.fstat(descriptor)
        self._descriptor = descriptor
        self._watched = regular
        self._identity = status.st_dev, status.st_ino
        self._size = status.st_size
        self._begun = time.monotonic()
        self._lines = 0
        self._headed = False
        self._head()

    def _head(self) -> None:
        if not self._headed:
            self._put(self._first())
            self._headed = True

    def write(self, line: str) -> None:
        """One line more, in a new file if this one is due; after an error it can go on.

        Raises:
            OSError: it could not be written.
        """
        self.turn()
        self._head()
        self._put(line)
        self._lines += 1

    def turn(self) -> None:
        """Begin a new file if this one is large or old enough, or is not at its place any more.

        Raises:
            OSError: the new one could not be begun; it is tried again the next time.
        """
        if self._descriptor >= 0 and self._watched and not self._in_place():
            self.close()
        if self._descriptor < 0:
            self._open()
        # A file with no line of its own is not turned: a size below that of the first line would
        # push every log out within seconds.
        large = self._rotate_size and self._size >= self._rotate_size
        old = self._rotate_age and time.monotonic() - self._begun >= self._rotate_age
        if not self._lines or not (large or old):
            return
        self.close()
        self._shift()
        self._open()

    def _in_place(self) -> bool:
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        self._size = status.st_size  # smaller where somebody emptied it
        return (status.st_dev, status.st_ino) == self._identity

    def _shift(self) -> None:
        for number in range(self._keep, 0, -1):
            source = self._numbered(number - 1)
            if source.exists():
                source.replace(self._numbered(number))
        if self._keep == 0:
            self._path.unlink(missing_ok=True)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _put(self, line: str) -> None:
        data = (line + "\n").encode("utf-8", "backslashreplace")
        written = 0
        while written < len(data):
            try:
                written += os.write(self._descriptor, data[written:])
            except OSError:
                if written:
                    self._take_back(written, data)
                raise
        self._size += written

    def _take_back(self, written: int, data: bytes) -> None:
        """Half a line, on a disk that is full, would make the log unreadable: away with it."""
        with suppress(OSError):
            end = os.fstat(self._descriptor).st_size
            if os.pread(self._descriptor, written, end - written) == data[:written]:
                os.ftruncate(self._descriptor, end - written)

    def close(self) -> None:
        """No more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
