"""Who a process is: what the kernel told at the connect, and what /proc and the cgroup add to it.

Each is looked at once and kept, at the connect if possible: a process may be gone a moment later.
What /proc says is taken only if it is still the same process that the kernel saw.
"""

from __future__ import annotations

import os
import pwd
import shlex
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from imdsctl.host.redact import redact
from imdsctl.host.trace.events import Opened, Parent, Who
from imdsctl.host.trace.places import Place, path_in, place_of
from imdsctl.imds.times import UTC

_MOST = 4096
_MOST_LEVELS = 6
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_NANO = 1_000_000_000
_START = 19  # in /proc/PID/stat, counted from the third field
_FIRST_INODE = 0xEFFFFFFC  # of the first pid namespace (linux/proc_ns.h)


@dataclass(frozen=True)
class Process:
    """A process as lines show it; the command line is without secrets.

    Attributes:
        ticks: the start as /proc has it, 0 where it was not read.
        ancestors: `pid`, `comm` and `exe` of each, the nearest first.
        started: when, in RFC 3339; None where it is not known.
        before: it was there before the trace began; None where that is not known.
    """

    pid: int | None
    comm: str
    exe: str | None
    cmdline: str | None
    ancestors: list[dict[str, Any]]
    user: str | None
    uid: int | None
    started: str | None
    before: bool | None
    ticks: int = 0
    place: Place = field(default_factory=Place)


