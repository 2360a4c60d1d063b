"""Which process is at the other end of a connection, by the kernel's tables in /proc.

It is asked before a request is answered, so the caller is still there, waiting: what is missed is
only who sends a request and ends without waiting for an answer, and processes of another user
whose files one may not look at.
"""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imdsctl.host.redact import redact

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_INODE, _LOCAL, _REMOTE, _STATE, _QUEUES, _RETRANSMITS = 9, 1, 2, 3, 4, 6


@dataclass(frozen=True)
class Process:
    """A process that called, as it was when it did; `cmdline` is without secrets."""

    pid: int
    ppid: int
    comm: str
    exe: str
    cmdline: tuple[str, ...]
    parent: str


class Whose:
    """Finds the callers in one network namespace.

    Args:
        member: a process in that namespace, by whose eyes its connections are read.
        everywhere: look at all processes, not only at those in the namespace.
    """

    def __init__(self, member: int, *, everywhere: bool = False) -> None:
        self._member = member
        self._namespace = None if everywhere else _link(_PROC / str(member) / "ns/net")
        self._recent: list[int] = []

    def find(self, address: str, port: int) -> Process | None:
        """Who holds the connection that comes from this address and port; None if not found."""
        inode = self._inode(_hex(address), f"{port:04X}")
        if inode is None:
            return None
        wanted = f"socket:[{inode}]"
        for pid in self._recent:
            if _holds(pid, wanted):
                return self._describe(pid)
        holders = [pid for pid in self._candidates() if _holds(pid, wanted)]
        if not holders:
            return None
        # A forked child holds its parent's connections, too: the one who opened it is older.
        return self._describe(min(holders, key=_started))

    def _inode(self, addresses: set[str], port: str) -> str | None:
        for table in ("tcp", "tcp6"):
            for row in rows(_PROC / str(self._member) / "net" / table):
                local, _, local_port = row[_LOCAL].partition(":")
                if local_port == port and local in addresses and row[_STATE] != _LISTENING:
                    return row[_INODE]
        return None

    def _candidates(self) -> list[int]:
        pids = [int(one.name) for one in _PROC.iterdir() if one.name.isdigit()]
        if self._namespace is None:
            return pids
        return [pid for pid in pids if _link(_PROC / str(pid) / "ns/net") == self._namespace]

    def _describe(self, pid: int) -> Process | None:
        here = _PROC / str(pid)
        try:
            ppid = int(_stat(pid)[1])
            comm = (here / "comm").read_text(encoding="utf-8", errors="replace").rstrip("\n")
            arguments = (here / "cmdline").read_bytes().split(b"\0")[:-1]
        except (OSError, ValueError, IndexError):
            return None
        try:
            parent = (_PROC / str(ppid) / "comm").read_text(encoding="utf-8", errors="replace")
        except OSError:
            parent = ""
        self._recent = [pid, *[one for one in self._recent if one != pid]][:8]
        cmdline = redact([argument.decode("utf-8", "replace") for argument in arguments])
        return Process(pid, ppid, comm, _link(here / "exe"), tuple(cmdline), parent.rstrip("\n"))


def undelivered(ports: set[int], pid: int | str = "self") -> set[int]:
    """Those of these client ports to which something was sent that had to be sent again.

    The first retransmission comes after 200 ms; an answer that arrives is confirmed long before.
    """
    found = set()
    for table in ("tcp", "tcp6"):
        for row in rows(_PROC / str(pid) / "net" / table):
            port = int(row[_REMOTE].rpartition(":")[2], 16)
            if port not in ports:
                continue
            waiting = int(row[_QUEUES].partition(":")[0], 16)
            if waiting and int(row[_RETRANSMITS], 16):
                found.add(port)
    return found


def rows(table: Path) -> list[list[str]]:
    """The rows of a table of connections in /proc/PID/net, each as its columns."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    return [columns for line in lines if len(columns := line.split()) > _INODE]


def _hex(address: str) -> set[str]:
    """An address as the kernel's tables write it; one of IPv4 can stand in the table of IPv6."""
    packed = ipaddress.ip_address(address).packed
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    swapped = "".join(f"{socket.ntohl(int.from_bytes(word)):08X}" for word in words)
    if len(words) > 1:
        return {swapped, swapped[-8:]} if packed[:12] == b"\0" * 10 + b"\xff\xff" else {swapped}
    mapped = f"{0:016X}{socket.ntohl(0xFFFF):08X}{swapped}"
    return {swapped, mapped}


def _holds(pid: int, wanted: str) -> bool:
    folder = _PROC / str(pid) / "fd"
    try:
        return any(_link(one) == wanted for one in folder.iterdir())
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; the second may hold spaces."""
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def _started(pid: int) -> int:
    try:
        return int(_stat(pid)[19])
    except (OSError, ValueError, IndexError):
        return 1 << 62


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
