"""The plan and the runs as a report tells them."""

from collections import Counter
from typing import Any

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.plan import Change, Plan
from imdsctl.model.run import ChangeProgress, Progress, RunSummary, fold
from imdsctl.ports import Journal
from imdsctl.report.data import (
    ChangeRow,
    DoneRow,
    GateRow,
    PlanView,
    RunView,
    WaveRow,
)
from imdsctl.report.grouping import SHOWN, group_reasons

RUNS = 20
"""Runs that a report tells in full; older ones are counted."""

_UNSET = "unset"
_QUIET = ("applied", "skipped", "pending")
_SKIP = frozenset({"state", "version_from", "preferences"})
"""Members that say how a change is made, not what it changes."""


def plan_view(plan: Plan, names: dict[tuple[str, str, str], str]) -> PlanView:
    """The plan in short; `names` gives a held instance its name."""
    rows = {change.id: _change(change) for change in plan.changes().values()}
    held = (
        (
            h.status,
            h.reasons,
            h.resource,
            h.name or names.get((h.account, h.region, h.resource), ""),
            h.account,
            h.region,
        )
        for h in plan.held
    )
    return PlanView(
        digest=plan.digest,
        created_at=plan.created_at,
        scanned_at=plan.scanned_at,
        waves=[
            WaveRow(
                number=wave.number,
                name=wave.name,
                count=len(wave.changes),
                kinds=Counter(str(c.kind) for c in wave.changes).most_common(),
                canaries=len(wave.canaries),
                batch=wave.batch,
                soak_seconds=wave.soak_seconds,
                listed=[rows[c.id] for c in wave.changes[:SHOWN]],
                rest=max(0, len(wave.changes) - SHOWN),
            )
            for wave in plan.waves
        ],
        held=len(plan.held),
        held_sections=group_reasons(held),
        irreversible=[row for row in rows.values() if row.irreversible],
    )


def _change(change: Change) -> ChangeRow:
    return ChangeRow(
        id=change.id,
        kind=change.kind,
        resource=change.resource,
        name=change.name,
        account=change.account,
        region=change.region,
        what=difference(change.before, change.after),
        reason=change.reason,
        irreversible=change.irreversible,
    )


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What differs between two sets of facts, as in `http_tokens optional → required`."""
    flat_before, flat_after = _flat(before), _flat(after)
    parts = [
        f"{key} {flat_before.get(key, _UNSET)} → {value}"
        for key, value in flat_after.items()
        if flat_before.get(key) != value
    ]
    return ", ".join(parts)


def _flat(facts: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in facts.items():
        if key in _SKIP or value is None or value in ({}, [], ""):
            continue
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}." if key != "options" else prefix)
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def run_views(journal: Journal) -> tuple[list[RunView], int]:
    """The newest runs, and how many older ones there are."""
    runs = journal.runs()
    return [_run(journal, summary) for summary in runs[:RUNS]], max(0, len(runs) - RUNS)


def _run(journal: Journal, summary: RunSummary) -> RunView:
    progress = fold(summary.id, journal.entries(summary.id))
    try:
        changes = journal.plan_of(summary.id).changes()
    except UsageError:
        # The journal alone still tells what was done, only without the resources' names.
        changes = {}
    notable = [
        _done(change, changes.get(change.id))
        for change in progress.changes.values()
        if change.state not in _QUIET or change.undoing
    ]
    applied = [c for c in progress.changes.values() if c.state == "applied" and c.id in changes]
    return RunView(
        id=summary.id,
        started_at=summary.started_at,
        state=summary.state,
        digest=summary.digest,
        counts=_counts(progress),
        kinds=Counter(str(changes[c.id].kind) for c in applied).most_common(),
        gates=[
            GateRow(name=g.name, state=g.state, detail=g.detail)
            for g in progress.gates.values()
            if g.state != "passed"
        ],
        gates_passed=sum(g.state == "passed" for g in progress.gates.values()),
        notable=notable[:SHOWN],
        notable_rest=max(0, len(notable) - SHOWN),
        irreversible=[changes[c.id].resource for c in applied if changes[c.id].inverse is None],
    )


def _counts(progress: Progress) -> list[tuple[str, int]]:
    return Counter(str(c.state) for c in progress.changes.values()).most_common()


def _done(change: ChangeProgress, planned: Change | None) -> DoneRow:
    return DoneRow(
        resource=planned.resource if planned else change.id,
        name=planned.name if planned else "",
        kind=planned.kind if planned else "",
        state="being taken back" if change.undoing else change.state,
        detail=change.detail,
    )
