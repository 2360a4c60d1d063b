"""HTTP/1.1 as AWS speaks it: connections are kept alive, and an answer may fail to come."""

import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from imdsctl.simulator.calls import Reply

_log = logging.getLogger(__name__)

Answer = Callable[[str, str, Mapping[str, str], bytes], Reply | None]


class Server(ThreadingHTTPServer):
    """An HTTP server that gives every request to `answer`.

    Args:
        address: host and port; port 0 lets the operating system choose.
        answer: called with method, target, headers (names in lower case) and body. It gives the
            reply, or None to close the connection without a word.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: Answer) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.answer = answer
        self.connections: set[socket.socket] = set()
        super().__init__(address, Handler)

    def hang_up(self) -> None:
        """Close the connections that clients keep alive, so that their threads end."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up when they like; that is no error of ours."""
        _log.debug("connection %s of %s ended", request, client_address, exc_info=True)


class Handler(BaseHTTPRequestHandler):
    """Keep-alive HTTP/1.1 with one write per answer, which a server for botocore needs to be."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        """Remember the connection, so that it can be hung up on."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.connections.discard(self.connection)
        super().finish()

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "chunked" in headers.get("transfer-encoding", ""):
            self.close_connection = True
            self._write(Reply(HTTPStatus.LENGTH_REQUIRED, (), b""))
            return
        body = self.rfile.read(int(headers.get("content-length") or 0))
        reply = self.server.answer(self.command, self.path, headers, body)
        if reply is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._write(reply)

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks for do_GET, do_POST and so on; all of them are the same to us.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _write(self, reply: Reply) -> None:
        phrase = HTTPStatus(reply.status).phrase
        lines = [f"HTTP/1.1 {reply.status} {phrase}"]
        lines += [
            f"{name}: {value}"
            for name, value in reply.headers
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}
        ]
        lines.append(f"Content-Length: {len(reply.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
        body = b"" if self.command == "HEAD" else reply.body
        with contextlib.suppress(ConnectionError):
            self.wfile.write(head + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gives it
        """Write nothing: the calls are counted, and `/_imdsctl/calls` shows them."""
