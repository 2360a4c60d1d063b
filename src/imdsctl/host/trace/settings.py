"""What a trace is to do; words of the command line become values here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from imdsctl.host.trace.flows import PATIENCE

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.IGNORECASE)
_SIZE = re.compile(r"(\d+)\s*([kmg]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
METHODS = ("auto", "bpf", "packet")
VERSIONS = ("v1", "v2", "token")
BUFFER = 4 << 20
_SMALLEST_BUFFER = 4096
_LARGEST_BUFFER = 1 << 30


class BadSettingError(ValueError):
    """A word that is no such value; says what was given and what would be right."""


@dataclass(frozen=True)
class Settings:
    """What to trace, how, and where to.

    Attributes:
        method: `auto`, `bpf` or `packet`.
        seconds: how long; None until it is stopped.
        version: only requests of this version are written; None writes all.
        comm: only of programs with this name (comm, or the file's name).
        pid: only of this process.
        container: only of this container: its name, its id or the beginning of that.
        file: a log beside what is printed.
        rotate_size: bytes after which a new log is begun; 0 never.
        rotate_age: seconds after which one is; 0 never.
        keep: old logs that are kept.
        since_boot: the trace claims to hold what called since the boot, where that is so.
        buffer: bytes of the kernel's ring.
        patience: seconds after which a request counts as unanswered.
        cgroup: only processes in this cgroup of the v2 tree or below; None means all.
        host_root: where the host's file system is, for names of users and containers.
    """

    method: str = "auto"
    seconds: float | None = None
    version: str | None = None
    comm: str | None = None
    pid: int | None = None
    container: str | None = None
    file: Path | None = None
    rotate_size: int = 0
    rotate_age: float = 0
    keep: int = 5
    since_boot: bool = False
    buffer: int = BUFFER
    patience: float = PATIENCE
    host_root: Path = Path("/")
    cgroup: str | None = None

    @property
    def filtered(self) -> bool:
        """Whether some requests are not written."""
        return any((self.version, self.comm, self.pid, self.container))


def duration(text: str) -> float:
    """Seconds, of `90`, `90s`, `15m`, `1h30m`, `2d`.

    Raises:
        BadSettingError: it is none, or no time at all.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise BadSettingError(f"{text!r} is no duration; write it as 90s, 15m, 1h30m or 2d")
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if seconds <= 0:
        raise BadSettingError(f"{text!r} is no time at all")
    return seconds


def size(text: str) -> int:
    """Bytes, of `65536`, `64K`, `100M`, `1G`.

    Raises:
        BadSettingError: it is none, or 0.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise BadSettingError(f"{text!r} is no size; write it as 65536, 64K, 100M or 1G")
    return int(found[1]) * _UNITS[found[2].lower()]


def number_kept(text: str) -> int:
    """How many old logs are kept: 0 or more.

    Raises:
        BadSettingError: it is no such number.
    """
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
        raise BadSettingError(f"{text!r}: how many old logs are kept is a number from 0 on")
    return int(text)


def buffer_size(text: str) -> int:
    """Bytes of the kernel's ring: a size that is a power of two.

    Raises:
        BadSettingError: it is not.
    """
    found = size(text)
    if found & (found - 1) or not _SMALLEST_BUFFER <= found <= _LARGEST_BUFFER:
        raise BadSettingError(f"{text!r}: the ring's size is a power of two from 4K to 1G")
    return found
