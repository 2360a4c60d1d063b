"""What is kept of commands and their invocations, and how the API shows it."""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from imdsctl.simulator.life import Life
from imdsctl.simulator.world import current

SHELL, POWERSHELL = "AWS-RunShellScript", "AWS-RunPowerShellScript"
PLUGINS: Final = {SHELL: "aws:runShellScript", POWERSHELL: "aws:runPowerShellScript"}
"""The documents that there are, and the plugin that each consists of."""

ENDED: Final = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})
"""The statuses after which nothing more happens."""

_LISTED: Final = 2_500


@dataclass(slots=True)
class Invocation:
    """A command on one instance. `details` is AWS's StatusDetails; `group` its process group."""

    instance: Any
    life: Life
    status: str = "Pending"
    details: str = "Pending"
    code: int = -1
    started: datetime | None = None
    ended: datetime | None = None
    out: str = ""
    err: str = ""
    group: int | None = None

    def finish(self, status: str, details: str | None = None, code: int = -1) -> None:
        """Bring it to an end, now."""
        self.status, self.details, self.code = status, details or status, code
        self.ended = current().now


@dataclass(slots=True)
class Command:
    """A command and its invocations, by instance id."""

    account: str
    region: str
    document: str
    parameters: dict[str, list[str]]
    comment: str
    targets: list[dict[str, Any]]
    timeout: int
    max_concurrency: str
    max_errors: str
    requested: datetime
    invocations: dict[str, Invocation]
    cancelled: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def status(self) -> str:
        """That of all of it, from those of its invocations."""
        states = Counter(one.status for one in self.invocations.values())
        if any(state not in ENDED for state in states):
            if self.cancelled:
                return "Cancelling"
            return "Pending" if set(states) == {"Pending"} else "InProgress"
        for state in ("Cancelled", "Failed", "TimedOut"):
            if states[state]:
                return state
        return "Success"


def command_row(command: Command) -> dict[str, Any]:
    """A Command as AWS shows it."""
    states = Counter(one.status for one in command.invocations.values())
    return {
        "CommandId": command.id,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "ExpiresAfter": command.requested + timedelta(seconds=command.timeout),
        "Parameters": command.parameters,
        "InstanceIds": [] if command.targets else list(command.invocations),
        "Targets": command.targets,
        "RequestedDateTime": command.requested,
        "Status": command.status,
        "StatusDetails": command.status,
        "MaxConcurrency": command.max_concurrency,
        "MaxErrors": command.max_errors,
        "TargetCount": len(command.invocations),
        "CompletedCount": sum(count for state, count in states.items() if state in ENDED),
        "ErrorCount": states["Failed"] + states["TimedOut"],
        "DeliveryTimedOutCount": sum(
            one.details == "Undeliverable" for one in command.invocations.values()
        ),
        "TimeoutSeconds": command.timeout,
    }


def invocation_row(command: Command, one: Invocation, *, details: bool) -> dict[str, Any]:
    """A CommandInvocation as AWS shows it; with its plugin's output (2,500 characters) if asked."""
    row: dict[str, Any] = {
        "CommandId": command.id,
        "InstanceId": one.instance.id,
        "InstanceName": one.instance.private_dns_name,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "RequestedDateTime": command.requested,
        "Status": one.status,
        "StatusDetails": one.details,
        "CommandPlugins": [],
    }
    if details:
        text = one.out + (f"\n----------ERROR-------\n{one.err}" if one.err else "")
        plugin: dict[str, Any] = {
            "Name": PLUGINS[command.document],
            "Status": one.status,
            "StatusDetails": one.details,
            "ResponseCode": one.code,
            "Output": text[:_LISTED],
        }
        if one.started is not None:
            plugin["ResponseStartDateTime"] = one.started
        if one.ended is not None:
            plugin["ResponseFinishDateTime"] = one.ended
        row["CommandPlugins"] = [plugin]
    return row


def stamp(when: datetime | None) -> str:
    """As GetCommandInvocation writes times: ISO 8601 in UTC, empty for none."""
    return "" if when is None else f"{when:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def elapsed(one: Invocation) -> str:
    """How long it took, as an ISO 8601 duration; empty where it has not ended."""
    if one.started is None or one.ended is None:
        return ""
    return f"PT{(one.ended - one.started).total_seconds():g}S"
