"""One client's connection: what has a token or asks for one is passed on, v1 is refused here.

The refusal is the service's own, byte for byte; the rest reaches the real service unchanged, from
the client's own network namespace, and so does the answer, with the hop limit as it is there.
"""

import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from imdsctl.imds.classify import SeenRequest, requests_in, status_of
from imdsctl.imds.message import Request
from imdsctl.imds.options import Options
from imdsctl.imds.service import Service
from imdsctl.imds.tokens import ENTROPY_BYTES
from imdsctl.rehearse.wire import (
    NotHttpError,
    Wire,
    body_of_answer,
    body_of_request,
    goes_on,
    tunnel,
    wait_for_answer,
)

IDLE: Final = 60.0
"""Seconds that a connection may say nothing."""

PATIENCE: Final = 1.5
"""Seconds in which an answer is still waited for after the client has gone."""

_CONNECT: Final = 10.0
_LINGER: Final = 1.0


@dataclass(frozen=True)
class Passed:
    """What happened to one request.

    Attributes:
        began: when its head was there, on CLOCK_MONOTONIC, in seconds.
        request: what was asked, and with v1, v2 or for a token.
        status: of the answer; None where none came.
        refused: whether it was refused here.
        waited: seconds until the answer came, or until it was given up.
    """

    began: float
    request: SeenRequest
    status: int | None
    refused: bool
    waited: float


class Refusals:
    """The service's answers to requests without a token where tokens are required."""

    def __init__(self) -> None:
        options = Options(http_tokens="required")
        self._service = Service({}, options, "i-00000000000000000", secrets.token_bytes(32))

    def of(self, seen: SeenRequest) -> bytes:
        """The whole answer to a request that has no token."""
        request = Request.of(seen.method, seen.path)
        answer = self._service.answer(request, time.time(), secrets.token_bytes(ENTROPY_BYTES))
        return answer.response.to_bytes()


class RefusingConnection:
    """Serves one client until either side ends.

    Args:
        client: the accepted connection.
        connect: opens a connection to the real service, from where the client is.
        refusals: what v1 hears.
        tell: gets each request once its answer is known.
        stopping: tells that the rehearsal is over: what was asked is still answered.
    """

    def __init__(
        self,
        client: socket.socket,
        connect: Callable[[], socket.socket],
        refusals: Refusals,
        tell: Callable[[Passed], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._client = Wire(client)
        self._connect = connect
        self._refusals = refusals
        self._tell = tell
        self._stopping = stopping
        self._server: Wire | None = None
        client.settimeout(IDLE)

    def serve(self) -> None:
        """Serve until the end; a connection that breaks ends it quietly."""
        try:
            while self._exchange():
                pass
        except OSError:
            pass  # what breaks on one side ends the other, as it would without us between
        finally:
            self._drop_server()
            with contextlib.suppress(OSError):
                self._client.socket.close()

    def abort(self) -> None:
        """End it from another thread, whatever it waits for."""
        for one in (self._client, self._server):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.socket.shutdown(socket.SHUT_RDWR)

    def _exchange(self) -> bool:
        """One request and its answer; False where the connection is over."""
        try:
            head = self._client.head(IDLE, self._stopping)
            seen = self._read(head) if head else None
        except NotHttpError:
            # No request that we know, so nothing to refuse: the service shall answer it.
            tunnel(self._client, self._open_server(), IDLE)
            return False
        if head is None or seen is None:
            return False
        if seen.version == "v1":
            self._refuse(seen)
            return False
        return self._pass(head, seen)

    def _read(self, head: bytes) -> SeenRequest:
        found = requests_in(head)
        if len(found) != 1 or not found[0].complete:
            self._client.waiting[:0] = head
            raise NotHttpError
        return found[0]

    def _refuse(self, seen: SeenRequest) -> None:
        began = time.monotonic()
        answer = self._refusals.of(seen)
        status = status_of(answer)
        # Told first: who waits for our answer is still there to be looked at.
        self._tell(Passed(began, seen, status, refused=True, waited=0.0))
        client = self._client.socket
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        # Bytes that are left unread would make the kernel take the answer back.
        client.settimeout(_LINGER)
        with contextlib.suppress(OSError):
            while self._client.fill():
                self._client.waiting.clear()

    def _pass(self, head: bytes, seen: SeenRequest) -> bool:
        """Pass a request on, and its answer back; tells it in any case."""
        began = time.monotonic()
        status: int | None = None
        try:
            server = self._open_server()
            server.socket.sendall(head)
            self._client.relay(body_of_request(head), server.socket)
            answer = self._answer(server)
            status = status_of(answer) if answer else None
        finally:
            waited = time.monotonic() - began
            self._tell(Passed(began, seen, status, refused=False, waited=waited))
        if answer is None or status is None:
            return False
        self._client.socket.sendall(answer)
        body = body_of_answer(answer, status, seen.method)
        server.relay(body, self._client.socket)
        if body == "to the end" or not goes_on(answer):
            self._drop_server()
            return False
        return goes_on(head)

    def _answer(self, server: Wire) -> bytes | None:
        """The head of the service's answer; None where it never comes."""
        while True:
            if not server.waiting and not wait_for_answer(
                server.socket, self._client.socket, IDLE, PATIENCE
            ):
                return None
            try:
                head = server.head(IDLE, lambda: False)
            except NotHttpError:
                return None
            status = status_of(head) if head else None
            if head is None or status is None or status >= 200:  # noqa: PLR2004 - HTTP
                return head
            self._client.socket.sendall(head)  # 100 Continue: the answer is still to come

    def _open_server(self) -> Wire:
        """The connection to the real service: the one before where it is still open."""
        if self._server is not None and (self._server.waiting or self._server.readable(0)):
            self._drop_server()
        if self._server is None:
            opened = self._connect()
            opened.settimeout(IDLE)
            self._server = Wire(opened)
        return self._server

    def _drop_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):
                server.socket.close()


def connect(
    address: tuple[str, int], family: int, exempt: Callable[[socket.socket], None]
) -> socket.socket:
    """A connection to the real service, which our own redirection leaves alone.

    Raises:
        OSError: it cannot be reached.
    """
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        exempt(opened)
        opened.settimeout(_CONNECT)
        opened.connect(address)
    except BaseException:
        opened.close()
        raise
    return opened
