"""A network namespace's TCP sockets, by the kernel's sock_diag (netlink), with their cookies.

Layouts: linux/inet_diag.h and sock_diag(7).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from imdsctl.host.netns import NetworkNamespace, inode_of

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST, _REQUEST_DUMP = 1, 0x301
_DONE, _ERROR = 3, 2
_LISTEN = 10
_HEADER = struct.Struct("<IHHII")
_ASK = struct.Struct("<BBBxI2s2s16s16sI8s")
_ANSWER = struct.Struct("<BBBB2s2s16s16sIQIIIII")
_LARGEST = 1 << 16


class TcpSocket(NamedTuple):
    """One socket.

    Attributes:
        family: of the socket, AF_INET6 also where it speaks IPv4.
        local: packed address, as long as the family's.
        local_port: in host byte order.
        remote: as `local`.
        remote_port: as `local_port`.
        cookie: the kernel's number of it.
        uid: of its owner.
        inode: by which /proc/PID/fd names it; 0 once no process has it any more.
    """

    family: int
    local: bytes
    local_port: int
    remote: bytes
    remote_port: int
    cookie: int
    uid: int
    inode: int


def sockets(remote_port: int) -> Iterator[TcpSocket]:
    """The TCP sockets of the calling thread's network namespace that are connected to a port.

    Raises:
        OSError: the kernel has no sock_diag, or does not allow it.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as channel:
        channel.settimeout(5)
        for family in (socket.AF_INET, socket.AF_INET6):
            yield from _dump(channel, family, remote_port)


def _dump(channel: socket.socket, family: int, remote_port: int) -> Iterator[TcpSocket]:
    states = 0xFFF & ~(1 << _LISTEN)
    port = struct.pack(">H", remote_port)
    nothing = b"\xff" * 8
    ask = _ASK.pack(family, socket.IPPROTO_TCP, 0, states, bytes(2), port, b"", b"", 0, nothing)
    channel.send(_HEADER.pack(_HEADER.size + len(ask), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + ask)
    while True:
        data = channel.recv(_LARGEST)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, _, _, _ = _HEADER.unpack_from(data, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -struct.unpack_from("<i", data, at + _HEADER.size)[0]
                raise OSError(code, "sock_diag refused")
            yield _socket(data, at + _HEADER.size)
            at += (length + 3) & ~3


def find(
    family: int, local: bytes, local_port: int, remote: bytes, remote_port: int
) -> TcpSocket | None:
    """One TCP socket of the calling thread's network namespace; addresses packed.

    Raises:
        OSError: the kernel has no sock_diag, or does not allow it.
    """
    ports = struct.pack(">H", local_port), struct.pack(">H", remote_port)
    nothing = b"\xff" * 8
    ask = _ASK.pack(family, socket.IPPROTO_TCP, 0, 0xFFF, *ports, local, remote, 0, nothing)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as channel:
        channel.settimeout(5)
        channel.send(_HEADER.pack(_HEADER.size + len(ask), _BY_FAMILY, _REQUEST, 1, 0) + ask)
        data = channel.recv(_LARGEST)
    if _HEADER.unpack_from(data)[1] == _ERROR:
        code = -struct.unpack_from("<i", data, _HEADER.size)[0]
        if code in (0, errno.ENOENT):
            return None
        raise OSError(code, "sock_diag refused")
    return _socket(data, _HEADER.size)


def _socket(data: bytes, at: int) -> TcpSocket:
    (family, _, _, _, local_port, remote_port, local, remote, _, cookie, _, _, _, uid, inode) = (
        _ANSWER.unpack_from(data, at)
    )
    length = 4 if family == socket.AF_INET else 16
    return TcpSocket(
        family,
        local[:length],
        int.from_bytes(local_port, "big"),
        remote[:length],
        int.from_bytes(remote_port, "big"),
        cookie,
        uid,
        inode,
    )


def namespaces(proc: Path = Path("/proc")) -> dict[int, int]:
    """The network namespaces that processes are in, by inode, each with one such process."""
    found: dict[int, int] = {}
    for pid in processes(proc):
        number = inode_of(pid)
        if number is not None:
            found.setdefault(number, pid)
    return found


def processes(proc: Path = Path("/proc")) -> list[int]:
    """The ids of all processes."""
    return [int(one.name) for one in proc.iterdir() if one.name.isdigit()]


def sockets_everywhere(remote_port: int) -> Iterator[TcpSocket]:
    """As `sockets`, of every network namespace that may be entered; the others are left out."""
    for pid in namespaces().values():
        try:
            namespace = NetworkNamespace(pid)
        except OSError:
            continue
        try:
            found = namespace.call(lambda: list(sockets(remote_port)))
        except OSError:
            continue
        finally:
            namespace.close()
        yield from found


def holders(inodes: Iterable[int], proc: Path = Path("/proc")) -> dict[int, int]:
    """Who holds sockets: process ids by socket inode.

    Of several the one with the lowest number, which most likely forked the others.
    """
    wanted = {f"socket:[{one}]": one for one in inodes if one}
    found: dict[int, int] = {}
    if not wanted:
        return found
    for pid in sorted(processes(proc)):
        try:
            links = [str(one.readlink()) for one in (proc / str(pid) / "fd").iterdir()]
        except OSError:
            continue
        for link in links:
            if link in wanted:
                found.setdefault(wanted[link], pid)
    return found