class Processes:
    """All processes that called.

    Args:
        began: CLOCK_BOOTTIME when the trace began, in nanoseconds.
        proc: the proc file system.
        cgroups: the root of the cgroup v2 tree as we see it, None where there is none.
        root: the host's file system, for users and the runtimes' files.
    """

    def __init__(
        self,
        began: int,
        *,
        proc: Path = Path("/proc"),
        cgroups: Path | None = None,
        root: Path = Path("/"),
    ) -> None:
        self._began = began
        self._proc = proc
        self._root = root
        self._tree = CgroupTree(cgroups)
        self._kept: OrderedDict[tuple[int, int], Process] = OrderedDict()
        self._parents: OrderedDict[tuple[int, int], str] = OrderedDict()
        # Process ids of another namespace than ours would name strangers.
        self._same_pids = proc != Path("/proc") or sees_all_pids()

    def opened(self, event: Opened) -> None:
        """Look at a process now, while it is there."""
        if event.who.pid:
            self._keep(event.who, self._describe(event.who, event))

    def of(self, who: Who) -> Process:
        """The process of a socket."""
        if not who.pid:
            return Process(None, "", None, None, [], None, None, None, None)
        kept = self._kept.get((who.pid, who.image))
        if kept is not None and not who.image and self._same_pids:
            # Without the kernel's word for it, the number may be another process's by now.
            now = start_ticks(who.pid, self._proc)
            if now and now != kept.ticks:
                kept = None
        if kept is None:
            kept = self._describe(who, None)
            self._keep(who, kept)
        return kept

    def _keep(self, who: Who, process: Process) -> None:
        self._kept[who.pid, who.image] = process
        self._kept.move_to_end((who.pid, who.image))
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def _describe(self, who: Who, told: Opened | None) -> Process:
        here = self._proc / str(who.pid)
        stat = _stat(here) if self._same_pids else []
        ticks = int(stat[_START]) if stat else 0
        started = who.started or ticks * _NANO // _TICKS
        alive = bool(stat) and (not who.started or _same_time(ticks, who.started))
        exe = (told.exe if told else "") or (_exe(here) if alive else "")
        arguments = told.arguments if told and not told.cut else None
        if not arguments and alive:
            arguments = _arguments(here) or None
        if not arguments and told and told.arguments:
            # What is cut in its middle may be half a secret, which nothing would recognise.
            arguments = [*told.arguments[:-1], "…".encode()]
        parents = told.parents if told and told.parents is not None else None
        if parents is None:
            parents = list(self._above(int(stat[1]))) if alive else []
        comm = who.comm or (comm_in(here) if alive else "")
        path = self._path(who, here if alive else None)
        place = place_of(path, self._root)
        return Process(
            pid=who.pid,
            comm=comm,
            exe=exe or None,
            cmdline=_joined(arguments),
            ancestors=[
                {"pid": one.pid, "comm": one.comm, "exe": self._exe_of(one)} for one in parents
            ],
            user=_user(who.uid, self._root) if not place.container else None,
            uid=who.uid,
            started=_stamp(started),
            before=started < self._began if started else None,
            ticks=ticks,
            place=place,
        )

    def _path(self, who: Who, here: Path | None) -> str:
        """The cgroup: by the kernel's number, or by /proc where that says more, as with v1."""
        path = self._tree.path(who.cgroup) if who.cgroup else None
        if path in (None, "/") and here is not None:
            try:
                found = path_in((here / "cgroup").read_text(encoding="utf-8", errors="replace"))
            except OSError:
                found = "/"
            return found if found != "/" else path or "/"
        return path or "/"

    def _above(self, pid: int) -> Iterator[Parent]:
        for _ in range(_MOST_LEVELS):
            if pid <= 0:
                return
            here = self._proc / str(pid)
            stat = _stat(here)
            if not stat:
                return
            yield Parent(pid, comm_in(here), int(stat[_START]) * _NANO // _TICKS)
            pid = int(stat[1])

    def _exe_of(self, parent: Parent) -> str | None:
        """A parent's program file; parents mostly live longer, and are looked at once."""
        key = (parent.pid, parent.started)
        found = self._parents.get(key)
        if found is None:
            here = self._proc / str(parent.pid)
            stat = _stat(here) if self._same_pids else []
            same = bool(stat) and _same_time(int(stat[_START]), parent.started)
            found = _exe(here) if same else ""
            # A child that has not become another program yet looks like its parent.
            if found and comm_in(here) == parent.comm:
                self._parents[key] = found
                if len(self._parents) > _MOST:
                    self._parents.popitem(last=False)
        return found or None


class CgroupTree:
    """The directories of the cgroup v2 tree by the kernel's number, which is their inode.

    Args:
        root: where it is mounted, None where it is not.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._paths: dict[int, str] = {}
        self._missing: OrderedDict[int, None] = OrderedDict()

    def path(self, number: int) -> str | None:
        """The path from the root of the tree; None for one that is gone or out of sight."""
        if self._root is None or number in self._missing:
            return None
        found = self._paths.get(number)
        if found is None:
            self._walk()
            found = self._paths.get(number)
            if found is None:
                self._missing[number] = None
                if len(self._missing) > _MOST:
                    self._missing.popitem(last=False)
        return found

    def _walk(self) -> None:
        if self._root is None:
            return
        if len(self._paths) > 16 * _MOST:
            self._paths.clear()
        top = str(self._root)
        try:
            self._paths[Path(top).stat().st_ino] = "/"
        except OSError:
            return
        ahead = [top]
        while ahead:
            folder = ahead.pop()
            try:
                with os.scandir(folder) as entries:
                    for one in entries:
                        if one.is_dir(follow_symlinks=False):
                            self._paths[one.inode()] = _text(one.path[len(top) :])
                            ahead.append(one.path)
            except OSError:
                continue


def sees_all_pids() -> bool:
    """Whether process ids here are the kernel's own: the first pid namespace, and its /proc."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == _FIRST_INODE
    except OSError:
        return False


def start_ticks(pid: int, proc: Path = Path("/proc")) -> int:
    """When a process started, in ticks since the boot; 0 where it is gone."""
    stat = _stat(proc / str(pid))
    return int(stat[_START]) if stat else 0


def kernel_exe(raw: bytes, *, whole: bool) -> str:
    """A program file's path from its names, the file's first, each ended by a zero byte."""
    names = [one.decode("utf-8", "replace") for one in raw.split(b"\0") if one]
    if not names:
        return ""
    return ("/" if whole else "…/") + "/".join(reversed(names))


def _text(path: str) -> str:
    """A path as text that can be written: what is no UTF-8 in it is replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _joined(arguments: list[bytes] | None) -> str | None:
    if not arguments:
        return None
    words = redact([one.decode("utf-8", "replace") for one in arguments])
    return " ".join(one if one == "…" else shlex.quote(one) for one in words)


def _stat(here: Path) -> list[str]:
    """The fields of /proc/PID/stat from the third on; the second may hold spaces."""
    try:
        text = (here / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    fields = text.rpartition(")")[2].split()
    return fields if len(fields) > _START else []


def comm_in(here: Path) -> str:
    """The name of the process of a folder of /proc; empty where it is gone."""
    try:
        return (here / "comm").read_text(encoding="utf-8", errors="replace").rstrip("\n")
    except OSError:
        return ""


def _exe(here: Path) -> str:
    try:
        return os.readlink(os.fsencode(here / "exe")).decode("utf-8", "replace")  # noqa: PTH115
    except OSError:
        return ""


def _arguments(here: Path) -> list[bytes]:
    try:
        return (here / "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def _same_time(ticks: int, nanoseconds: int) -> bool:
    return abs(ticks - nanoseconds * _TICKS // _NANO) <= 1


def _stamp(boot: int) -> str | None:
    if not boot:
        return None
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    seconds = time.time() - (now - boot) / _NANO
    # To the second: the clocks are read one after the other, and lines of one process must agree.
    return f"{datetime.fromtimestamp(round(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(maxsize=1024)
def _user(uid: int, root: Path) -> str:
    """A user's name; the number where it has none."""
    if root == Path("/"):
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)
    try:
        for line in (
            (root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            fields = line.split(":")
            if len(fields) > 3 and fields[2] == str(uid):  # noqa: PLR2004 - name, x, uid, gid
                return fields[0]
    except OSError:
        pass
    return str(uid)
