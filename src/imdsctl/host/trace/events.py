"""What a method of tracing sees, in its order; the same words whichever method it is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, Union


class Who(NamedTuple):
    """Whose socket it is.

    Attributes:
        pid: the process, 0 where it is not known.
        uid: the user's number.
        comm: the process's name, empty where it is not known.
        cgroup: the kernel's number of its cgroup (v2), 0 where it is not known.
        started: when, in nanoseconds of CLOCK_BOOTTIME; 0 where it is not known.
        image: another number after each exec; 0 where it is not known.
        open_before: the socket was there before the trace began.
    """

    pid: int = 0
    uid: int = 0
    comm: str = ""
    cgroup: int = 0
    started: int = 0
    image: int = 0
    open_before: bool = False


class Parent(NamedTuple):
    """A process above; `started` as in Who."""

    pid: int
    comm: str
    started: int


class Opened(NamedTuple):
    """A process connects to the metadata service.

    Attributes:
        at: when, in nanoseconds of CLOCK_MONOTONIC.
        key: of the connection.
        who: does so.
        exe: its program file, empty where the method does not tell.
        arguments: raw, None where the method does not tell; the last may be cut off.
        parents: the nearest first; None where the method does not tell.
        cut: more arguments than there was room for.
    """

    at: int
    key: Hashable
    who: Who
    exe: str = ""
    arguments: list[bytes] | None = None
    parents: list[Parent] | None = None
    cut: bool = False


class Sent(NamedTuple):
    """A piece of what a client sends.

    Attributes:
        seq: TCP's number of its first byte.
        size: bytes that were sent, of which `data` may be the beginning only.
        family: of the addresses on the wire.
    """

    at: int
    key: Hashable
    who: Who
    seq: int
    size: int
    data: bytes
    family: int


class Received(NamedTuple):
    """The beginning of an answer: twelve bytes, nothing of a body."""

    at: int
    key: Hashable
    seq: int
    data: bytes


class Closed(NamedTuple):
    """The connection ends while an answer is awaited."""

    at: int
    key: Hashable


Event = Union[Opened, Sent, Received, Closed]  # noqa: UP007 - evaluated by Python 3.9


class Lost(NamedTuple):
    """Events that there was no room for, exactly.

    Attributes:
        opened: connects: of these, program and arguments may be missing.
        sent: pieces of requests: requests that were made and are not in the trace.
        received: answers: requests whose status is missing.
        closed: ends of connections.
    """

    opened: int = 0
    sent: int = 0
    received: int = 0
    closed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


class CannotTraceError(Exception):
    """A method does not work here; the message says why, in words for whoever asked for it."""
