"""A process id comes in; what /proc tells of the process goes out, without secrets."""

from pathlib import Path
from typing import Final

from imdsctl.host.redact import redact
from imdsctl.rehearse.whose import Process

_PROC: Final = Path("/proc")
_PARENT: Final = 1
_FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
"""The number of the first pid namespace, the same in every kernel (PROC_PID_INIT_INO)."""


def sees_all_pids() -> bool:
    """Whether process ids mean here what they mean to the kernel's programs."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return False


def described(pid: int) -> Process | None:
    """A process as it is now; None where it is gone, or its id means another process here."""
    here = _PROC / str(pid)
    if not sees_all_pids():
        return None
    try:
        stat = (here / "stat").read_text(encoding="utf-8", errors="replace")
        ppid = int(stat.rpartition(")")[2].split()[_PARENT])
        arguments = (here / "cmdline").read_bytes().split(b"\0")[:-1]
        exe = str((here / "exe").readlink())
    except (OSError, ValueError, IndexError):
        return None
    cmdline = redact([one.decode("utf-8", "replace") for one in arguments])
    return Process(pid, ppid, _comm(pid), exe, tuple(cmdline), _comm(ppid))


def _comm(pid: int) -> str:
    try:
        text = (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rstrip("\n")
