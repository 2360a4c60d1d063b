"""A unit's name, a process id or a path comes in; a directory of the cgroup v2 tree goes out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_UNIT_KINDS = (".service", ".scope", ".slice", ".socket", ".mount", ".swap")


class NoSuchTargetError(LookupError):
    """There is no such unit, process or cgroup here; the message says what was looked for."""


@dataclass(frozen=True)
class Cgroup:
    """One cgroup of the v2 tree.

    Attributes:
        path: its directory.
        name: the path from the root of the tree, as /proc/PID/cgroup shows it.
    """

    path: Path
    name: str

    def ino(self) -> int | None:
        """The number that the kernel knows it by; None once it is gone.

        A unit that is restarted gets a new cgroup at the same path.
        """
        try:
            return self.path.stat().st_ino
        except OSError:
            return None

    def processes(self) -> list[int]:
        """The ids of the processes in it and below it, as far as this pid namespace sees them."""
        found: set[int] = set()
        for folder, _, _ in os.walk(self.path):
            try:
                text = Path(folder, "cgroup.procs").read_text(encoding="ascii")
            except OSError:
                continue  # gone meanwhile, or a threaded cgroup, which its parent lists
            found.update(int(word) for word in text.split())
        return sorted(found - {0})


def mount() -> Path:
    """Where the cgroup v2 tree is mounted: /sys/fs/cgroup, or beside v1 in a folder of it.

    Raises:
        NoSuchTargetError: it is not mounted.
    """
    for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split(" ", 1)[0] == "cgroup2":
            return Path(_OCTAL.sub(lambda one: chr(int(one[1], 8)), fields.split(" ")[4]))
    raise NoSuchTargetError("no cgroup v2 file system is mounted here")


def of_path(text: str) -> Cgroup:
    """A cgroup by its path: absolute, or from the root of the tree as /proc/PID/cgroup has it.

    Raises:
        NoSuchTargetError: it is not there, or not in the v2 tree.
    """
    root = mount()
    given = Path(text)
    inside = given if given.is_relative_to(root) else root / text.lstrip("/")
    path = Path(os.path.normpath(inside))
    if not path.is_relative_to(root) or not (path / "cgroup.procs").exists():
        raise NoSuchTargetError(f"there is no cgroup {text} in {root}")
    return _named(path, root)


def of_pid(pid: int) -> Cgroup:
    """The cgroup that a process is in.

    Raises:
        NoSuchTargetError: there is no such process, or its cgroup cannot be seen from here.
    """
    root = mount()
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise NoSuchTargetError(f"there is no process {pid} here") from error
    for line in lines:
        if line.startswith("0::"):
            path = Path(os.path.normpath(f"{root}/{line[3:].lstrip('/')}"))
            if path.is_relative_to(root) and path.is_dir():
                return _named(path, root)
    raise NoSuchTargetError(f"process {pid} is in no cgroup of the v2 tree that is mounted here")


def of_unit(name: str) -> Cgroup:
    """The cgroup of a running systemd unit; `nginx` means `nginx.service`.

    Raises:
        NoSuchTargetError: no such unit is running, or several are (one of each user, say).
    """
    root = mount()
    wanted = name if name.endswith(_UNIT_KINDS) else f"{name}.service"
    if "/" in wanted:
        raise NoSuchTargetError(f"{name} is no name of a unit")
    # systemd puts an underscore before names that would clash with the kernel's own files.
    found = [
        Path(folder, one)
        for folder, below, _ in os.walk(root)
        for one in below
        if one in {wanted, f"_{wanted}"}
    ]
    running = [one for one in found if _named(one, root).processes()]
    if not running:
        raise NoSuchTargetError(f"the unit {wanted} is not running: it has no process in {root}")
    if len(running) > 1:
        places = ", ".join(_named(one, root).name for one in running)
        raise NoSuchTargetError(f"several units are called {wanted}; name one by path: {places}")
    return _named(running[0], root)


def own() -> Cgroup:
    """The cgroup of this process."""
    return of_pid(os.getpid())


def sockets_of(pids: list[int]) -> Iterator[tuple[int, int]]:
    """The sockets that processes hold open: process ids and socket inodes."""
    for pid in pids:
        try:
            links = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        for link in links:
            if link.startswith("socket:["):
                yield pid, int(link[8:-1])


def _named(path: Path, root: Path) -> Cgroup:
    inside = path.relative_to(root).as_posix()
    return Cgroup(path, "/" if inside == "." else f"/{inside}")
