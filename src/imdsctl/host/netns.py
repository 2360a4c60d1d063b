"""A process id comes in; a handle on its network namespace goes out, and sockets made inside it."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_CLONE_NEWNET = 0x40000000
_SO_COOKIE = 57
_SO_NETNS_COOKIE = 71

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class NetworkNamespace:
    """A network namespace that is held open; it lives at least as long as this.

    Raises:
        OSError: the process is gone, or may not be looked into.
    """

    def __init__(self, pid: int | str) -> None:
        self.descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.ino = os.fstat(self.descriptor).st_ino

    def enter(self) -> None:
        """Move the calling thread, and only it, into the namespace.

        Raises:
            OSError: without CAP_SYS_ADMIN.
        """
        if _libc.setns(ctypes.c_int(self.descriptor), ctypes.c_int(_CLONE_NEWNET)) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"setns: {os.strerror(code)}")

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns (or raises) when it runs inside the namespace."""
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                self.enter()
                results.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                errors.append(error)

        # A thread of its own: one that could not get back would be in the wrong namespace for good.
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def close(self) -> None:
        """Let go of the namespace."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def inode_of(pid: int | str) -> int | None:
    """The number of a process's network namespace, None where it cannot be seen."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None


def socket_cookie(one: socket.socket) -> int:
    """The number that kernel programs know a socket by (SO_COOKIE, Linux 4.12)."""
    found: int = struct.unpack("<Q", one.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))[0]
    return found


def netns_cookie(one: socket.socket) -> int | None:
    """The number of a socket's network namespace; None before Linux 5.14 (SO_NETNS_COOKIE)."""
    try:
        raw = one.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    except OSError:
        return None
    found: int = struct.unpack("<Q", raw)[0]
    return found
