"""Systems Manager Automation: starting executions of runbooks, following and stopping them.

An execution on several accounts or regions is started in the caller's own account, which is
Automation's administration account, in the region of the caller's settings. The children are read
in their own accounts, like everything else there.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, failed, unreadable
from imdsctl.model.automation import ENFORCE, GOOD, OVER, Execution, Order, Target
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.ports import Done, Outcome

Row = Mapping[str, Any]

_SKEW: Final = timedelta(minutes=5)
_ENDED: Final = "InvalidAutomationStatusUpdateException"
_PREFIX: Final = re.compile(r"^Step fails when it is [^.]*\.\s*")
_SUFFIX: Final = re.compile(
    r"\s*Please refer to Automation Service Troubleshooting Guide for more diagnosis details\.?\s*$"
)


class AwsAutomation:
    """The `Automation` port over the Systems Manager API."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def start(self, order: Order) -> Outcome:
        """StartAutomationExecution. Result: `execution`, `account` and `region` of it."""
        cell = self._home(order)
        try:
            answer = self._clients.change(
                cell, "ssm", "StartAutomationExecution", **self._request(order)
            )
        except AWS_ERRORS as problem:
            return failed(problem)
        return Done(
            {
                "execution": answer["AutomationExecutionId"],
                "account": cell.account,
                "region": cell.region,
            }
        )

    def find(
        self, order: Order, since: datetime, known: Collection[str]
    ) -> Execution | Unreadable | None:
        """The execution that does what `order` asks for; see `ports.Automation.find`.

        AWS shows no client tokens, so it is recognised by its runbook, parameters and targets.
        """
        cell = self._home(order)
        request = self._request(order)
        after = (since - _SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        filters = [
            {"Key": "DocumentNamePrefix", "Values": [order.document]},
            {"Key": "StartTimeAfter", "Values": [after]},
        ]
        try:
            for row in self._executions(cell, filters):
                name = row["AutomationExecutionId"]
                if row.get("ParentAutomationExecutionId") or name in known:
                    continue
                if _is_asked_for(self._get(cell, name), request):
                    return self.watch(cell, name, order)
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "DescribeAutomationExecutions", problem)
        return None

    def watch(self, cell: Cell, execution: str, order: Order) -> Execution | Unreadable:
        """How an execution and each of its targets stand; why they failed, once it has ended."""
        try:
            row = self._get(cell, execution)
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "GetAutomationExecution", problem)
        status = str(row["AutomationExecutionStatus"])
        targets: dict[str, Target] = {}
        unread: list[str] = []
        if len(order.resources()) == 1:
            targets[order.resources()[0]] = _target(row)
        for place in order.targets if not targets else ():
            try:
                parent = execution
                if len(order.targets) > 1:
                    parent = self._child(place, execution, targets, order.targets[place])
                if parent:
                    targets |= self._targets(place, parent, over=status in OVER)
            except AWS_ERRORS as problem:
                found = self._unreadable(place, "DescribeAutomationExecutions", problem)
                unread.append(f"{place}: {found.why}")
        return Execution(
            id=execution,
            cell=cell,
            status=status,
            message=_plain(row.get("FailureMessage", "")),
            targets=targets,
            unread=unread,
        )

    def stop(self, cell: Cell, execution: str) -> Outcome:
        """StopAutomationExecution (Cancel); one that has ended already is no refusal."""
        try:
            self._clients.change(
                cell,
                "ssm",
                "StopAutomationExecution",
                AutomationExecutionId=execution,
                Type="Cancel",
            )
        except AWS_ERRORS as problem:
            return Done() if code_of(problem) == _ENDED else failed(problem)
        return Done()

    # --- what is asked for ---------------------------------------------------------------------
    def _home(self, order: Order) -> Cell:
        """Where an execution is started."""
        if len(order.targets) == 1:
            return next(iter(order.targets))
        return Cell(self._clients.caller()[0], self._clients.home_region)

    def _request(self, order: Order) -> dict[str, Any]:
        """The parameters of StartAutomationExecution; the same for the same order."""
        parameters = {name: [value] for name, value in order.parameters.items()}
        if arn := self._assumed(order):
            parameters["AutomationAssumeRole"] = [arn]
        request: dict[str, Any] = {
            "DocumentName": order.document,
            "Parameters": parameters,
            "ClientToken": order.token,
        }
        resources = order.resources()
        if len(resources) == 1:
            parameters["InstanceId"] = resources
            return request
        request["TargetParameterName"] = "InstanceId"
        if len(order.targets) == 1:
            limits = {"MaxConcurrency": order.max_concurrency, "MaxErrors": order.max_errors}
            return {**request, "Targets": _values(resources), **limits}
        share = _share(order.max_concurrency, len(order.targets))
        # Each place has instances of its own, so each has an entry of its own.
        request["TargetLocations"] = [
            {
                "Accounts": [cell.account],
                "Regions": [cell.region],
                "TargetLocationMaxConcurrency": "1",
                "TargetLocationMaxErrors": "0",
                **({"ExecutionRoleName": order.role} if order.role else {}),
                "Targets": _values(ids),
                "TargetsMaxConcurrency": share,
                "TargetsMaxErrors": order.max_errors,
            }
            for cell, ids in order.targets.items()
        ]
        return request

    def _assumed(self, order: Order) -> str:
        """The ARN of AutomationAssumeRole, or nothing where the caller's permissions are used."""
        role = order.role
        if len(order.targets) > 1:
            role = order.administration_role or (role if order.document == ENFORCE else None)
        if not role:
            return ""
        partition = self._clients.caller()[1].split(":")[1]
        return f"arn:{partition}:iam::{self._home(order).account}:role/{role.lstrip('/')}"

    # --- what is read --------------------------------------------------------------------------
    def _get(self, cell: Cell, execution: str) -> Row:
        answer = self._clients.read(
            cell, "ssm", "GetAutomationExecution", AutomationExecutionId=execution
        )
        row: Row = answer["AutomationExecution"]
        return row

    def _executions(self, cell: Cell, filters: list[dict[str, Any]]) -> Iterator[Row]:
        for page in self._clients.pages(
            cell, "ssm", "DescribeAutomationExecutions", Filters=filters
        ):
            yield from page["AutomationExecutionMetadataList"]

    def _children(self, cell: Cell, parent: str) -> Iterator[Row]:
        return self._executions(cell, [{"Key": "ParentExecutionId", "Values": [parent]}])

    def _child(self, cell: Cell, parent: str, targets: dict[str, Target], ids: list[str]) -> str:
        """The child of a parent in one place; where it failed as a whole, so did its targets."""
        for row in self._children(cell, parent):
            name = str(row["AutomationExecutionId"])
            if row.get("AutomationExecutionStatus") in OVER - GOOD and row.get("FailureMessage"):
                whole = Target(
                    status="Failed", execution=name, message=_plain(row["FailureMessage"])
                )
                targets.update(dict.fromkeys(ids, whole))
            return name
        return ""

    def _targets(self, cell: Cell, parent: str, *, over: bool) -> dict[str, Target]:
        found: dict[str, Target] = {}
        for row in self._children(cell, parent):
            status = row["AutomationExecutionStatus"]
            if over and status not in GOOD:
                row = {**row, **self._get(cell, row["AutomationExecutionId"])}  # noqa: PLW2901
            found[str(row.get("Target", ""))] = _target(row)
        return found

    def _unreadable(self, cell: Cell, what: str, problem: Exception) -> Unreadable:
        own = self._clients.accounts.is_own(cell.account)
        return unreadable(cell, f"ssm:{what}", problem, own=own)


