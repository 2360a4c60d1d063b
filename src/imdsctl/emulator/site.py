"""What the emulator answers on the service's own address."""

import os
import random
import time
from dataclasses import replace
from typing import ClassVar

from imdsctl.emulator.calls import LONGEST_PATH, LONGEST_USER_AGENT, Call, Calls, printable
from imdsctl.emulator.connection import Reply
from imdsctl.emulator.packets import PacketBudget, packets_of, retransmission
from imdsctl.emulator.settings import Behaviour, Fault
from imdsctl.imds.decide import TOKEN_HEADER, kind_of
from imdsctl.imds.message import Headers, Request, Response
from imdsctl.imds.pages import HTML, SERVER, error_page
from imdsctl.imds.service import Service
from imdsctl.imds.times import http_date
from imdsctl.imds.tokens import ENTROPY_BYTES


class MetadataSite:
    """The metadata service with its faults and counters.

    Args:
        service: the protocol; it decides every answer.
        behaviour: what goes wrong; replace it to change that.
        calls: where every request is noted.
        seed: for the draw of faults.
    """

    max_body: ClassVar[int] = 0

    def __init__(
        self, service: Service, behaviour: Behaviour, calls: Calls, seed: int | None = None
    ) -> None:
        self.service = service
        self.calls = calls
        self._draw = random.Random(seed)  # noqa: S311 - decides which requests fail, no secret
        self._budget: PacketBudget | None = None
        self.behaviour = behaviour

    @property
    def behaviour(self) -> Behaviour:
        """How the service misbehaves from the next request on."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        rate = behaviour.packets_per_second
        if rate is None:
            self._budget = None
        elif self._budget is None or self._budget.per_second != rate:
            self._budget = PacketBudget(rate, time.monotonic())

    def accepts(self, *, ipv6: bool) -> bool:
        """Over IPv6 only where the instance's options say so."""
        return not ipv6 or self.service.options.ipv6_enabled

    def hold(self, size: int, attempt: int, *, first: bool) -> float:
        """Until when the packets of a request are lost to the throttle."""
        if self._budget is None:
            return 0.0
        if self._budget.take(packets_of(size, first=first), time.monotonic()):
            return 0.0
        return retransmission(attempt)

    def reply(self, request: Request, body: bytes, peer: str) -> Reply:
        """What the service answers, unless a fault was drawn."""
        now = time.time()
        delay = self._behaviour.latency
        if self._behaviour.faults:
            version = kind_of(
                request.method, request.path, has_token=TOKEN_HEADER in request.headers
            )
            fault = self._fault(version)
            if fault is not None:
                reply = _faulty(fault, request.method, now)
                status = reply.response.status if reply.response else None
                self._note(request, version, status, peer, "fault", None, now)
                return replace(reply, delay=delay)
        entropy = os.urandom(ENTROPY_BYTES) if request.method == "PUT" else b""
        answer = self.service.answer(request, now, entropy)
        status = answer.response.status
        self._note(request, answer.kind, status, peer, answer.rule, answer.counted, now)
        limit = self.service.options.http_put_response_hop_limit if answer.hop_limited else None
        return Reply(answer.response, limit, delay)

    def lost(self) -> None:
        """A token's answer never arrived."""
        self.calls.lose()

    def _fault(self, version: str) -> Fault | None:
        drawn = self._draw.random()
        for fault in self._behaviour.faults:
            if fault.only in ("", version):
                drawn -= fault.share
                if drawn < 0:
                    return fault
        return None

    def _note(
        self,
        request: Request,
        version: str,
        status: int | None,
        peer: str,
        rule: str,
        counted: str | None,
        now: float,
    ) -> None:
        path = printable(request.path, LONGEST_PATH)
        agent = printable(request.headers.get("User-Agent") or "", LONGEST_USER_AGENT)
        call = Call(now, request.method, path, version, status, agent, peer, rule)
        self.calls.add(call, counted)


def _faulty(fault: Fault, method: str, now: float) -> Reply:
    if fault.what == "reset":
        return Reply(None, reset=True)
    if fault.what == "timeout":
        return Reply(None)
    status = int(fault.what)
    page = error_page(status)
    fields = [
        ("Content-Type", HTML),
        ("Content-Length", str(len(page))),
        ("Date", http_date(now)),
        ("Server", SERVER),
        ("Connection", "close"),
    ]
    return Reply(Response(status, Headers(fields), b"" if method == "HEAD" else page))
