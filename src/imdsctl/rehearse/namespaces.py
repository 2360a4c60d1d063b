"""Namespaces: making them, entering them, and dying with whoever made them.

Python 3.12 has `os.unshare` and `os.setns`; this is the same for 3.11, by the C library. See
namespaces(7), user_namespaces(7) and prctl(2).
"""

import ctypes
import os
from pathlib import Path
from typing import Final

NEW_NETWORK: Final = 0x4000_0000
NEW_USER: Final = 0x1000_0000
NEW_MOUNTS: Final = 0x0002_0000
_DEATH_SIGNAL, _SUBREAPER = 1, 36
_BIND, _PRIVATE, _RECURSIVE = 0x1000, 0x4_0000, 0x4000

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Leave for fresh namespaces of these kinds.

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.unshare(flags), "unshare")


def enter(namespace: int) -> None:
    """Enter the network namespace of a file descriptor.

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.setns(namespace, NEW_NETWORK), "setns")


def open_network() -> int:
    """A file descriptor of the network namespace that this thread is in; it keeps it alive."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def keep_own_ids(uid: int, gid: int) -> None:
    """In a fresh user namespace: be who one was outside.

    Raises:
        OSError: not allowed.
    """
    here = Path("/proc/self")
    (here / "setgroups").write_text("deny", encoding="ascii")
    (here / "uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    (here / "gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def die_with_parent(signal_number: int, parent: int) -> None:
    """Get a signal when the process that made this one ends; at once if it already has."""
    _checked(_libc.prctl(_DEATH_SIGNAL, signal_number, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends, so that none gets away."""
    _checked(_libc.prctl(_SUBREAPER, 1, 0, 0, 0), "prctl")


def cover(target: str, source: str) -> None:
    """In a fresh mount namespace: show another file in a file's place, to this side only.

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.mount(None, b"/", None, _PRIVATE | _RECURSIVE, None), "mount")
    _checked(
        _libc.mount(source.encode(), target.encode(), None, _BIND, None), f"mount over {target}"
    )
