"""What a live rehearsal is for: a unit, a process or a path comes in; a cgroup goes out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imdsctl.host import cgroups
from imdsctl.host.cgroups import Cgroup, NoSuchTargetError
from imdsctl.host.netns import inode_of
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.rehearse.whose import rows

_ESTABLISHED: Final = "01"
_INODE, _REMOTE, _STATE = 9, 2, 3
_IMDS: Final = {
    "FEA9FEA9:0050",
    "0000000000000000FFFF0000FEA9FEA9:0050",
    "C20E00FD000000000000000054020000:0050",
}
"""The service's addresses as /proc/net/tcp and tcp6 write them on a little-endian machine."""


@dataclass(frozen=True)
class Target:
    """What is rehearsed.

    Attributes:
        name: as the user called it.
        cgroup: where the programs are attached.
        only: the one network namespace that is meant, where the cgroup alone would mean more.
    """

    name: str
    cgroup: Cgroup
    only: int | None = None

    def namespaces(self) -> dict[int, int]:
        """Its network namespaces: their numbers, each with a process that is in it."""
        found: dict[int, int] = {}
        for pid in self.cgroup.processes():
            number = inode_of(pid)
            if number is not None and (self.only is None or number == self.only):
                found.setdefault(number, pid)
        return found

    def open_connections(self) -> int:
        """How many connections to the service its processes have open: those stay as they are."""
        pids = self.cgroup.processes()
        inodes = {str(inode) for _, inode in cgroups.sockets_of(pids)}
        return sum(
            row[_REMOTE] in _IMDS and row[_STATE] == _ESTABLISHED and row[_INODE] in inodes
            for pid in self.namespaces().values()
            for table in ("tcp", "tcp6")
            for row in rows(Path(f"/proc/{pid}/net/{table}"))
        )


def find(*, unit: str | None = None, cgroup: str | None = None, pid: int | None = None) -> Target:
    """The target that one of the three names.

    Raises:
        UsageError: none or several are given.
        RefusedError: it is not there, or cannot be told apart from the rest of the machine.
    """
    given = [one for one in (unit, cgroup, pid) if one is not None]
    if len(given) != 1:
        raise UsageError("a live rehearsal is for one of --unit NAME, --cgroup PATH or --pid N")
    try:
        if unit is not None:
            return Target(unit, cgroups.of_unit(unit))
        if cgroup is not None:
            return Target(cgroup, cgroups.of_path(cgroup))
        assert pid is not None
        return _of_pid(pid)
    except NoSuchTargetError as error:
        raise RefusedError(
            str(error),
            hint="see what runs: systemctl status, systemd-cgls, or cat /proc/PID/cgroup",
        ) from error


def _of_pid(pid: int) -> Target:
    found = cgroups.of_pid(pid)
    if found.name != "/":
        return Target(f"process {pid}", found)
    # Where containers live in cgroup v1, all are in the root of v2; their network tells them apart.
    network = inode_of(pid)
    if network is None or network in {inode_of("self"), inode_of(1)}:
        raise RefusedError(
            f"process {pid} is in the root of the cgroup v2 tree, with the rest of this machine",
            detail="a rehearsal for it would be one for every process here",
            hint="start it as a unit (systemd-run), or mean the machine with --cgroup /",
        )
    return Target(f"process {pid}", found, only=network)
