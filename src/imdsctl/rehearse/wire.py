"""One connection's bytes: whole message heads come out, and bodies are passed on as they arrive.

Only what a relay needs of HTTP/1.1 (RFC 9112): where a head ends, how long its body is, and whether
the connection goes on. Nothing that passes is kept.
"""

import re
import select
import socket
import time
from collections.abc import Callable
from typing import Final, Literal

MOST_HEAD: Final = 1 << 16
"""Bytes of a head; what is longer is not looked at but passed on as it is."""

_STEP_MS: Final = 200
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LENGTH: Final = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*\r?$")
_CHUNKED: Final = re.compile(rb"(?im)^transfer-encoding[ \t]*:[^\r\n]*\bchunked[ \t]*\r?$")
_CLOSE: Final = re.compile(rb"(?im)^connection[ \t]*:[^\r\n]*\bclose\b")
_KEEP: Final = re.compile(rb"(?im)^connection[ \t]*:[^\r\n]*\bkeep-alive\b")
_OLD: Final = re.compile(rb"[^\r\n]*HTTP/1\.0(?:[ \r\n]|$)")
_SIZE: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})")
_GONE: Final = select.POLLRDHUP | select.POLLHUP | select.POLLERR

Body = int | Literal["chunked", "to the end"]
"""How long a body is: bytes, in chunks, or until the connection ends."""


class NotHttpError(Exception):
    """What arrived is no HTTP/1 message, or its head has no end."""


class Wire:
    """One side of a connection: its socket, and what arrived and was not used yet."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.waiting = bytearray()

    def fill(self) -> bool:
        """Take what arrived; False where the other side has ended."""
        data = self.socket.recv(1 << 16)
        self.waiting += data
        return bool(data)

    def head(self, seconds: float, stopping: Callable[[], bool]) -> bytes | None:
        """The next message's head with its empty line; None where none comes.

        Args:
            seconds: to wait for all of it.
            stopping: tells that nobody should wait for a message that has not begun.

        Raises:
            NotHttpError: what arrived is something else.
            OSError: the connection broke.
        """
        deadline = time.monotonic() + seconds
        while True:
            while self.waiting.startswith((b"\r", b"\n")):
                del self.waiting[:1]
            end = _HEAD_END.search(self.waiting)
            if end:
                found = bytes(self.waiting[: end.end()])
                del self.waiting[: end.end()]
                return found
            if self.waiting and not self.waiting[:1].isalpha():
                raise NotHttpError
            if len(self.waiting) > MOST_HEAD:
                raise NotHttpError
            if time.monotonic() > deadline or (not self.waiting and stopping()):
                return None
            if self.readable(_STEP_MS) and not self.fill():
                if self.waiting:
                    raise NotHttpError
                return None

    def readable(self, milliseconds: int) -> bool:
        """Whether something arrived, or the other side has ended, within this time."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def relay(self, body: Body, sink: socket.socket) -> None:
        """Pass a message's body on to `sink`, as it arrives.

        Raises:
            OSError: either connection broke, or this one ended too early.
        """
        if body == "to the end":
            self._send(sink, len(self.waiting))
            while self.fill():
                self._send(sink, len(self.waiting))
        elif body == "chunked":
            self._relay_chunks(sink)
        else:
            self._relay_bytes(body, sink)

    def _relay_chunks(self, sink: socket.socket) -> None:
        while True:
            size = _SIZE.match(self._relay_line(sink))
            if size is None:
                raise ConnectionError("a chunk has no size")
            length = int(size[1], 16)
            if not length:
                while self._relay_line(sink).strip(b"\r\n"):
                    pass  # trailer fields
                return
            self._relay_bytes(length, sink)
            self._relay_line(sink)

    def _relay_line(self, sink: socket.socket) -> bytes:
        while True:
            end = self.waiting.find(b"\n")
            if end >= 0:
                line = bytes(self.waiting[: end + 1])
                self._send(sink, end + 1)
                return line
            if len(self.waiting) > MOST_HEAD or not self.fill():
                raise ConnectionError("a chunk has no end")

    def _relay_bytes(self, length: int, sink: socket.socket) -> None:
        left = length
        while left:
            if not self.waiting and not self.fill():
                raise ConnectionError("a body ended too early")
            left -= self._send(sink, left)

    def _send(self, sink: socket.socket, most: int) -> int:
        part = bytes(self.waiting[:most])
        del self.waiting[:most]
        if part:
            sink.sendall(part)
        return len(part)


def wait_for_answer(
    server: socket.socket, client: socket.socket, most: float, patience: float
) -> bool:
    """Wait until the server sends something (or ends); False where it never does.

    Args:
        server: whose answer is waited for.
        client: who waits; it may give up.
        most: seconds to wait at all.
        patience: seconds to wait on once the client has stopped sending: it may have gone, or
            have closed only its half.
    """
    poll = select.poll()
    poll.register(server, select.POLLIN)
    poll.register(client, _GONE)
    deadline = time.monotonic() + most
    while (left := deadline - time.monotonic()) > 0:
        ready = {descriptor for descriptor, _ in poll.poll(int(left * 1000) + 1)}
        if server.fileno() in ready:
            return True
        if client.fileno() in ready:
            poll.unregister(client)
            deadline = min(deadline, time.monotonic() + patience)
    return False


def tunnel(one: Wire, other: Wire, idle: float) -> None:
    """Pass everything on, both ways, until both have ended or neither says anything for `idle`.

    Raises:
        OSError: a connection broke.
    """
    ways = {one.socket.fileno(): (one, other), other.socket.fileno(): (other, one)}
    poll = select.poll()
    for source, sink in list(ways.values()):
        if source.waiting:
            sink.socket.sendall(bytes(source.waiting))
            source.waiting.clear()
        poll.register(source.socket, select.POLLIN)
    while ways:
        ready = poll.poll(int(idle * 1000))
        if not ready:
            return
        for descriptor, _ in ready:
            source, sink = ways[descriptor]
            if source.fill():
                sink.socket.sendall(bytes(source.waiting))
                source.waiting.clear()
            else:
                poll.unregister(descriptor)
                del ways[descriptor]
                sink.socket.shutdown(socket.SHUT_WR)


def body_of_request(head: bytes) -> Body:
    """How long a request's body is."""
    if _CHUNKED.search(head):
        return "chunked"
    length = _LENGTH.search(head)
    return int(length[1]) if length else 0


def body_of_answer(head: bytes, status: int, method: str) -> Body:
    """How long the body of an answer to `method` is."""
    if method == "HEAD" or status in (204, 304) or status < 200:  # noqa: PLR2004 - HTTP
        return 0
    if _CHUNKED.search(head):
        return "chunked"
    length = _LENGTH.search(head)
    return int(length[1]) if length else "to the end"


def goes_on(head: bytes) -> bool:
    """Whether a message leaves its connection open for another."""
    if _CLOSE.search(head):
        return False
    return bool(_KEEP.search(head)) if _OLD.match(head) else True
