"""Links, addresses and routes of the network namespace one is in, by rtnetlink.

Spoken directly, so that a rehearsal needs no `ip` command and can work from a process that is
inside a user namespace without executing anything. See rtnetlink(7) and netlink(7).
"""

import errno
import ipaddress
import os
import socket
import struct
from typing import Any, Final, Self

_ACK, _REQUEST, _CREATE, _EXCL = 4, 1, 0x400, 0x200
_NEWLINK, _NEWADDR, _NEWROUTE, _ERROR = 16, 20, 24, 2
_IFNAME, _MASTER, _LINKINFO, _NET_NS_FD = 3, 10, 18, 28
_KIND, _DATA, _VETH_PEER = 1, 2, 1
_ADDRESS, _LOCAL, _ADDRESS_FLAGS = 1, 2, 8
_NO_DAD: Final = 0x02
"""IPv6 addresses are used at once, without asking around for a duplicate first."""
_DST, _OIF, _GATEWAY = 1, 4, 5
_UP: Final = 1
_TABLE_MAIN, _BY_BOOT, _UNICAST = 254, 3, 1
_SCOPE_LINK, _SCOPE_UNIVERSE = 253, 0
_NESTED: Final = 0x8000

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class NetlinkError(OSError):
    """The kernel refused a change; says which."""


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _name(name: str) -> bytes:
    return _attribute(_IFNAME, name.encode() + b"\0")


def _link(index: int = 0, *, up: bool = False) -> bytes:
    flags = _UP if up else 0
    return struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, index, flags, flags)


class Netlink:
    """A connection to the kernel's network configuration, of the namespace it was opened in."""

    def __init__(self) -> None:
        self._socket: Any = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0
        )
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def bring_up(self, name: str) -> None:
        """Switch a link on.

        Raises:
            NetlinkError: refused.
        """
        self._ask(_NEWLINK, _link(socket.if_nametoindex(name), up=True), f"bring up {name}")

    def add_bridge(self, name: str) -> None:
        """Make a bridge.

        Raises:
            NetlinkError: refused, or the kernel has none.
        """
        info = _attribute(_LINKINFO | _NESTED, _attribute(_KIND, b"bridge"))
        self._ask(_NEWLINK, _link() + _name(name) + info, f"add the bridge {name}", create=True)

    def add_veth(self, name: str, peer: str, peer_namespace: int) -> None:
        """Make a cable: one end here, the other in the namespace of a file descriptor.

        Raises:
            NetlinkError: refused, or the kernel has none.
        """
        other = _link() + _name(peer) + _attribute(_NET_NS_FD, struct.pack("=I", peer_namespace))
        data = _attribute(_DATA | _NESTED, _attribute(_VETH_PEER | _NESTED, other))
        info = _attribute(_LINKINFO | _NESTED, _attribute(_KIND, b"veth") + data)
        self._ask(_NEWLINK, _link() + _name(name) + info, f"add the link {name}", create=True)

    def enslave(self, name: str, bridge: str) -> None:
        """Plug a link into a bridge.

        Raises:
            NetlinkError: refused.
        """
        master = _attribute(_MASTER, struct.pack("=I", socket.if_nametoindex(bridge)))
        body = _link(socket.if_nametoindex(name)) + master
        self._ask(_NEWLINK, body, f"plug {name} into {bridge}")

    def add_address(self, name: str, text: str) -> None:
        """Give a link an address with its prefix length, `192.0.2.1/24`.

        Raises:
            NetlinkError: refused, or the address family is switched off.
        """
        address = ipaddress.ip_interface(text)
        index = socket.if_nametoindex(name)
        body = struct.pack("=BBBBI", _family(address), address.network.prefixlen, 0, 0, index)
        body += _attribute(_LOCAL, address.packed) + _attribute(_ADDRESS, address.packed)
        if address.version == 6:  # noqa: PLR2004 - IPv6
            body += _attribute(_ADDRESS_FLAGS, struct.pack("=I", _NO_DAD))
        self._ask(_NEWADDR, body, f"give {name} the address {text}", create=True)

    def add_route(self, destination: str, link: str, gateway: str | None = None) -> None:
        """Send a network's packets out of a link, to a gateway if there is one.

        Raises:
            NetlinkError: refused.
        """
        network = ipaddress.ip_interface(destination)
        scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
        header = (_family(network), network.network.prefixlen, 0, 0)
        rest = (_TABLE_MAIN, _BY_BOOT, scope, _UNICAST, 0)
        body = struct.pack("=BBBBBBBBI", *header, *rest)
        if network.network.prefixlen:
            body += _attribute(_DST, network.network.network_address.packed)
        body += _attribute(_OIF, struct.pack("=I", socket.if_nametoindex(link)))
        if gateway:
            body += _attribute(_GATEWAY, ipaddress.ip_address(gateway).packed)
        self._ask(_NEWROUTE, body, f"route {destination} over {link}", create=True)

    def _ask(self, kind: int, body: bytes, what: str, *, create: bool = False) -> None:
        self._sequence += 1
        flags = _REQUEST | _ACK | (_CREATE | _EXCL if create else 0)
        size = 16 + len(body)
        self._socket.send(struct.pack("=IHHII", size, kind, flags, self._sequence, 0) + body)
        answer = self._socket.recv(65_536)
        _, kind, _, sequence, _ = struct.unpack_from("=IHHII", answer)
        if kind != _ERROR or sequence != self._sequence:
            raise NetlinkError(errno.EPROTO, f"cannot {what}: the kernel's answer makes no sense")
        code = -struct.unpack_from("=i", answer, 16)[0]
        if code:
            raise NetlinkError(code, f"cannot {what}: {os.strerror(code)}")


def _family(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
