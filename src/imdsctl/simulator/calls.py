"""What an AWS request asks for, read from the wire, and the log of what was asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qsl

from imdsctl.simulator.restcalls import operation_of

Protocol = Literal["ec2", "query", "json", "cbor", "rest"]
_SCOPE_PARTS = 5


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS API call: who asks for what, where, and in which wire protocol.

    `parameters` holds the members of form-encoded calls (EC2, Auto Scaling, STS, IAM), with the
    names of the wire (`InstanceId.1`); it is empty for the other protocols.
    """

    access_key: str
    region: str
    service: str
    operation: str
    protocol: Protocol
    account: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def _credential(headers: Mapping[str, str], query: Mapping[str, str]) -> list[str]:
    """The credential scope of Signature Version 4: key, date, region, service, terminator."""
    authorization = headers.get("authorization", "")
    _, _, rest = authorization.partition("Credential=")
    scope = rest.split(",", 1)[0].strip() or query.get("X-Amz-Credential", "")
    parts = scope.split("/")
    # An access key may hold a slash; the last four parts never do.
    return ["/".join(parts[:-4]), *parts[-4:]] if len(parts) >= _SCOPE_PARTS else []


def read_call(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Read the call out of an HTTP request.

    Args:
        method: the HTTP method.
        target: path and query of the request line.
        headers: the headers, with names in lower case.
        body: the whole body.
    """
    path, _, raw_query = target.partition("?")
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    scope = _credential(headers, query)
    access_key, region, service = (scope[0], scope[2], scope[3]) if scope else ("", "", "")

    protocol: Protocol = "rest"
    parameters: Mapping[str, str] = {}
    if amz_target := headers.get("x-amz-target"):
        operation, protocol = amz_target.rsplit(".", 1)[-1], "json"
    elif headers.get("smithy-protocol") == "rpc-v2-cbor":
        operation, protocol = path.rsplit("/", 1)[-1], "cbor"
    else:
        form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        parameters = query
        if form:
            text = body.decode("utf-8", errors="replace")
            parameters = {**query, **dict(parse_qsl(text, keep_blank_values=True))}
        operation = parameters.get("Action", "")
        if operation:
            protocol = "ec2" if service == "ec2" else "query"
        else:
            parameters = {}
            operation = operation_of(service, method, path) or f"{method} {path}"
    return Call(access_key, region, service, operation, protocol, parameters=parameters)


@dataclass(slots=True)
class _Tally:
    count: int = 0
    throttled: int = 0
    peak_per_second: int = 0
    second: int = -1
    in_second: int = 0


class CallLog:
    """Counts every AWS call by account, region and operation.

    `count` holds all calls that arrived, the throttled ones among them. `peak_per_second` is the
    most calls that arrived within one second of the simulated clock.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, str], _Tally] = {}

    def arrived(self, call: Call, now: datetime) -> None:
        """Count a call that arrived at the simulated time `now`."""
        tally = self._tally(call)
        tally.count += 1
        second = int(now.timestamp())
        if second != tally.second:
            tally.second, tally.in_second = second, 0
        tally.in_second += 1
        tally.peak_per_second = max(tally.peak_per_second, tally.in_second)

    def throttled(self, call: Call) -> None:
        """Count a call that was answered with a throttling error."""
        self._tally(call).throttled += 1

    def _tally(self, call: Call) -> _Tally:
        return self._tallies.setdefault((call.account, call.region, call.operation), _Tally())

    def view(self) -> list[dict[str, str | int]]:
        """The rows that the control endpoint shows, in a stable order."""
        return [
            {
                "account": account,
                "region": region,
                "operation": operation,
                "count": tally.count,
                "throttled": tally.throttled,
                "peak_per_second": tally.peak_per_second,
            }
            for (account, region, operation), tally in sorted(self._tallies.items())
        ]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: status, headers, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_reply(value: object, status: int = 200) -> Reply:
    """A JSON answer of the control endpoint."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, (("Content-Type", "application/json"),), body)
