"""The Automation calls of the API, and the Amazon-owned runbooks among the documents."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from moto.core.responses import ActionResult

from imdsctl.simulator import (
    _moto_env,  # noqa: F401 - must come before moto
    accounts,
)
from imdsctl.simulator.ssm import automation_start
from imdsctl.simulator.ssm.automation_book import Book, book_of
from imdsctl.simulator.ssm.automation_documents import content_of, description_of
from imdsctl.simulator.ssm.automation_execution import Execution
from imdsctl.simulator.ssm.automation_rate import Many
from imdsctl.simulator.ssm.automation_start import RefusedError

_STEPS_SHOWN: Final = 100
_MOST: Final = 50
_REQUEST: Final = (
    *("DocumentName", "DocumentVersion", "Parameters", "Mode", "TargetParameterName", "Targets"),
    *("TargetMaps", "MaxConcurrency", "MaxErrors", "TargetLocations", "Tags", "ClientToken"),
)


def _book(response: Any) -> Book:
    return book_of(response.current_account, response.region)


def start_automation_execution(self: Any) -> ActionResult:
    """StartAutomationExecution."""
    request = {k: v for k in _REQUEST if (v := self._get_param(k)) is not None}
    who = accounts.current().identity(accounts.access_key_of(self)).arn
    made = automation_start.start(self.current_account, self.region, request, who)
    return ActionResult({"AutomationExecutionId": made.id})


def get_automation_execution(self: Any) -> ActionResult:
    """GetAutomationExecution."""
    execution = _find(self)
    steps = [step.view() for step in execution.steps]
    return ActionResult(
        {
            "AutomationExecution": {
                **_common(execution),
                "StepExecutions": steps[:_STEPS_SHOWN],
                "StepExecutionsTruncated": len(steps) > _STEPS_SHOWN,
                "Parameters": execution.given,
                "ProgressCounters": execution.counters(),
                **_limits(execution),
                **({"TargetsSummary": execution.summary()} if isinstance(execution, Many) else {}),
            }
        }
    )


def describe_automation_executions(self: Any) -> ActionResult:
    """DescribeAutomationExecutions, the newest first."""
    found = list(_book(self).executions.values())[::-1]
    for wanted in self._get_param("Filters", []):
        key, values = str(wanted.get("Key")), list(wanted.get("Values") or [])
        found = [one for one in found if _matches(one, key, values)]
    rows, token = _page(self, found, lambda one: one.id)
    shown = [
        {
            **_common(one),
            **_limits(one),
            "AutomationType": "CrossAccount" if one.request.get("TargetLocations") else "Local",
        }
        for one in rows
    ]
    return ActionResult({"AutomationExecutionMetadataList": shown, "NextToken": token})


def describe_automation_step_executions(self: Any) -> ActionResult:
    """DescribeAutomationStepExecutions, in the order of their start unless reversed."""
    steps = list(_find(self).steps)
    for wanted in self._get_param("Filters", []):
        key, values = str(wanted.get("Key")), list(wanted.get("Values") or [])
        member = {
            "StepExecutionStatus": "status",
            "StepExecutionId": "id",
            "StepName": "name",
            "Action": "action",
        }.get(key)
        if member is None:
            raise RefusedError("InvalidFilterKey", f"The filter key {key} isn't valid here.")
        steps = [step for step in steps if getattr(step, member) in values]
    if self._get_param("ReverseOrder") is True:
        steps.reverse()
    rows, token = _page(self, steps, lambda step: step.id)
    return ActionResult({"StepExecutions": [row.view() for row in rows], "NextToken": token})


def stop_automation_execution(self: Any) -> ActionResult:
    """StopAutomationExecution."""
    execution = _find(self)
    kind = self._get_param("Type") or "Cancel"
    if kind not in {"Cancel", "Complete"}:
        raise RefusedError("ValidationException", f"Value '{kind}' at 'type' is unknown.")
    if execution.over or execution.status == "Cancelling":
        raise RefusedError(
            "InvalidAutomationStatusUpdateException",
            f"The execution {execution.id} is {execution.status} and cannot be stopped.",
        )
    execution.stop(kind)
    return ActionResult({})


def document_call(stock: Callable[[Any], Any], owned: Callable[[str], ActionResult]) -> Any:
    """GetDocument or DescribeDocument: Amazon's own runbooks here, all others as in moto."""

    def answer(self: Any) -> Any:
        name = str(self._get_param("Name") or "").rsplit("/", 1)[-1]
        return owned(name) if content_of(name) is not None else stock(self)

    return answer


