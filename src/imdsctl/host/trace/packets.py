"""Tracing by looking at packets, where BPF programs are not allowed: AF_PACKET, sock_diag, /proc.

It sees the packets of its own network namespace, and what containers send through it. Who sent
them is looked up when the first packet of a connection is seen: a process that has ended by then
stays unknown. A filter in the kernel lets through packets of the metadata service only, and of its
answers no more than the status line.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from pathlib import Path

from imdsctl.host import cgroups, sockdiag
from imdsctl.host.netns import NetworkNamespace, inode_of
from imdsctl.host.trace.events import (
    CannotTraceError,
    Closed,
    Event,
    Lost,
    Opened,
    Received,
    Sent,
    Who,
)
from imdsctl.host.trace.processes import comm_in, start_ticks
from imdsctl.host.trace.segments import (
    IMDS_PORT,
    IMDS_V4,
    IMDS_V6,
    NOTHING,
    STATUS_LINE,
    Segment,
    kernel_filter,
    read_segment,
)

_EVERY_PROTOCOL = 3
_ATTACH_FILTER = 26
_RCVBUF_FORCE = 33
_SOL_PACKET, _STATISTICS = 263, 6
_BUFFER = 8 << 20
_LARGEST = 1 << 16
_MOST = 20_000
_BATCH = 512
_NAMESPACES_FOR = 1.0
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16


class PacketSource:
    """The tracer by packets.

    Raises:
        CannotTraceError: it is not allowed here; says why.
    """

    name = "packet"
    partial = True

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERY_PROTOCOL)
            )
        except (OSError, AttributeError) as error:
            raise CannotTraceError(_why(error)) from error
        try:
            self._filter()
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUF_FORCE, _BUFFER)
            except OSError:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        except OSError as error:
            self._socket.close()
            raise CannotTraceError(_why(error)) from error
        self._dropped = 0
        self._keys: OrderedDict[tuple[bytes, int], Hashable] = OrderedDict()
        self._owners: OrderedDict[Hashable, Who] = OrderedDict()
        # Bounded as the others: an answer that was lost is awaited for ever.
        self._awaiting: OrderedDict[Hashable, None] = OrderedDict()
        self._recent: list[int] = []
        self._others: list[int] = []
        self._looked = 0.0
        try:
            self.tree: Path | None = cgroups.mount()
        except (cgroups.NoSuchTargetError, OSError):
            self.tree = None

    def _filter(self) -> None:
        self._attach(kernel_filter())
        # What came in before the filter was there is anybody's.
        while True:
            try:
                self._socket.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return

    def start(self) -> None:
        """It has begun with its socket; nothing else is to be done."""

    def limits(self) -> list[str]:
        """What it cannot see here."""
        return [
            "other network namespaces, but for containers whose packets pass through this one",
            "who called, where a process ends within milliseconds or the machine is busy",
            "programs and arguments that were gone before they could be looked at",
        ]

    def sees(self) -> str:
        """What it sees here, in words."""
        return "every request of this network namespace, IPv4 and IPv6"

    def events(self, seconds: float) -> Iterator[Event]:
        """What has happened, after waiting for it this long at most."""
        select.select([self._socket], [], [], seconds)
        for _ in range(_BATCH):
            try:
                data = self._socket.recv(_LARGEST, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.ENETDOWN, errno.EINTR):
                    continue  # an interface went away
                raise
            segment = read_segment(data)
            if segment is not None:
                yield from self._outgoing(segment) if segment.outgoing else self._answer(segment)

    def _answer(self, one: Segment) -> Iterator[Event]:
        at = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        key = self._keys.get((one.client, one.port))
        if key is None:
            return
        if one.payload.startswith(b"HTTP/") and len(one.payload) == STATUS_LINE:
            self._awaiting.pop(key, None)
            yield Received(at, key, one.seq, one.payload)
        elif one.flags & _RST and key in self._awaiting:
            self._awaiting.pop(key, None)
            yield Closed(at, key)

    def _outgoing(self, one: Segment) -> Iterator[Event]:
        at = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        place = (one.client, one.port)
        if one.flags & _SYN:
            # The same number means the same connection, whatever its address was translated to.
            begun = (one.family, one.seq)
            self._keep(self._keys, place, begun)
            if begun not in self._owners:
                who = self._find(one)
                self._keep(self._owners, begun, who)
                if who.pid:
                    yield Opened(at, begun, who)
            return
        key = self._keys.get(place)
        if key is None:
            key = ("open before", *place)
            self._keep(self._keys, place, key)
            self._keep(self._owners, key, self._find(one)._replace(open_before=True))
        if one.size:
            yield self._sent(one, key, at)
        if one.flags & (_FIN | _RST) and key in self._awaiting:
            self._awaiting.pop(key, None)
            yield Closed(at, key)

    def _sent(self, one: Segment, key: Hashable, at: int) -> Sent:
        who = self._owners.get(key) or Who()
        if not who.pid:
            who = self._find(one)._replace(open_before=who.open_before)
            self._keep(self._owners, key, who)
        self._keep(self._awaiting, key, None)
        return Sent(at, key, who, one.seq, one.size, one.payload, one.family)

    @staticmethod
    def _keep(where: OrderedDict, key: Hashable, value: object) -> None:  # type: ignore[type-arg]
        where[key] = value
        where.move_to_end(key)
        if len(where) > _MOST:
            where.popitem(last=False)

    def _find(self, one: Segment) -> Who:
        """Whose connection it is: here, or in a container whose packets pass by."""
        remote = IMDS_V4 if one.family == socket.AF_INET else IMDS_V6
        asked = (one.family, one.client, one.port, remote, IMDS_PORT)
        found = _socket_here(asked)
        if found is None:
            found = self._elsewhere(asked)
        if found is None or not found.inode:
            return Who()
        pid = self._holder(found.inode)
        if not pid:
            return Who(uid=found.uid)
        return Who(pid, found.uid, comm_in(Path(f"/proc/{pid}")), image=start_ticks(pid))

    def _elsewhere(self, asked: tuple[int, bytes, int, bytes, int]) -> sockdiag.TcpSocket | None:
        now = time.monotonic()
        if now - self._looked > _NAMESPACES_FOR:
            self._looked = now
            here = inode_of("self")
            self._others = [pid for ino, pid in sockdiag.namespaces().items() if ino != here]
        for pid in self._others:
            try:
                namespace = NetworkNamespace(pid)
            except OSError:
                continue
            try:
                found = namespace.call(lambda: _socket_here(asked))
            except OSError:
                continue
            finally:
                namespace.close()
            if found is not None:
                return found
        return None

    def _holder(self, inode: int) -> int:
        """The process that holds a socket: who called lately, then the youngest."""
        wanted = f"socket:[{inode}]"
        every = sorted(sockdiag.processes(), reverse=True)
        for pid in (*self._recent, *every):
            try:
                with os.scandir(f"/proc/{pid}/fd") as descriptors:
                    held = any(_link(one.path) == wanted for one in descriptors)
            except OSError:
                continue
            if held:
                self._recent = [pid, *[one for one in self._recent if one != pid]][:8]
                return pid
        return 0

    @property
    def behind(self) -> bool:
        """Whether there is more to read right now."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def lost(self) -> Lost:
        """Packets that there was no room for; whether requests or answers is not known."""
        try:
            raw = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        except OSError:
            return Lost(sent=self._dropped)
        self._dropped += struct.unpack("<II", raw)[1]
        return Lost(sent=self._dropped)

    def stop(self) -> None:
        """No more packets; what has come can still be read."""
        self._attach(NOTHING)

    def _attach(self, lines: list[tuple[int, int, int, int]]) -> None:
        """Let the kernel filter by classic BPF; struct sock_fprog of linux/filter.h."""
        code = b"".join(struct.pack("<HBBI", *line) for line in lines)
        buffer = ctypes.create_string_buffer(code)
        program = struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(buffer))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)

    def close(self) -> None:
        """Give up the socket."""
        self.lost()
        self._socket.close()


def _socket_here(asked: tuple[int, bytes, int, bytes, int]) -> sockdiag.TcpSocket | None:
    try:
        return sockdiag.find(*asked)
    except OSError:
        return None


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - the text, not a path
    except OSError:
        return ""


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES):
        return "packets may not be looked at: it takes root or CAP_NET_RAW"
    return f"packets cannot be looked at: {error}"
