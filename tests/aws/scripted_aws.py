"""A scripted AWS: a real HTTP server that answers each operation as the test wrote it down."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from imdsctl.model.evidence import Cell

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
OWN, OTHER = "111111111111", "222222222222"
CELL = Cell(OWN, "eu-west-1")


class Asked(NamedTuple):
    operation: str
    parameters: dict[str, Any]
    access_key: str


class Reply(NamedTuple):
    body: str | bytes = ""
    status: int = 200
    content_type: str = "text/xml"
    fault: str = ""  # "drop": the connection closes with no answer; "hang": for a second


def error(code: str, status: int = 400, message: str = "no") -> Reply:
    """An EC2 error answer."""
    return Reply(
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        "</Errors><RequestID>r</RequestID></Response>",
        status,
    )


def query_error(code: str, status: int = 400, message: str = "no") -> Reply:
    """An error answer of Auto Scaling or STS."""
    return Reply(
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}"
        "</Message></Error><RequestId>r</RequestId></ErrorResponse>",
        status,
    )


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value), status, "application/x-amz-json-1.0")


def instances_page(ids: list[str], token: str = "") -> Reply:
    rows = "".join(
        f"<item><instancesSet><item><instanceId>{i}</instanceId><imageId>ami-1</imageId>"
        "<instanceState><code>16</code><name>running</name></instanceState>"
        "<launchTime>2026-01-02T03:04:05.000Z</launchTime></item></instancesSet></item>"
        for i in ids
    )
    more = f"<nextToken>{token}</nextToken>" if token else ""
    return Reply(
        f'<DescribeInstancesResponse xmlns="{EC2}"><requestId>r</requestId>'
        f"<reservationSet>{rows}</reservationSet>{more}</DescribeInstancesResponse>"
    )


IDENTITY = Reply(
    "<GetCallerIdentityResponse><GetCallerIdentityResult>"
    f"<Arn>arn:aws:iam::{OWN}:user/operator</Arn><UserId>u</UserId><Account>{OWN}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def assumed(access_key: str, expires_in: float = 3600) -> Reply:
    until = (datetime.now(UTC) + timedelta(seconds=expires_in)).isoformat()
    return Reply(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>"
        f"<SessionToken>assumed-token</SessionToken><Expiration>{until}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


class ScriptedAws:
    """Answers of each operation in their order; the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: dict[str, list[Reply]] = {
            "GetCallerIdentity": [IDENTITY],
            "ListMetrics": [json_reply({"__type": "AccessDenied", "message": "not listed"}, 403)],
        }

    def answers(self, operation: str, *replies: Reply) -> None:
        self.script[operation] = list(replies)

    def operations(self) -> list[str]:
        return [asked.operation for asked in self.asked if asked.operation != "GetCallerIdentity"]

    def reply(self, operation: str) -> Reply:
        replies = self.script[operation]
        return replies.pop(0) if len(replies) > 1 else replies[0]


def handler(aws: ScriptedAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # one packet an answer, or each waits for a delayed acknowledgement

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            parameters: dict[str, Any]
            if target := self.headers.get("X-Amz-Target"):
                operation, parameters = target.rpartition(".")[2], json.loads(body)
            else:
                parameters = dict(parse_qsl(body, keep_blank_values=True))
                operation = parameters["Action"]
            scope = self.headers["Authorization"].partition("Credential=")[2]
            aws.asked.append(Asked(operation, parameters, scope.partition("/")[0]))
            reply = aws.reply(operation)
            if reply.fault == "hang":
                threading.Event().wait(1)
            if reply.fault:
                self.close_connection = True
                return
            content = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name upstream
            pass

    return Handler


class ManualClock:
    """Time that only moves when someone waits, and remembers for how long."""

    def __init__(self, now: datetime | None = None) -> None:
        self.time = now or datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
