"""A run of a plan, told from its journal: an append-only list of entries."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

ChangeState = Literal["pending", "in-doubt", "applied", "skipped", "failed", "rolled-back"]
GateState = Literal["waiting", "passed", "failed"]
RunState = Literal["open", "stopped", "interrupted", "finished", "rolled-back"]

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
    "gate-waiting", # a gate began to wait: since when, for how long
    "gate-passed",
    "gate-failed",
    "stopped",      # at a gate, or too many errors
    "interrupted",
    "finished",
    "rolled-back",
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
    """

    id: str
    state: ChangeState = "pending"
    detail: str = ""
    live_before: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    applied_at: datetime | None = None
    undoing: bool = False


class GateProgress(Struct, kw_only=True):
    """Where one gate stands; `since` is when its wait began, so that a wait survives a restart."""

    name: str
    state: GateState = "waiting"
    detail: str = ""
    since: datetime | None = None


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
    started_at: datetime | None = None
    waves: list[int] | None = None
    allowed: set[str] = field(default_factory=set)


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
    else:
        _fold_change(progress, entry, detail)


def _fold_change(progress: Progress, entry: Entry, detail: str) -> None:
    change = progress.changes.setdefault(entry.subject, ChangeProgress(id=entry.subject))
    change.undoing = entry.event == "undo-intent"
    change.detail = detail
    if state := _CHANGE_STATES.get(entry.event):
        change.state = state
    if entry.event == "intent":
        change.live_before = entry.data.get("live", {})
    if entry.event in ("applied", "skipped"):
        change.result = entry.data.get("result", {})
        change.applied_at = entry.at
