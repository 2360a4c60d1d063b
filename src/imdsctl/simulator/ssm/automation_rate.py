"""Executions that have others do the work: rate control over targets, and several locations.

Sources: Systems Manager User Guide, "Control automations at scale" and "Running automations in
multiple AWS Regions and accounts"; API Reference, StartAutomationExecution and TargetLocation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imdsctl.simulator.ssm.automation_execution import Execution, Single, Step
from imdsctl.simulator.ssm.automation_steps import Acting
from imdsctl.simulator.world import current

_CANCEL_SECONDS: Final = 2.0
_START_SECONDS: Final = 1.0

Remember = Callable[[Execution], None]


def limit_of(text: str, of: int, *, errors: bool) -> int:
    """`10` or `20%` as a number; a percentage of errors is rounded down, one of targets up."""
    if not text.endswith("%"):
        return int(text)
    share = of * int(text[:-1]) / 100
    return math.floor(share) if errors else max(1, math.ceil(share))


@dataclass(eq=False, slots=True, kw_only=True)
class Many(Execution):
    """Children one beside the other, at most `concurrency` at a time, until too many have failed.

    Children that run when the last bearable error comes are allowed to complete. `waiting` makes
    the children, each when its turn comes.
    """

    waiting: list[Callable[[], Execution]]
    concurrency: int
    errors: int
    children: list[Execution] = field(default_factory=list)
    _cancelled: bool = False
    _no_more: bool = False

    def begin(self) -> None:
        """Schedule the first children for a moment from now."""
        current().after(_START_SECONDS, self._first)

    def _first(self) -> None:
        if self.may_begin():
            self._go_on()

    def stop(self, kind: str) -> None:
        """Cancel the children too, or start no more of them."""
        self._no_more = True
        if kind == "Cancel":
            self._cancelled = True
            self.status = "Cancelling"
            for child in self.children:
                if not child.over:
                    child.stop(kind)
        # Even where nothing runs, the end comes a moment later.
        current().after(_CANCEL_SECONDS, self._go_on)

    def _go_on(self) -> None:
        if self.over:
            return
        failed = sum(child.status in {"Failed", "TimedOut"} for child in self.children)
        running = [child for child in self.children if not child.over]
        stopped = self._no_more or failed > self.errors
        while self.waiting and not stopped and len(running) < self.concurrency:
            child = self.waiting.pop(0)()
            self.children.append(child)
            self._row(child)
            running.append(child)
            child.begin()
        self._tell()
        if running or (self.waiting and not stopped):
            return
        if self._cancelled:
            self.end("Cancelled", "Automation execution is cancelled by the user.")
        elif failed > self.errors:
            self.end(
                "Failed",
                f"{failed} of {len(self.children)} executions failed; MaxErrors is {self.errors}.",
            )
        else:
            self.end("Success")

    def child_settled(self) -> None:
        """A child has ended: its place is free."""
        self._go_on()

    def _row(self, child: Execution) -> None:
        name = child.target or f"{child.acting.account}_{child.acting.region}"
        step = Step(name, "aws:executeAutomation", started=current().now)
        step.inputs = {"DocumentName": child.document}
        step.outputs = {"ExecutionId": [child.id]}
        if not child.target:
            step.location = {
                "Accounts": [child.acting.account],
                "Regions": [child.acting.region],
            }
        self.steps.append(step)

    def _tell(self) -> None:
        for step, child in zip(self.steps, self.children, strict=True):
            step.status, step.failure, step.ended = child.status, child.failure, child.ended
            if child.failure:
                step.stage, step.kind = "Invocation", "Action"

    def summary(self) -> dict[str, int]:
        """TargetsSummary."""
        states = [child.status for child in self.children]
        return {
            "TotalCount": len(self.children) + len(self.waiting),
            "StartedCount": len(states),
            "CompletedCount": sum(child.over for child in self.children),
            "SuccessfulCount": states.count("Success"),
            "FailedCount": states.count("Failed") + states.count("TimedOut"),
        }


def rate_controlled(
    base: Mapping[str, Any],
    acting: Acting,
    rows: Sequence[Mapping[str, str]],
    targets: Sequence[str],
    concurrency: str,
    errors: str,
    remember: Remember,
    **more: Any,
) -> Many:
    """An execution of one runbook on many targets in one account and region.

    Args:
        base: document, and the parameters that all children have (`values` and `given`).
        acting: where, and in whose name.
        rows: the parameters that each child has besides.
        targets: what each child is for, in the same order.
        concurrency: MaxConcurrency.
        errors: MaxErrors.
        remember: keeps each child where its account's region can find it.
        more: further members of the execution.
    """
    parent = Many(
        **base,
        acting=acting,
        waiting=[],
        concurrency=limit_of(concurrency, len(targets), errors=False),
        errors=limit_of(errors, len(targets), errors=True),
        **more,
    )

    def child(target: str, own: Mapping[str, str]) -> Callable[[], Execution]:
        def make() -> Execution:
            one = Single(
                document=base["document"],
                values={**base["values"], **own},
                given={**base["given"], **{key: [value] for key, value in own.items()}},
                acting=acting,
                parent=parent,
                target=target,
                settled=parent.child_settled,
            )
            remember(one)
            return one

        return make

    parent.waiting = [child(t, v) for t, v in zip(targets, rows, strict=True)]
    return parent
