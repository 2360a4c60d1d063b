"""What travels: requests, responses and their headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

REASONS = {
    200: "OK",
    301: "Moved Permanently",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Not Allowed",
    503: "Service Unavailable",
}
"""Reason phrases in the service's own words: 405 is `Not Allowed` there."""


class Headers:
    """Header fields in the order they came, found whatever their case.

    A name may stand more than once; `get` joins the values with commas, as RFC 9110 reads them.
    """

    __slots__ = ("_by_name", "_fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)
        by_name: dict[str, str] = {}
        for name, value in self._fields:
            low = name.lower()
            by_name[low] = f"{by_name[low]}, {value}" if low in by_name else value
        self._by_name = by_name

    def get(self, name: str) -> str | None:
        """The value of a field (several joined with commas), None where it is absent."""
        return self._by_name.get(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._by_name == other._by_name

    def __hash__(self) -> int:
        return hash(frozenset(self._by_name.items()))

    def __repr__(self) -> str:
        # Names only: a value may be a session token.
        return f"Headers({', '.join(name for name, _ in self._fields)})"

    def raw(self) -> list[tuple[bytes, bytes]]:
        """The fields as bytes, the form h11 and asyncio servers write."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._fields]


NO_HEADERS = Headers()


@dataclass(frozen=True)
class Request:
    """One request: the method as sent, the target of the request line, the header fields.

    A body is never looked at by the service, so none is kept.
    """

    method: str
    target: str
    headers: Headers = NO_HEADERS

    @classmethod
    def of(cls, method: str, target: str, *fields: tuple[str, str]) -> Request:
        """A request with these header fields."""
        return cls(method, target, Headers(fields))

    @property
    def path(self) -> str:
        """The target without query, and without scheme and host where a proxy client sent them."""
        return path_of(self.target)


def path_of(target: str) -> str:
    """The path of a request target: absolute form and query removed, never empty."""
    low = target[:8].lower()
    for scheme in ("http://", "https://"):
        if low.startswith(scheme):
            slash = target.find("/", len(scheme))
            target = "/" if slash < 0 else target[slash:]
            break
    for mark in ("?", "#"):
        target = target.split(mark, 1)[0]
    return target or "/"


@dataclass(frozen=True)
class Response:
    """One response: status, header fields, and the body (empty in the answer to a HEAD)."""

    status: int
    headers: Headers
    body: bytes = field(default=b"", repr=False)  # it may be a token, or credentials

    @property
    def reason(self) -> str:
        """The reason phrase of the status line."""
        return REASONS[self.status]

    def to_bytes(self, version: str = "HTTP/1.1") -> bytes:
        """The whole response as it goes onto the wire."""
        head = [f"{version} {self.status} {self.reason}"]
        head += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + self.body
