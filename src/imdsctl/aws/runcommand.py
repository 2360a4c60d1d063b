"""Scripts on instances by Systems Manager's Run Command.

Systems Manager API Reference: SendCommand takes 50 instances, GetCommandInvocation gives the first
24,000 characters of what a script printed.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from imdsctl.aws.batches import in_batches
from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, failed, unreadable
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.ports import Done, HostOutput, Managed, Outcome

DOCUMENT: Final = "AWS-RunShellScript"
MOST: Final = 50
"""Instances that one SendCommand takes."""

_FILTERED: Final = 100  # values in one filter of DescribeInstanceInformation
_COMMENT: Final = 100  # characters
_SHORTEST_DELIVERY: Final = 30  # seconds
_ENDED: Final = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})
# Of an invocation that was made just now, and of one that AWS has forgotten.
_UNKNOWN: Final = "InvocationDoesNotExist"


class AwsHosts:
    """The `Hosts` port over Systems Manager."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def managed(self, cell: Cell, ids: Sequence[str]) -> dict[str, Managed] | Unreadable:
        """Those of `ids` that Systems Manager manages (DescribeInstanceInformation)."""
        found: dict[str, Managed] = {}
        for some in in_batches(dict.fromkeys(ids), _FILTERED):
            wanted = [{"Key": "InstanceIds", "Values": some}]
            try:
                for page in self._clients.pages(
                    cell, "ssm", "DescribeInstanceInformation", Filters=wanted
                ):
                    for row in page["InstanceInformationList"]:
                        found[row["InstanceId"]] = Managed(
                            id=row["InstanceId"],
                            ping=row.get("PingStatus", "unknown"),
                            agent=row.get("AgentVersion", ""),
                            platform=row.get("PlatformType", ""),
                        )
            except AWS_ERRORS as problem:
                return self._unreadable(cell, "DescribeInstanceInformation", problem)
        return found

    def send(
        self, cell: Cell, ids: Sequence[str], script: str, *, seconds: int, note: str
    ) -> Outcome:
        """SendCommand, once; one host's failure must not keep the script from the others."""
        try:
            answer = self._clients.change(
                cell,
                "ssm",
                "SendCommand",
                DocumentName=DOCUMENT,
                InstanceIds=list(ids),
                Comment=note[:_COMMENT],
                TimeoutSeconds=max(_SHORTEST_DELIVERY, seconds),
                MaxErrors="100%",
                Parameters={"commands": script.splitlines(), "executionTimeout": [str(seconds)]},
            )
        except AWS_ERRORS as problem:
            return failed(problem)
        return Done({"command": answer["Command"]["CommandId"]})

    def sent(self, cell: Cell, note: str, since: datetime) -> str | Unreadable | None:
        """The command with this note, looked for among those since then."""
        filters = [
            {"key": "InvokedAfter", "value": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"},
            {"key": "DocumentName", "value": DOCUMENT},
        ]
        try:
            for page in self._clients.pages(cell, "ssm", "ListCommandInvocations", Filters=filters):
                for row in page["CommandInvocations"]:
                    if row.get("Comment") == note[:_COMMENT]:
                        return str(row["CommandId"])
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "ListCommandInvocations", problem)
        return None

    def collect(
        self, cell: Cell, command: str, ids: Sequence[str]
    ) -> dict[str, HostOutput] | Unreadable:
        """One list of who has ended, then the output of each of those that are asked for."""
        found: dict[str, HostOutput] = {}
        try:
            ended = {
                row["InstanceId"]
                for page in self._clients.pages(
                    cell, "ssm", "ListCommandInvocations", CommandId=command
                )
                for row in page["CommandInvocations"]
                if row.get("Status") in _ENDED
            }
            for instance in ids:
                if instance in ended and (one := self._one(cell, command, instance)) is not None:
                    found[instance] = one
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "GetCommandInvocation", problem)
        return found

    def _one(self, cell: Cell, command: str, instance: str) -> HostOutput | None:
        try:
            row = self._clients.read(
                cell, "ssm", "GetCommandInvocation", CommandId=command, InstanceId=instance
            )
        except AWS_ERRORS as problem:
            if code_of(problem) == _UNKNOWN:
                return None
            raise
        return _output(row)

    def _unreadable(self, cell: Cell, what: str, problem: Exception) -> Unreadable:
        own = self._clients.accounts.is_own(cell.account)
        return unreadable(cell, f"ssm:{what}", problem, own=own)


def _output(row: dict[str, Any]) -> HostOutput:
    # StatusDetails tells a script that ran too long from a host that was never reached.
    detail = str(row.get("StatusDetails") or row.get("Status", ""))
    return HostOutput(
        status=re.sub(r"[^A-Za-z ]", "", detail),
        code=int(row.get("ResponseCode", -1)),
        text=str(row.get("StandardOutputContent", "")),
        started_at=_time(row.get("ExecutionStartDateTime")),
        ended_at=_time(row.get("ExecutionEndDateTime")),
    )


def _time(text: str | None) -> datetime | None:
    """A time as GetCommandInvocation writes it: text, in UTC, with an offset or with none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
