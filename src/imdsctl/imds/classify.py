"""Raw bytes of a connection come in, in pieces of any size; the requests they hold go out.

What was sent can be cut anywhere, pipelined, chunked, or no HTTP at all: nothing raises, memory is
bounded, and the same bytes give the same requests however they were cut. Header values are looked
at for their names only, so no session token is ever kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imdsctl.imds.decide import TOKEN_HEADER, kind_of
from imdsctl.imds.message import path_of

MAX_LINE = 8192
"""Bytes of a line that are looked at; what is longer is read over."""

MAX_PATH = 2048
MAX_USER_AGENT = 256

NEXT = {
    ("start", "blank"): "start",
    ("start", "garbage"): "start",
    ("start", "request line"): "header",
    ("header", "field"): "header",
    ("header", "request line"): "header",
    ("header", "end, no body"): "start",
    ("header", "end, with length"): "body",
    ("header", "end, chunked"): "chunk size",
    ("body", "read"): "start",
    ("chunk size", "size"): "chunk",
    ("chunk size", "zero"): "trailer",
    ("chunk size", "blank"): "start",
    ("chunk size", "garbage"): "start",
    ("chunk size", "request line"): "header",
    ("chunk", "read"): "chunk end",
    ("chunk end", "end"): "chunk size",
    ("chunk end", "garbage"): "start",
    ("chunk end", "request line"): "header",
    ("trailer", "field"): "trailer",
    ("trailer", "end"): "start",
}
"""The decoder's states: where it goes from each, on what. The manual's diagram is drawn from it."""

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) +([^\x00-\x20\x7f]+) +HTTP/[0-9]\.[0-9]"
)
_REQUEST_BEGINNING = re.compile(
    rb"([A-Z]{3,16}) +((?:/|[Hh][Tt][Tt][Pp][Ss]?://)[^\x00-\x20\x7f]*)(?: .*)?", re.DOTALL
)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_STATUS = re.compile(rb"HTTP/[0-9]\.[0-9] ([1-5][0-9][0-9])(?![0-9])")
_TOKEN_NAME = TOKEN_HEADER.lower().encode("ascii")


@dataclass(frozen=True)
class SeenRequest:
    """One request that was seen on a connection.

    Attributes:
        method: as sent, at most 32 characters.
        path: without query, at most MAX_PATH characters; what is not printable is a `?`.
        version: `v1`, `v2` or `token`, as `decide.kind_of` tells them apart.
        user_agent: at most MAX_USER_AGENT printable characters, empty where there was none.
        complete: False where the header ended early or bytes were lost: `v1` is then a guess,
            because a token may have stood in what is missing.
    """

    method: str
    path: str
    version: str
    user_agent: str
    complete: bool


class RequestDecoder:
    """Finds the requests in one direction of one connection."""

    def __init__(self) -> None:
        self._state = "start"
        self._line = bytearray()
        self._too_long = False
        self._skip = 0
        self._seen: list[SeenRequest] = []
        self._begin("", "")

    @property
    def state(self) -> str:
        """Where the decoder stands: a state of NEXT."""
        return self._state

    def feed(self, data: bytes) -> list[SeenRequest]:
        """The requests whose headers end in `data`."""
        position = 0
        while position < len(data):
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
                position += step
                if not self._skip:
                    self._state = NEXT[self._state, "read"]
                continue
            newline = data.find(b"\n", position)
            end = len(data) if newline < 0 else newline
            room = MAX_LINE - len(self._line)
            self._line += data[position : min(end, position + room)]
            self._too_long = self._too_long or end - position > room
            position = end + 1
            if newline >= 0:
                self._end_line()
        return self._take()

    def finish(self) -> list[SeenRequest]:
        """What was begun and not ended when the connection closed, marked incomplete.

        The decoder is as new afterwards.
        """
        if self._state == "header":
            self._field(bytes(self._line))
            self._emit(complete=False)
        elif self._state == "start":
            begun = _REQUEST_BEGINNING.fullmatch(self._line)
            if begun:
                self._begin(begun[1].decode("latin-1"), begun[2].decode("latin-1"))
                self._emit(complete=False)
        self._state = "start"
        self._line.clear()
        self._too_long = False
        self._skip = 0
        return self._take()

    def lost(self) -> list[SeenRequest]:
        """Tells that bytes are missing here; reading goes on at the next request line."""
        return self.finish()

    def _take(self) -> list[SeenRequest]:
        seen, self._seen = self._seen, []
        return seen

    def _end_line(self) -> None:
        line = bytes(self._line)
        too_long = self._too_long
        self._line.clear()
        self._too_long = False
        if line.endswith(b"\r") and not too_long:
            line = line[:-1]
        self._state = NEXT[self._state, self._event(line, too_long=too_long)]

    def _event(self, line: bytes, *, too_long: bool) -> str:
        """What a line means in the state that it meets."""
        if self._state == "header":
            return self._header_line(line)
        if self._state == "trailer":
            return "field" if line else "end"
        if self._state == "chunk end" and not line:
            return "end"
        if self._state == "chunk size":
            size = _SIZE.fullmatch(line)
            if size:
                self._skip = int(size[1], 16)
                return "size" if self._skip else "zero"
        return self._start_line(line, too_long=too_long)

    def _start_line(self, line: bytes, *, too_long: bool = False) -> str:
        if not line:
            return "blank" if self._state != "chunk end" else "garbage"
        found = _REQUEST_LINE.fullmatch(line)
        if not found and too_long:
            found = _REQUEST_BEGINNING.fullmatch(line)
        if not found:
            return "garbage"
        self._begin(found[1].decode("latin-1"), found[2].decode("latin-1"))
        return "request line"

    def _header_line(self, line: bytes) -> str:
        if line:
            # No field has a name with a space in it: the rest of the header before was lost.
            found = _REQUEST_LINE.fullmatch(line)
            if found:
                self._emit(complete=False)
                self._begin(found[1].decode("latin-1"), found[2].decode("latin-1"))
                return "request line"
            self._field(line)
            return "field"
        self._emit(complete=True)
        if self._chunked:
            return "end, chunked"
        if self._length:
            self._skip = self._length
            return "end, with length"
        return "end, no body"

    def _begin(self, method: str, target: str) -> None:
        self._method = method
        self._path = _printable(path_of(target)[:MAX_PATH]) if target else ""
        self._agent = ""
        self._token = False
        self._chunked = False
        self._length: int | None = None

    def _field(self, line: bytes) -> None:
        """Takes from a header field what counts; every other value is forgotten at once."""
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t").lower()
        if not colon:
            return
        if name == _TOKEN_NAME:
            self._token = True
        elif name == b"user-agent" and not self._agent:
            text = value.strip(b" \t\r")[:MAX_USER_AGENT].decode("latin-1")
            self._agent = _printable(text)
        elif name == b"transfer-encoding":
            self._chunked = self._chunked or b"chunked" in value.lower()
        elif name == b"content-length" and self._length is None:
            digits = value.strip(b" \t")
            self._length = int(digits) if _LENGTH.fullmatch(digits) else 0

    def _emit(self, *, complete: bool) -> None:
        version = kind_of(self._method, self._path, has_token=self._token)
        self._seen.append(SeenRequest(self._method, self._path, version, self._agent, complete))


def requests_in(data: bytes) -> list[SeenRequest]:
    """All requests in the bytes of a whole connection, the last perhaps incomplete."""
    decoder = RequestDecoder()
    return decoder.feed(data) + decoder.finish()


def status_of(first_bytes: bytes) -> int | None:
    """The status code in the first twelve bytes of a response, None where there is none."""
    found = _STATUS.match(first_bytes)
    return int(found[1]) if found else None


def _printable(text: str) -> str:
    return "".join(one if " " <= one <= "~" else "?" for one in text)