def owned_document(name: str) -> ActionResult:
    """GetDocument of an Amazon-owned runbook."""
    return ActionResult(
        {
            "Name": name,
            "DocumentVersion": "1",
            "Status": "Active",
            "Content": json.dumps(content_of(name), indent=2),
            "DocumentType": "Automation",
            "DocumentFormat": "JSON",
        }
    )


def owned_description(name: str) -> ActionResult:
    """DescribeDocument of an Amazon-owned runbook."""
    return ActionResult({"Document": description_of(name)})


def _find(response: Any) -> Execution:
    wanted = str(response._get_param("AutomationExecutionId") or "")  # noqa: SLF001 - moto's way in
    found = _book(response).executions.get(wanted)
    if found is None:
        raise RefusedError(
            "AutomationExecutionNotFoundException",
            f"Automation execution {wanted} was not found.",
        )
    return found


def _common(execution: Execution) -> dict[str, Any]:
    """What both views of an execution show; members that do not apply are absent."""
    request = execution.request
    current = next((s for s in execution.steps if s.status == "InProgress"), None)
    many = isinstance(execution, Many)
    known = {
        "ExecutionEndTime": execution.ended,
        "FailureMessage": execution.failure,
        "Outputs": execution.outputs,
        "ParentAutomationExecutionId": execution.parent.id if execution.parent else None,
        "Target": execution.target,
        "TargetParameterName": request.get("TargetParameterName"),
        "Targets": request.get("Targets"),
        "TargetMaps": request.get("TargetMaps"),
        "CurrentStepName": current.name if current and not many else None,
        "CurrentAction": current.action if current and not many else None,
    }
    return {
        "AutomationExecutionId": execution.id,
        "DocumentName": execution.document,
        "DocumentVersion": "1",
        "AutomationExecutionStatus": execution.status,
        "ExecutionStartTime": execution.started,
        "ExecutedBy": execution.acting.who,
        "Mode": execution.mode,
        **{key: value for key, value in known.items() if value},
    }


def _limits(execution: Execution) -> dict[str, Any]:
    if not isinstance(execution, Many):
        return {}
    started = [child.target for child in execution.children if child.target]
    return {
        "MaxConcurrency": str(execution.concurrency),
        "MaxErrors": str(execution.errors),
        "ResolvedTargets": {"ParameterValues": started, "Truncated": False},
        **(
            {"TargetLocations": execution.request["TargetLocations"]}
            if execution.request.get("TargetLocations")
            else {}
        ),
    }


def _matches(execution: Execution, key: str, values: list[str]) -> bool:
    parent = execution.parent.id if execution.parent else ""
    if key == "DocumentNamePrefix":
        return any(execution.document.startswith(value) for value in values)
    if key == "ExecutionStatus":
        return execution.status in values
    if key == "ExecutionId":
        return execution.id in values
    if key == "ParentExecutionId":
        return parent in values
    if key in {"StartTimeAfter", "StartTimeBefore"}:
        try:
            bound = datetime.fromisoformat(values[0])
        except ValueError:
            raise RefusedError("InvalidFilterValue", f"{values[0]} is no time.") from None
        later = execution.started >= bound
        return later if key == "StartTimeAfter" else execution.started <= bound
    if key == "AutomationType":
        kind = "CrossAccount" if execution.request.get("TargetLocations") else "Local"
        return kind in values
    raise RefusedError("InvalidFilterKey", f"The filter key {key} isn't valid or not simulated.")


def _page(response: Any, rows: list[Any], key: Callable[[Any], str]) -> tuple[list[Any], Any]:
    """The page that a request asks for, and the token of the next one."""
    size = response._get_param("MaxResults") or _MOST  # noqa: SLF001 - moto's way in
    if not 1 <= int(size) <= _MOST:
        raise RefusedError("ValidationException", f"Value {size} at 'maxResults' is not 1 to 50.")
    token = response._get_param("NextToken")  # noqa: SLF001
    start = 0
    if token:
        try:
            after = base64.urlsafe_b64decode(token.encode()).decode()
            start = next(n for n, row in enumerate(rows, 1) if key(row) == after)
        except (binascii.Error, UnicodeDecodeError, StopIteration):
            raise RefusedError("InvalidNextToken", f"The token {token} is invalid.") from None
    chosen = rows[start : start + int(size)]
    more = start + int(size) < len(rows)
    return chosen, base64.urlsafe_b64encode(key(chosen[-1]).encode()).decode() if more else None
