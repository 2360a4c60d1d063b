"""The control endpoint: options, values, faults, counters and requests of a running emulator.

It listens on loopback and a port of its own, never where the metadata service answers, and refuses
what a web page could send.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from imdsctl.emulator.connection import Reply
from imdsctl.emulator.settings import PACKETS_PER_SECOND, Behaviour, Fault
from imdsctl.imds.decide import NO_TOKEN, NO_TOKEN_REJECTED
from imdsctl.imds.message import Headers, Request, Response

if TYPE_CHECKING:
    from imdsctl.emulator.server import Emulator

_JSON = "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_OK, _BAD, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED = 200, 400, 403, 404, 405


class ControlSite:
    """Answers the control endpoint's requests."""

    max_body: ClassVar[int] = 1_000_000

    def __init__(self, emulator: "Emulator") -> None:
        self._emulator = emulator

    def accepts(self, *, ipv6: bool) -> bool:
        """Everybody on this machine."""
        return True

    def hold(self, size: int, attempt: int, *, first: bool) -> float:
        """The throttle is not for this endpoint."""
        return 0.0

    def lost(self) -> None:
        """No answer of this endpoint is hop-limited."""

    def reply(self, request: Request, body: bytes, peer: str) -> Reply:
        """The answer to one request."""
        host = (request.headers.get("Host") or "").rsplit(":", 1)[0]
        if "Origin" in request.headers or host not in _LOCAL:
            return _error(request, _FORBIDDEN, "this endpoint is not for browsers")
        pages = {
            "/_imdsctl/options": self._options,
            "/_imdsctl/behaviour": self._behaviour,
            "/_imdsctl/values": self._values,
            "/_imdsctl/requests": self._requests,
            "/_imdsctl/metrics": self._metrics,
        }
        page = pages.get(request.path)
        if page is None:
            return _error(request, _NOT_FOUND, f"there is {', '.join(pages)}")
        method = "GET" if request.method == "HEAD" else request.method
        try:
            given = _object(body) if method in ("POST", "PUT", "PATCH") else {}
            answer = page(method, given)
        except ValueError as error:
            return _error(request, _BAD, str(error))
        if answer is None:
            return _error(request, _NOT_ALLOWED, f"{request.path} does not take {method}")
        return answer if method == request.method else _headless(answer)

    def _options(self, method: str, given: Mapping[str, Any]) -> Reply | None:
        if method == "POST":
            self._emulator.set_options(**given)
        elif method != "GET":
            return None
        return _json("emulator-options", self._emulator.service.options.members())

    def _behaviour(self, method: str, given: Mapping[str, Any]) -> Reply | None:
        site = self._emulator.site
        if method == "POST":
            site.behaviour = changed(site.behaviour, given)
        elif method != "GET":
            return None
        now = site.behaviour
        return _json(
            "emulator-behaviour",
            {
                "latency_ms": now.latency * 1000,
                "packets_per_second": now.packets_per_second,
                "faults": [str(fault) for fault in now.faults],
            },
        )

    def _values(self, method: str, given: Mapping[str, Any]) -> Reply | None:
        if method != "POST":
            return None
        changed_names = sorted(given)
        self._emulator.set_values(given)
        return _json("emulator-values", {"changed": changed_names})

    def _requests(self, method: str, given: Mapping[str, Any]) -> Reply | None:
        calls = self._emulator.calls
        if method == "DELETE":
            calls.clear()
        elif method != "GET":
            return None
        return _json(
            "emulator-requests",
            {
                "counts": {
                    "v1": calls.count("v1"),
                    "v2": calls.count("v2"),
                    "token": calls.count("token"),
                    NO_TOKEN: calls.metric(NO_TOKEN),
                    NO_TOKEN_REJECTED: calls.metric(NO_TOKEN_REJECTED),
                    "token_answers_lost": calls.lost,
                },
                "requests": [call.as_dict() for call in calls.list()],
            },
        )

    def _metrics(self, method: str, given: Mapping[str, Any]) -> Reply | None:
        if method != "GET":
            return None
        text = self._emulator.calls.prometheus(self._emulator.instance_id)
        return _reply(_OK, _METRICS, text.encode("utf-8"))


def changed(old: Behaviour, given: Mapping[str, Any]) -> Behaviour:
    """The behaviour with some members changed.

    Args:
        old: what it was.
        given: `latency_ms`, `packets_per_second` (true for AWS's number, null for no limit) and
            `faults` (a list of texts).

    Raises:
        ValueError: a member is unknown or wrong.
    """
    unknown = sorted(set(given) - {"latency_ms", "packets_per_second", "faults"})
    if unknown:
        raise ValueError(f"no such behaviour: {', '.join(unknown)}")
    latency = given.get("latency_ms", old.latency * 1000)
    rate = given.get("packets_per_second", old.packets_per_second)
    rate = (
        {True: PACKETS_PER_SECOND, False: None}.get(rate, rate) if rate in (True, False) else rate
    )
    faults = given.get("faults")
    if isinstance(latency, bool) or not isinstance(latency, (int, float)):
        raise ValueError("latency_ms is a number")  # noqa: TRY004 - all wrong input is one error
    if rate is not None and not isinstance(rate, int):
        raise ValueError("packets_per_second is a whole number, true, or null")
    if faults is not None and not (
        isinstance(faults, list) and all(isinstance(one, str) for one in faults)
    ):
        raise ValueError('faults is a list like ["503:0.1"]')
    parsed = old.faults if faults is None else tuple(Fault.parse(one) for one in faults)
    return Behaviour(latency / 1000, rate, parsed)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > ControlSite.max_body:
        raise ValueError("the body is too long")
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        raise ValueError("the body is no JSON") from None
    if not isinstance(given, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - all wrong input is one error
    return given


def _json(name: str, members: Mapping[str, Any], status: int = _OK) -> Reply:
    text = json.dumps({"schema": f"imdsctl/{name}/v1", **members})
    return _reply(status, _JSON, text.encode("utf-8") + b"\n")


def _error(request: Request, status: int, text: str) -> Reply:
    answer = _json("error", {"error": text}, status)
    return _headless(answer) if request.method == "HEAD" else answer


def _reply(status: int, content_type: str, body: bytes) -> Reply:
    fields = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Reply(Response(status, Headers(fields), body))


def _headless(reply: Reply) -> Reply:
    assert reply.response is not None
    return Reply(Response(reply.response.status, reply.response.headers))