def _values(resources: list[str]) -> list[dict[str, Any]]:
    return [{"Key": "ParameterValues", "Values": resources}]


def _share(concurrency: str, places: int) -> str:
    """What one of several places may do at a time; a percentage is one of its own targets."""
    if concurrency.endswith("%"):
        return concurrency
    return str(max(1, int(concurrency) // places))


def _target(row: Row) -> Target:
    steps = [s for s in row.get("StepExecutions", ()) if s.get("FailureMessage")]
    step = steps[-1] if steps else {}
    return Target(
        status=str(row["AutomationExecutionStatus"]),
        execution=str(row["AutomationExecutionId"]),
        step=str(step.get("StepName", "")),
        message=_plain(step.get("FailureMessage") or row.get("FailureMessage", "")),
    )


def _plain(message: str) -> str:
    """AWS's message without what it says around every message."""
    return _SUFFIX.sub("", _PREFIX.sub("", message))


def _is_asked_for(row: Row, request: Row) -> bool:
    """Whether an execution does what a request asks for."""
    parameters = row.get("Parameters", {})
    if any(parameters.get(k) != v for k, v in request["Parameters"].items()):
        return False
    return (
        row.get("Targets", []) == request.get("Targets", [])
        and _places(row) == _places(request)
        and row.get("TargetParameterName") == request.get("TargetParameterName")
    )


def _places(row: Row) -> list[Any]:
    return [
        [one.get("Accounts"), one.get("Regions"), one.get("Targets")]
        for one in row.get("TargetLocations", ())
    ]
