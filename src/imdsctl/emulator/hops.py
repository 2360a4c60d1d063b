"""The hop limit of a connection: the IP time to live (IPv6: hop limit) of what it sends.

EC2 User Guide, "Configure the Instance Metadata Service options": the response to the PUT request
leaves with the hop limit as its time to live, so a router that has one hop too many drops it.
"""

import array
import contextlib
import fcntl
import socket
import termios
from typing import Any


class Hops:
    """Sets and restores the time to live of one accepted socket.

    Args:
        sock: a connected TCP socket (or asyncio's view of one).
    """

    __slots__ = ("_level", "_name", "_normal", "_now", "_sock")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        if sock.family == socket.AF_INET6:
            self._level, self._name = socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS
        else:
            self._level, self._name = socket.IPPROTO_IP, socket.IP_TTL
        self._normal: int | None = None
        self._now: int | None = None

    def is_set_to(self, limit: int | None) -> bool:
        """Whether packets leave with this limit (None: the system's usual one)."""
        return self._now == limit

    def set(self, limit: int | None) -> None:
        """Let packets leave with a limit from now on; None restores the usual one.

        What the kernel has not yet been told was received would be sent again with the new limit:
        change it only when `unacknowledged` is 0.
        """
        with contextlib.suppress(OSError):  # the client may have hung up
            if self._normal is None:
                self._normal = self._sock.getsockopt(self._level, self._name)
            value = self._normal if limit is None else limit
            self._sock.setsockopt(self._level, self._name, value)
            self._now = limit

    def unacknowledged(self) -> int:
        """Bytes that were sent and that the other side has not confirmed; 0 for a dead socket."""
        count = array.array("i", [0])
        try:
            fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, count)
        except (OSError, ValueError):
            return 0
        return count[0]
