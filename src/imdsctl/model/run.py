"""A run of a plan, told from its journal: an append-only list of entries."""

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct, field

ChangeState = Literal["pending", "in-doubt", "applied", "skipped", "failed", "rolled-back"]
GateState = Literal["waiting", "passed", "failed"]
RunState = Literal["open", "stopped", "interrupted", "finished", "incomplete", "rolled-back"]

Event = Literal[
    "started",      # the run: its plan's digest, the waves chosen, the one-way changes named
    "resumed",      # also with one-way changes that were named only then
    "intent",       # a change is about to be made: what the live resource looked like
    "applied",      # AWS said yes, or the live resource shows it: the result
    "skipped",      # nothing to do: already so, or gone
    "failed",       # AWS said no: the change is not made
    "undo-intent",  # the same, for taking a change back
    "undone",
    "undo-failed",
    "via",          # the run makes its changes by Automation, and how
    "execution-started",  # its client token is the subject; id, cell and changes
    "execution-ended",
    "gate-waiting", # a gate began to wait: since when, for how long
    "gate-passed",
    "gate-failed",
    "stopped",      # at a gate, or too many errors
    "interrupted",
    "finished",
    "incomplete",   # at its end, or at its rollback's: what was not done
    "rolled-back",
    "probing",      # a probe is about to be sent to hosts: which, how long it may take
    "probed",       # what came back, host by host
]  # fmt: skip


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the journal. `subject` is a change id, a gate's name, or empty for the run."""

    seq: int
    run: str
    at: datetime
    event: Event
    subject: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class ChangeProgress(Struct, kw_only=True):
    """Where one change stands.

    `in-doubt` means that the intent was written and no outcome: the call may or may not have
    been made, and only the live resource can tell. `undoing` is the same for taking it back.
    `left` says that a skipped change was left undone on purpose, not because it was so already.
    `order` is what the execution was asked for that makes it or takes it back, where one does;
    `attempts` counts those that ended without success.
    """

    id: str
    state: ChangeState = "pending"
    detail: str = ""
    live_before: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    applied_at: datetime | None = None
    undoing: bool = False
    left: bool = False
    order: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0


class GateProgress(Struct, kw_only=True):
    """Where one gate stands; `since` is when its wait began, so that a wait survives a restart."""

    name: str
    state: GateState = "waiting"
    detail: str = ""
    since: datetime | None = None


class ExecutionProgress(Struct, kw_only=True):
    """An execution of a runbook: by its client token, with AWS's id once that is known."""

    token: str
    id: str
    account: str
    region: str
    document: str
    parameters: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    undoing: bool = False
    status: str = ""


class RunSummary(Struct, frozen=True, kw_only=True):
    """A run as the store lists it."""

    id: str
    started_at: datetime
    digest: str
    state: RunState


class Progress(Struct, kw_only=True):
    """The state of a run, folded from its journal.

    `allowed` holds the one-way changes (their resources or ids) that were asked for by name.
    """

    run: str
    state: RunState = "open"
    changes: dict[str, ChangeProgress] = field(default_factory=dict)
    gates: dict[str, GateProgress] = field(default_factory=dict)
    executions: dict[str, ExecutionProgress] = field(default_factory=dict)
    via: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    waves: list[int] | None = None
    allowed: set[str] = field(default_factory=set)


PROBES: Final = ("probing", "probed")
"""Events of looks at hosts: they change nothing, and move neither the run nor a change."""

_CHANGE_STATES: dict[str, ChangeState] = {
    "intent": "in-doubt",
    "applied": "applied",
    "skipped": "skipped",
    "failed": "failed",
    "undone": "rolled-back",
}
_RUN_STATES: dict[str, RunState] = {
    "started": "open",
    "resumed": "open",
    "stopped": "stopped",
    "interrupted": "interrupted",
    "finished": "finished",
    "incomplete": "incomplete",
    "rolled-back": "rolled-back",
}
_GATE_STATES: dict[str, GateState] = {
    "gate-waiting": "waiting",
    "gate-passed": "passed",
    "gate-failed": "failed",
}


def fold(run: str, entries: list[Entry]) -> Progress:
    """The state of a run after `entries`, in their order."""
    progress = Progress(run=run)
    for entry in entries:
        fold_one(progress, entry)
    return progress


def fold_one(progress: Progress, entry: Entry) -> None:
    """Bring `progress` up to date with one more entry."""
    detail = str(entry.data.get("detail", ""))
    if run_state := _RUN_STATES.get(entry.event):
        progress.state = run_state
        progress.allowed.update(entry.data.get("allowed", ()))
        if entry.event == "started":
            progress.started_at = entry.at
            progress.waves = entry.data.get("waves")
    elif gate_state := _GATE_STATES.get(entry.event):
        gate = progress.gates.setdefault(entry.subject, GateProgress(name=entry.subject))
        gate.state, gate.detail = gate_state, detail
        if entry.event == "gate-waiting":
            gate.since = entry.at
    elif entry.event == "via":
        progress.via = entry.data
    elif entry.event == "execution-started":
        progress.executions[entry.subject] = ExecutionProgress(token=entry.subject, **entry.data)
    elif entry.event == "execution-ended":
        if entry.subject in progress.executions:
            progress.executions[entry.subject].status = str(entry.data.get("status", ""))
    elif entry.event not in PROBES:
        _fold_change(progress, entry, detail)


def _fold_change(progress: Progress, entry: Entry, detail: str) -> None:
    change = progress.changes.setdefault(entry.subject, ChangeProgress(id=entry.subject))
    change.undoing = entry.event == "undo-intent"
    change.detail = detail
    if state := _CHANGE_STATES.get(entry.event):
        change.state = state
    change.left = bool(entry.data.get("left"))
    change.attempts += entry.event in ("failed", "undone", "undo-failed")
    change.order = entry.data.get("order", {})
    if entry.event == "intent":
        change.live_before = entry.data.get("live", {})
    if entry.event in ("applied", "skipped"):
        change.result = entry.data.get("result", {})
        change.applied_at = entry.at
