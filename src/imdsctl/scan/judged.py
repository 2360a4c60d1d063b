"""From the store to verdicts: one cell at a time, so that no fleet is too large."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from imdsctl.judge.fleet import judge_cell
from imdsctl.model.cell import CellEvidence, FailedGate, JudgedCell, StandingRun
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import SCANNED, Cell, Unreadable
from imdsctl.model.plan import ONE_WAY, Change
from imdsctl.model.policy import Policy
from imdsctl.model.run import Progress, fold
from imdsctl.ports import Journal, Store

Failing = tuple[str, str, str]
"""Account, region and resource."""


def load_cell(
    store: Store,
    cell: Cell,
    unreadable: Mapping[str, str],
    failed: Mapping[Failing, FailedGate],
    standing: Sequence[StandingRun] = (),
) -> CellEvidence:
    """Everything current about one cell, as the judge wants it."""
    return CellEvidence(
        cell=cell,
        instances=list(store.view("instances", cell)),
        calls={record.item.id: record for record in store.view("calls", cell)},
        templates=list(store.view("launch-templates", cell)),
        configurations=list(store.view("launch-configurations", cell)),
        groups=list(store.view("groups", cell)),
        defaults=next(store.view("account-defaults", cell), None),
        images=list(store.view("images", cell)),
        nodegroups=list(store.view("nodegroups", cell)),
        environments=list(store.view("environments", cell)),
        capacity_providers=list(store.view("capacity-providers", cell)),
        software={record.item.id: record for record in store.view("software", cell)},
        traces={record.item.id: record for record in store.view("traces", cell)},
        unreadable=unreadable,
        failed_gates={r: gate for (a, g, r), gate in failed.items() if (a, g) == cell},
        standing=standing,
    )


def told_by_runs(
    journal: Journal,
) -> tuple[dict[Failing, FailedGate], dict[Cell, list[StandingRun]]]:
    """What earlier runs left: who failed a gate (the newest of each), and what still stands."""
    failed: dict[Failing, FailedGate] = {}
    standing: dict[Cell, list[StandingRun]] = {}
    for run in reversed(journal.runs()):
        changes = journal.plan_of(run.id).changes()
        entries = journal.entries(run.id)
        for entry in entries:
            why = entry.data.get("gate")
            if entry.event == "undone" and why and entry.subject in changes:
                change = changes[entry.subject]
                failed[(*change.cell, change.resource)] = FailedGate(
                    run=run.id, at=entry.at, why=str(why)
                )
        for cell, one in _standing(fold(run.id, entries), changes):
            standing.setdefault(cell, []).append(one)
    return failed, standing


def _standing(
    progress: Progress, changes: Mapping[str, Change]
) -> Iterator[tuple[Cell, StandingRun]]:
    """What of a run still stands, by account and region.

    A run that is not through counts wherever its plan changes something: nobody knows yet what it
    will have to take back.
    """
    finished = progress.state in ("finished", "incomplete", "rolled-back")
    by_cell: dict[Cell, list[Change]] = {}
    for change in changes.values():
        one = progress.changes.get(change.id)
        stands = one is not None and one.state in ("applied", "in-doubt")
        if change.kind not in ONE_WAY and (stands or not finished):
            by_cell.setdefault(change.cell, []).extend([change] if stands else [])
    for cell, found in by_cell.items():
        yield (
            cell,
            StandingRun(
                run=progress.run,
                finished=finished,
                instances=tuple(c.resource for c in found if c.requires_tokens),
                launches=tuple(c.resource for c in found if c.kind != "instance-options"),
            ),
        )


def unreadable_in(store: Store) -> list[Unreadable]:
    """What the newest readings could not read whole."""
    return [
        Unreadable(account=r.account, region=r.region, what=r.what, why=r.why or "", seen=r.count)
        for r in store.readings()
        if not r.complete
    ]


def evidence_since(store: Store) -> datetime:
    """When the oldest part of what is known of instances was read: a plan is as old as that.

    Raises:
        UsageError: no reading of instances has ended yet.
    """
    times = [r.observed_at for r in store.readings() if r.what == "instances"]
    if not times:
        raise UsageError("no scan has read any instances yet", hint="run `imdsctl scan` again")
    return min(times)


def judge_store(
    store: Store,
    journal: Journal,
    policy: Policy,
    now: datetime,
    cell: Cell | None = None,
    *,
    cells: Sequence[Cell] | None = None,
) -> Iterator[JudgedCell]:
    """The verdicts on every cell in the store, on one, or on some."""
    failed, standing = told_by_runs(journal)
    why: dict[Cell, dict[str, str]] = {}
    read = {(r.account, r.region, r.what) for r in store.readings()}
    for failure in unreadable_in(store):
        where = Cell(failure.account, failure.region)
        why.setdefault(where, {})[failure.what] = failure.why
    if cells is None:
        cells = [cell] if cell else store.cells()
    for one in cells:
        # A reading that never ended (a scan that was killed) must not look like "there are none".
        for what in SCANNED:
            if (*one, what) not in read:
                why.setdefault(one, {}).setdefault(what, "not read yet")
        known = load_cell(store, one, why.get(one, {}), failed, standing.get(one, ()))
        yield judge_cell(known, policy, now)
