"""Lines come in; a file that is begun anew when it is large or old enough goes out.

`trace.jsonl` is the one being written, `trace.jsonl.1` the one before it, and so on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
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
        self._torn = False
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, _OWNER_ONLY)
        self._size = os.fstat(self._descriptor).st_size
        self._begun = time.monotonic()
        self._put(self._first())

    def write(self, line: str) -> None:
        """One line more, in a new file if this one is due; after an error it can go on.

        Raises:
            OSError: it could not be written.
        """
        self.turn()
        self._put(line)

    def turn(self) -> None:
        """Begin a new file if this one is large or old enough."""
        if self._descriptor < 0:
            self._open()
        large = self._rotate_size and self._size >= self._rotate_size
        old = self._rotate_age and time.monotonic() - self._begun >= self._rotate_age
        if not (large or old):
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        for number in range(self._keep, 0, -1):
            source = self._numbered(number - 1)
            if source.exists():
                source.replace(self._numbered(number))
        if self._keep == 0:
            self._path.unlink()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _put(self, line: str) -> None:
        # What could be written of a line that could not be written whole stays alone.
        data = ("\n" * self._torn + line + "\n").encode("utf-8")
        whole = len(data)
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:
                self._torn = self._torn or len(data) < whole
                raise
        self._torn = False
        self._size += whole

    def close(self) -> None:
        """No more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
