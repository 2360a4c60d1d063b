"""A cgroup and the proxy's ports come in; the cgroup's IMDS connections go to the proxy.

The Python side of `live.bpf.c`: typed access to its maps, and its links.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from imdsctl.host import cgroups
from imdsctl.host.bpf.loader import Link, Loaded
from imdsctl.host.bpf.syscalls import BpfError
from imdsctl.host.netns import netns_cookie, socket_cookie

OBJECT = Path(__file__).with_name("live.bpf.o")

CALLER = struct.Struct("<QQQIIHHI16s")
"""`struct caller`: network namespace, time (ns), socket, pid, uid, door, family, –, comm."""

FLOW = struct.Struct("<QHHI")
"""`struct flow`: network namespace, the client's port, family, –."""

COUNTERS = ("redirected", "no_door", "bound_to_device", "lapsed", "unattributed")
_NEEDED = ("live_connect4", "live_connect6", "live_established")
_NICE = ("live_getpeername4", "live_getpeername6")
_LEARN = "learn_netns"
_NANO = 1_000_000_000


@dataclass(frozen=True)
class Caller:
    """Who opened a connection, as the kernel saw it at the connect.

    Attributes:
        pid: the process, in the kernel's first pid namespace.
        uid: the user's number.
        comm: the thread's name, at most 15 characters.
        at: when, on CLOCK_MONOTONIC, in seconds.
        cookie: the kernel's number of the client's socket.
    """

    pid: int
    uid: int
    comm: str
    at: float
    cookie: int


@dataclass(frozen=True)
class Counters:
    """What the programs counted since they were loaded.

    Attributes:
        redirected: connects that went to the proxy.
        no_door: connects that were left alone, because no proxy listens in their network namespace.
        bound_to_device: connects that were left alone, because their socket is bound to a device.
        lapsed: connects that were left alone, because the proxy had stopped renewing its lease.
        unattributed: connections whose process could not be noted.
    """

    redirected: int = 0
    no_door: int = 0
    bound_to_device: int = 0
    lapsed: int = 0
    unattributed: int = 0


class Redirect:
    """The programs in the kernel. Nothing is redirected before `renew`, `open_door` and `attach`.

    Raises:
        BpfError: the kernel refuses the programs; its words are in the message.
    """

    def __init__(self) -> None:
        self._loaded = Loaded(OBJECT, programs=_NEEDED)
        self._links: list[Link] = []
        self._attached = [*_NEEDED]
        for name in _NICE:
            try:
                self._loaded.load(name)
            except BpfError:
                continue  # Linux 5.7: clients see the proxy's address when they ask
            self._attached.append(name)
        maps = self._loaded.maps
        self._lease, self._counters, self._doors = maps["lease"], maps["counters"], maps["doors"]
        self._flows, self._own, self._learned = maps["flows"], maps["own"], maps["learned"]

    @property
    def hides_proxy(self) -> bool:
        """Whether clients that ask for their peer's address hear the service's."""
        return set(_NICE) <= set(self._attached)

    def renew(self, seconds: float) -> None:
        """Redirect from now on for this long; 0 or less stops it at once."""
        until = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + int(seconds * _NANO)
        self._lease.put(bytes(4), struct.pack("<Q", until if seconds > 0 else 0))

    def open_door(self, netns: int, v4: int, v6: int) -> None:
        """Name the proxy's loopback ports in a network namespace (its cookie); 0 where none is."""
        self._doors.put(struct.pack("<Q", netns), struct.pack(">HH", v4, v6))

    def close_door(self, netns: int) -> None:
        """Leave a network namespace's connections alone from now on."""
        self._doors.remove(struct.pack("<Q", netns))

    def attach(self, cgroup: Path) -> None:
        """Attach to a cgroup, beside whatever is attached there, and leave the one before.

        Raises:
            OSError: there is no such cgroup, or the kernel refused; it is attached to none then.
        """
        self.detach()
        try:
            for name in self._attached:
                self._links.append(self._loaded.attach(name, cgroup))
        except BaseException:
            self.detach()
            raise

    def detach(self) -> None:
        """Take the programs away from the cgroup; clients reach the real service again."""
        while self._links:
            self._links.pop().close()

    def exempt(self, one: socket.socket) -> None:
        """Let a socket of our own through, should we be inside the cgroup ourselves."""
        self._own.put(struct.pack("<Q", socket_cookie(one)), b"\1")

    def netns_of(self, listener: socket.socket) -> int:
        """The kernel's number of the network namespace that a listening TCP socket is in.

        Must run inside that namespace: before Linux 5.14 it is learned by a connect.
        """
        found = netns_cookie(listener)
        return found if found is not None else self.learn(listener)

    def learn(self, listener: socket.socket) -> int:
        """As `netns_of`, by a connect to `listener` (of IPv4) that our own program looks at.

        Raises:
            OSError: it cannot be learned here.
        """
        if listener.family != socket.AF_INET:
            raise BpfError(
                errno.EAFNOSUPPORT, "a network namespace without IPv4, before Linux 5.14"
            )
        self._loaded.load(_LEARN)
        link = self._loaded.attach(_LEARN, cgroups.own().path)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as asking:
                key = struct.pack("<Q", socket_cookie(asking))
                self._learned.put(key, bytes(8))
                asking.connect(listener.getsockname())
                answer = self._learned.get(key) or bytes(8)
                self._learned.remove(key)
        finally:
            link.close()
        found: int = struct.unpack("<Q", answer)[0]
        if not found:
            raise BpfError(0, "the network namespace's number could not be learned")
        return found

    def take_caller(self, netns: int, family: int, port: int) -> Caller | None:
        """Who opened the connection that came from this loopback port; it can be asked once."""
        key = FLOW.pack(netns, port, family, 0)
        value = self._flows.get(key)
        if value is None:
            return None
        self._flows.remove(key)
        return _caller(value)

    def strayed(self, seconds: float) -> list[Caller]:
        """Who set out for the proxy this long ago and never arrived there; each is told once."""
        limit = time.clock_gettime(time.CLOCK_MONOTONIC) - seconds
        found = [(key, _caller(value)) for key, value in self._flows.items()]
        late = [(key, caller) for key, caller in found if caller.at < limit]
        return [caller for key, caller in late if self._flows.remove(key)]

    def counters(self) -> Counters:
        """What the programs counted so far."""
        found: dict[str, int] = {}
        for number, name in enumerate(COUNTERS):
            value = self._counters.get(struct.pack("<I", number)) or bytes(8)
            found[name] = struct.unpack("<Q", value)[0]
        return Counters(**found)

    def close(self) -> None:
        """Detach, and give up programs and maps."""
        self.detach()
        self._loaded.close()


def _caller(value: bytes) -> Caller:
    _, at, cookie, pid, uid, _, _, _, comm = CALLER.unpack(value)
    name = comm.split(b"\0", 1)[0].decode("utf-8", "replace")
    return Caller(pid, uid, name, at / _NANO, cookie)
