"""An execution of a runbook: one instance, step by step, in simulated time."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from imdsctl.simulator.ssm.automation_documents import Document, content_of
from imdsctl.simulator.ssm.automation_steps import Acting, StepFailedError, perform, resolved
from imdsctl.simulator.world import current

OVER: Final = frozenset({"Success", "Failed", "Cancelled", "TimedOut"})
"""The statuses in which an execution of these runbooks ends."""

_START_SECONDS: Final = 1.0
_CANCEL_SECONDS: Final = 2.0
_TRY_AGAIN_SECONDS: Final = 5.0
_TRIES: Final = 5


@dataclass(slots=True)
class Step:
    """One step as the API shows it (StepExecution)."""

    name: str
    action: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pending"
    started: datetime | None = None
    ended: datetime | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    failure: str = ""
    stage: str = ""
    kind: str = ""
    next_step: str = ""
    location: Mapping[str, Any] | None = None

    def view(self) -> dict[str, Any]:
        """As the API answers it; members that do not apply are absent."""
        failed = {
            "FailureMessage": self.failure,
            "FailureDetails": {"FailureStage": self.stage, "FailureType": self.kind},
        }
        known = {
            "ExecutionStartTime": self.started,
            "ExecutionEndTime": self.ended,
            "Inputs": self.inputs,
            "Outputs": self.outputs,
            "NextStep": self.next_step,
            "TargetLocation": self.location,
            "ResponseCode": "0" if self.status == "Success" else "",
        }
        return {
            "StepName": self.name,
            "Action": self.action,
            "StepStatus": self.status,
            "StepExecutionId": self.id,
            "OnFailure": "Abort",
            **(failed if self.failure else {}),
            **{key: value for key, value in known.items() if value},
        }


@dataclass(eq=False, slots=True, kw_only=True)
class Execution:
    """What every execution has, whether it runs steps itself or has others run them.

    Args:
        document: the runbook's name.
        values: the parameters' values by name, defaults among them.
        given: those that were supplied, as the API takes them.
        acting: where it runs and in whose name.
        settled: called once when it has ended.
        gate: says, when its turn comes, why it cannot begin; nothing if it can.
        request: what was asked for, to recognise a repeated request.
    """

    document: str
    values: dict[str, str]
    given: dict[str, list[str]]
    acting: Acting
    mode: str = "Auto"
    parent: "Execution | None" = None
    target: str = ""
    settled: Callable[[], None] = lambda: None
    gate: Callable[[], str] = lambda: ""
    request: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pending"
    started: datetime = field(default_factory=lambda: current().now)
    ended: datetime | None = None
    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    failure: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    def begin(self) -> None:
        """Schedule the beginning."""
        raise NotImplementedError

    def may_begin(self) -> bool:
        """Whether it begins now; where the gate says no, it fails."""
        if self.status != "Pending":
            return False
        if why := self.gate():
            self.end("Failed", why)
            return False
        self.status = "InProgress"
        return True

    def stop(self, kind: str) -> None:
        """StopAutomationExecution: `Cancel`, or `Complete` what runs already."""
        raise NotImplementedError

    def end(self, status: str, failure: str = "") -> None:
        """End it, and tell whoever waits."""
        if self.over:
            return
        self.status, self.failure, self.ended = status, failure, current().now
        self.settled()

    def counters(self) -> dict[str, int]:
        """ProgressCounters."""
        states = [step.status for step in self.steps]
        return {
            "TotalSteps": len(states),
            "SuccessSteps": states.count("Success"),
            "FailedSteps": states.count("Failed"),
            "CancelledSteps": states.count("Cancelled"),
            "TimedOutSteps": states.count("TimedOut"),
        }


@dataclass(eq=False, slots=True, kw_only=True)
class Single(Execution):
    """A simple execution: its runbook's steps, one after the other."""

    _tries: int = 0

    def begin(self) -> None:
        """Schedule the first step for a moment from now."""
        current().after(_START_SECONDS, self._first)

    def stop(self, kind: str) -> None:
        """Cancel: the step under way is the last one. Complete lets an execution run to its end."""
        if kind == "Cancel":
            self.status = "Cancelling"
            current().after(_CANCEL_SECONDS, self._cancelled)

    def _cancelled(self) -> None:
        for step in self.steps:
            if step.status in {"Pending", "InProgress"}:
                step.status, step.ended = "Cancelled", current().now
        self.end("Cancelled", "Automation execution is cancelled by the user.")

    def _first(self) -> None:
        if self.may_begin():
            self._step(self._content["mainSteps"][0])

    @property
    def _content(self) -> Document:
        content = content_of(self.document)
        assert content is not None
        return content

    def _step(self, definition: Document) -> None:
        if self.status != "InProgress":
            return
        step = Step(definition["name"], definition["action"], started=current().now)
        step.status = "InProgress"
        step.inputs = {
            key: str(value) for key, value in resolved(definition["inputs"], self.values).items()
        }
        self.steps.append(step)
        self._tries = 0
        self._try(definition, step)

    def _try(self, definition: Document, step: Step) -> None:
        if self.over:
            return
        try:
            done = perform(definition, self.values, self.acting)
        except StepFailedError as problem:
            self._tries += 1
            if problem.again and self._tries < _TRIES:
                current().after(_TRY_AGAIN_SECONDS, lambda: self._try(definition, step))
                return
            step.status, step.ended = "Failed", current().now
            step.failure, step.stage, step.kind = str(problem), problem.stage, problem.kind
            self.end("Failed", str(problem))
            return
        step.outputs, step.next_step = done.outputs, done.next_step or ""
        current().after(done.seconds, lambda: self._after(step))

    def _after(self, step: Step) -> None:
        if self.over:
            return
        step.status, step.ended = "Success", current().now
        if step.next_step:
            steps = self._content["mainSteps"]
            self._step(next(one for one in steps if one["name"] == step.next_step))
            return
        shown = self._content.get("outputs", ())
        self.outputs = {
            f"{one.name}.{key}": value
            for one in self.steps
            for key, value in one.outputs.items()
            if f"{one.name}.{key}" in shown
        }
        if self.status == "InProgress":
            self.end("Success")
