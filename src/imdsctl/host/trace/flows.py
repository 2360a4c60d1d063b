"""Events of connections come in; the requests that they are, each with its answer, go out.

Pieces can be split, repeated, pipelined or missing. A request is done when its answer begins, when
its connection ends, or when nobody answered it for a while.
"""

from __future__ import annotations

import socket
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from imdsctl.host.trace.events import Closed, Event, Opened, Received, Sent, Who
from imdsctl.imds.classify import RequestDecoder, SeenRequest, status_of

PATIENCE = 5.0
"""Seconds after which a request counts as unanswered; clients give up after one, most of them."""

ADDRESSES: dict[int, str] = {socket.AF_INET: "169.254.169.254", socket.AF_INET6: "fd00:ec2::254"}
_MOST_FLOWS = 20_000
_MOST_PENDING = 1000
_FIRST_FINAL = 200
_NANO = 1_000_000_000
_HALF_CLOSED = 2_000_000
_GONE = 50_000_000
"""Nanoseconds in which a client that ended its own side may still be answered: before somebody's
next request, and when nothing else happens."""

_WRAP = 1 << 32


@dataclass
class Call:
    """One request.

    Attributes:
        at: when its header ended, in nanoseconds of CLOCK_MONOTONIC.
        seen: what it was.
        who: asked.
        family: of the addresses on the wire.
        status: of the answer, None where none came or it was not seen.
        token_before: the last token request of the same process before it, if any.
        answered_at: when the answer began.
        done: it is settled.
    """

    at: int
    seen: SeenRequest
    who: Who
    family: int
    token_before: Call | None = None
    status: int | None = None
    answered_at: int | None = None
    done: bool = False

    @property
    def token_unanswered(self) -> bool:
        """Whether the process had asked for a token and got no answer."""
        return self.token_before is not None and self.token_before.status is None

    @property
    def dst(self) -> str:
        """The address that was asked."""
        return ADDRESSES.get(self.family, "")


@dataclass
class _Flow:
    decoder: RequestDecoder = field(default_factory=RequestDecoder)
    next_seq: int | None = None
    last_answer: int | None = None
    who: Who = field(default_factory=Who)
    family: int = 0
    pending: deque[Call] = field(default_factory=deque)
    closed_at: int | None = None


class Flows:
    """All connections; memory is bounded, however many there are."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = int(patience * _NANO)
        self._flows: OrderedDict[Hashable, _Flow] = OrderedDict()
        self._tokens: OrderedDict[tuple[int, int], Call] = OrderedDict()
        self._waiting: deque[Call] = deque()
        self._closing: deque[tuple[Hashable, _Flow]] = deque()

    def feed(self, event: Event) -> Iterator[Call]:
        """The calls that are done by this event."""
        if isinstance(event, Sent):
            yield from self._sent(event)
        elif isinstance(event, Received):
            yield from self._received(event)
        elif isinstance(event, Closed):
            flow = self._flows.get(event.key)
            if flow is not None and flow.closed_at is None:
                flow.closed_at = event.at
                self._closing.append((event.key, flow))
        elif isinstance(event, Opened):
            # The number of a socket that was connected before, as after a refused connect.
            flow = self._flows.pop(event.key, None)
            if flow is not None:
                yield from self._end(flow, event.at)

    def expire(self, now: int) -> Iterator[Call]:
        """The calls that nobody answered in time; `now` as in events."""
        yield from self._flush(now - _GONE)
        waiting = self._waiting
        while waiting and (waiting[0].done or waiting[0].at + self._patience <= now):
            call = waiting.popleft()
            if not call.done:
                call.done = True
                yield call

    def finish(self, now: int) -> Iterator[Call]:
        """All that is left, when the trace ends."""
        for flow in list(self._flows.values()):
            yield from self._end(flow, now)
        self._flows.clear()
        self._closing.clear()

    def _sent(self, event: Sent) -> Iterator[Call]:
        flow = self._flows.get(event.key)
        if flow is None:
            flow = self._flows[event.key] = _Flow()
            if len(self._flows) > _MOST_FLOWS:
                yield from self._end(self._flows.popitem(last=False)[1], event.at)
        else:
            self._flows.move_to_end(event.key)
        flow.who, flow.family = event.who, event.family
        data, begins, whole = event.data, event.seq, event.seq + event.size
        seen: list[SeenRequest] = []
        if flow.next_seq is not None:
            ahead = _signed(begins - flow.next_seq)
            if ahead > 0:
                seen += flow.decoder.lost()
            elif ahead < 0:
                data = data[-ahead:]
                if _signed(whole - flow.next_seq) <= 0:
                    return
        seen += flow.decoder.feed(data)
        if len(event.data) < event.size:
            seen += flow.decoder.lost()
        flow.next_seq = whole % _WRAP
        for one in seen:
            yield from self._begin(flow, one, event.at)

    def _begin(self, flow: _Flow, seen: SeenRequest, at: int) -> Iterator[Call]:
        process = _process(flow.who)
        call = Call(at, seen, flow.who, flow.family, self._tokens.get(process))
        if seen.version == "token":
            self._tokens[process] = call
            self._tokens.move_to_end(process)
            call.token_before = None
            if len(self._tokens) > _MOST_FLOWS:
                self._tokens.popitem(last=False)
        flow.pending.append(call)
        self._waiting.append(call)
        if len(flow.pending) > _MOST_PENDING:
            oldest = flow.pending.popleft()
            if not oldest.done:
                oldest.done = True
                yield oldest

    def _received(self, event: Received) -> Iterator[Call]:
        flow = self._flows.get(event.key)
        status = status_of(event.data)
        if flow is None or status is None or status < _FIRST_FINAL:
            return
        if flow.last_answer is not None and _signed(event.seq - flow.last_answer) <= 0:
            return  # sent again
        flow.last_answer = event.seq
        if not flow.pending:
            return
        call = flow.pending.popleft()
        if flow.closed_at is not None:
            flow.closed_at = event.at  # it had ended its own side only
        yield from self._flush(call.at - _HALF_CLOSED, by=call)
        call.status = status
        call.answered_at = event.at
        if not call.done:
            call.done = True
            yield call

    def _flush(self, before: int, by: Call | None = None) -> Iterator[Call]:
        """End the connections that were closed before a time: what was asked there is unanswered.

        And those that the process of `by` closed before it asked that: it had given up. So a
        caller's lines come out in its order, also where each is a process of its own.
        """
        if not self._closing:
            return
        kept: deque[tuple[Hashable, _Flow]] = deque()
        while self._closing:
            key, flow = self._closing.popleft()
            closed = flow.closed_at or 0
            gave_up = by is not None and closed <= by.at and _process(by.who) == _process(flow.who)
            if closed >= before and not gave_up:
                kept.append((key, flow))
                continue
            if self._flows.get(key) is flow:
                del self._flows[key]
            yield from self._end(flow, closed)
        self._closing = kept

    def _end(self, flow: _Flow, at: int) -> Iterator[Call]:
        for seen in flow.decoder.finish():
            yield from self._begin(flow, seen, at)
        for call in flow.pending:
            if not call.done:
                call.done = True
                yield call
        flow.pending.clear()


def _process(who: Who) -> tuple[int, int]:
    return who.pid, who.image


def _signed(difference: int) -> int:
    """A difference of sequence numbers, which count in 32 bits."""
    difference %= _WRAP
    return difference - _WRAP if difference >= _WRAP // 2 else difference
