"""One connection of a client: bytes to requests, answers to bytes, and the hop limit between."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol, cast

import h11

from imdsctl.emulator.hops import Hops
from imdsctl.imds.message import Headers, Request, Response
from imdsctl.imds.pages import HTML, SERVER, error_page

DRAIN_FIRST, DRAIN_LAST = 0.0005, 0.05
"""Seconds between two looks at whether all that was sent has arrived."""

DRAIN_LONGEST = 60.0
"""Seconds after which a client that confirms nothing is given up."""

BUFFERED = 65_536
"""Bytes of requests that may wait behind one that is not answered yet."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be done with a request.

    Attributes:
        response: the answer; None for none, ever.
        hop_limit: the time to live of its packets; None for the usual one.
        delay: seconds to wait before.
        reset: tear the connection down instead.
    """

    response: Response | None
    hop_limit: int | None = None
    delay: float = 0.0
    reset: bool = False


class Site(Protocol):
    """What a connection asks for answers."""

    @property
    def max_body(self) -> int:
        """Bytes of a request's body that are kept; what is more is read over."""
        ...

    def accepts(self, *, ipv6: bool) -> bool:
        """Whether a new connection is answered at all."""
        ...

    def hold(self, size: int, attempt: int, *, first: bool) -> float:
        """Seconds that a request of so many bytes is lost for; 0 where it comes through."""
        ...

    def reply(self, request: Request, body: bytes, peer: str) -> Reply:
        """The answer to a request that came through."""
        ...

    def lost(self) -> None:
        """A client went away without having received a hop-limited answer."""
        ...


class Connection(asyncio.Protocol):
    """Serves one client: keep-alive, pipelined requests in order, bounded memory.

    Args:
        site: what answers.
        open_connections: where the connection registers itself while it lives.
    """

    def __init__(self, site: Site, open_connections: "set[Connection]") -> None:
        self._site = site
        self._open = open_connections
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._size = 0
        self._first = True
        self._busy = False
        self._clogged = False
        self._reading = True
        self._mute = False
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0.0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        # What a TCP server makes is always a full transport.
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self.active = self._loop.time()
        peer = transport.get_extra_info("peername") or ("", 0)
        ipv6 = ":" in peer[0]
        self._peer = f"[{peer[0]}]:{peer[1]}" if ipv6 else f"{peer[0]}:{peer[1]}"
        self._hops = Hops(transport.get_extra_info("socket"))
        if not self._site.accepts(ipv6=ipv6):
            self._transport.abort()
            return
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came, cut anywhere."""
        self.active = self._loop.time()
        self._size += len(data)
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError:
            self._transport.close()
            return
        if self._busy and self._size > BUFFERED and self._reading:
            self._reading = False
            self._transport.pause_reading()
        self._advance()

    def eof_received(self) -> bool:
        """The client sends no more; it may still be waiting for answers."""
        if self._mute:
            return False
        self._http.receive_data(b"")
        self._advance()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if not self._hops.is_set_to(None) and self._hops.unacknowledged():
            self._site.lost()
        self._open.discard(self)
        self._busy = True
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """The client does not fetch its answers: no more are made."""
        self._clogged = True

    def resume_writing(self) -> None:
        """The client reads again."""
        self._clogged = False
        if not self._busy:
            self._advance()

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()

    # The work.

    def _advance(self) -> None:
        """Answer the requests that are complete, one after the other."""
        while not self._busy and not self._clogged and not self._transport.is_closing():
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                self._refuse()
                return
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._transport.write(self._http.send(go_on))
                self._read_on()
                return
            if isinstance(event, h11.Request):
                self._request = event
                self._body.clear()
            elif isinstance(event, h11.Data):
                if len(self._body) <= self._site.max_body:
                    self._body += event.data[: self._site.max_body + 1 - len(self._body)]
            elif isinstance(event, h11.EndOfMessage):
                self._busy = True
                self._try(0)
            else:  # closed, or nothing may follow the answer that was sent
                self._transport.close()
                return

    def _read_on(self) -> None:
        self._size = len(self._http.trailing_data[0])
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

    def _later(self, seconds: float, call: Any, *arguments: Any) -> None:
        self._timer = self._loop.call_later(seconds, call, *arguments)

    def _try(self, attempt: int) -> None:
        """Let the request through, unless its packets are lost."""
        self._timer = None
        wait = self._site.hold(self._size, attempt, first=self._first)
        if wait:
            self._later(wait, self._try, attempt + 1)
            return
        self._first = False
        assert self._request is not None
        event = self._request
        fields = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
        ]
        request = Request(
            event.method.decode("latin-1"), event.target.decode("latin-1"), Headers(fields)
        )
        reply = self._site.reply(request, bytes(self._body), self._peer)
        if reply.delay:
            self._later(reply.delay, self._send_late, reply)
        else:
            self._send(reply)
            if attempt:
                self._advance()

    def _send_late(self, reply: Reply) -> None:
        self._timer = None
        self._send(reply)
        self._advance()

    def _send(self, reply: Reply) -> None:
        """Send an answer; with another hop limit than the last, once that one has arrived."""
        if reply.reset:
            self._transport.abort()
        elif reply.response is None:
            # Nothing ever comes: the request stays open until the client loses patience.
            self._mute = True
        elif not self._hops.is_set_to(reply.hop_limit) and self._under_way():
            self._later(DRAIN_FIRST, self._drain, reply, DRAIN_FIRST, self._loop.time())
        else:
            if not self._hops.is_set_to(reply.hop_limit):
                self._hops.set(reply.hop_limit)
            self._write(reply.response)
            self._next()

    def _under_way(self) -> bool:
        """Whether some of what was sent has not arrived: its hop limit must stay as it is."""
        return bool(self._transport.get_write_buffer_size() or self._hops.unacknowledged())

    def _drain(self, reply: Reply, wait: float, since: float) -> None:
        """Look again whether all has arrived."""
        self._timer = None
        if not self._under_way():
            self._send_late(reply)
        elif self._loop.time() - since > DRAIN_LONGEST:
            self._transport.abort()
        else:
            longer = min(wait * 2, DRAIN_LAST)
            self._later(longer, self._drain, reply, longer, since)

    def _next(self) -> None:
        """Be ready for the next request, or hang up after the last."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._request = None
            self._busy = False
        else:
            self._transport.close()

    def _write(self, response: Response) -> None:
        head = h11.Response(
            status_code=response.status,
            headers=response.headers.raw(),
            reason=response.reason.encode("ascii"),
        )
        data = self._http.send(head)
        assert data is not None
        if response.body:
            data += self._http.send(h11.Data(data=response.body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        self._transport.write(data)

    def _refuse(self) -> None:
        """What came is no HTTP that can be answered: say so where it is still possible, hang up."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            page = error_page(400)
            fields = [
                ("Content-Type", HTML),
                ("Content-Length", str(len(page))),
                ("Server", SERVER),
                ("Connection", "close"),
            ]
            self._write(Response(400, Headers(fields), page))
        self._transport.close()
