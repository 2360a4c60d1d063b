"""`imdsctl runs`, and how every command shows a run."""

from collections.abc import Sequence
from typing import Any

from imdsctl.apply.oneway import is_left_out
from imdsctl.apply.shortfall import shortfall
from imdsctl.cli.common import Common, Output
from imdsctl.cli.screen import Screen, at, count
from imdsctl.cli.wiring import opened
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.plan import Change, Plan
from imdsctl.model.run import ChangeProgress, Entry, Progress, fold
from imdsctl.ports import Journal

_STYLES = {"applied": "green", "failed": "red", "rolled-back": "yellow", "in-doubt": "red"}


def runs(
    run: str | None = None,
    /,
    *,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Past and open runs.

    Args:
        run: One run in full.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common) as desk:
        if run is not None:
            plan = desk.store.plan_of(run)
            entries = desk.store.entries(run)
            progress = fold(run, entries)
            if output == "json":
                screen.json("run", run_document(progress, plan))
            else:
                show_run(screen, progress, plan, why_stopped(entries))
            return Exit.OK
        found = desk.store.runs()
        if output == "json":
            screen.json(
                "runs",
                {
                    "runs": [
                        run_document(fold(r.id, desk.store.entries(r.id)), desk.store.plan_of(r.id))
                        for r in found
                    ]
                },
            )
            return Exit.OK
        for one in found:
            screen.line(f"{one.id}  {one.state:12} {at(one.started_at)}  plan {one.digest[:8]}")
        if found:
            screen.next(f"imdsctl runs {found[0].id}")
        else:
            screen.line("no runs yet")
            screen.next("imdsctl plan -f plan.json", "imdsctl apply plan.json")
    return Exit.OK


def newest(journal: Journal) -> str:
    """The newest run's name.

    Raises:
        UsageError: there is none.
    """
    found = journal.runs()
    if not found:
        raise UsageError("there is no run yet", hint="`imdsctl apply plan.json` makes one")
    return found[0].id


def run_document(progress: Progress, plan: Plan) -> dict[str, Any]:
    """A run as JSON."""
    changes = []
    for change in plan.changes().values():
        if progress.waves is not None and not _in_waves(change.id, plan, progress.waves):
            continue
        mine = progress.changes.get(change.id, ChangeProgress(id=change.id))
        changes.append(
            {
                "id": change.id,
                "kind": change.kind,
                "resource": change.resource,
                "account": change.account,
                "region": change.region,
                "state": "pending" if mine.state == "in-doubt" else mine.state,
                "detail": mine.detail or _unsaid(change, mine, progress),
            }
        )
    return {
        "run": progress.run,
        "state": progress.state,
        "plan": plan.digest,
        "started_at": progress.started_at,
        "changes": changes,
        "gates": [
            {"name": g.name, "state": g.state, "detail": g.detail} for g in progress.gates.values()
        ],
        "executions": [
            {
                "id": e.id,
                "document": e.document,
                "account": e.account,
                "region": e.region,
                "parameters": e.parameters,
                "changes": e.changes,
                "undoing": e.undoing,
                "status": e.status,
            }
            for e in progress.executions.values()
        ],
    }


def _unsaid(change: Change, mine: ChangeProgress, progress: Progress) -> str:
    """Why nothing is known of a change yet."""
    if mine.state == "in-doubt":
        return "no answer yet"
    if mine.state == "pending" and is_left_out(change, progress.allowed):
        return f"one way, and not asked for by name (--allow-irreversible {change.resource})"
    return ""


def why_stopped(entries: Sequence[Entry]) -> str:
    """What the journal says of the last stop, or of what was not done at the end."""
    stops = [e for e in entries if e.event in ("stopped", "incomplete")]
    return str(stops[-1].data.get("detail", "")) if stops else ""


def after_incomplete(progress: Progress, plan: Plan) -> list[str]:
    """What one would do about a run that came to its end and has not done everything."""
    short = shortfall(plan, progress)
    again = [f"imdsctl apply --resume {progress.run}"] if any(c.failed for c in short) else []
    shown = [f"imdsctl explain {short[0].resource}"] if short else []
    return [
        *again,
        *shown,
        "imdsctl scan, then imdsctl plan -f plan.json",
        f"imdsctl rollback {progress.run}",
    ]


def _in_waves(change_id: str, plan: Plan, waves: list[int]) -> bool:
    return any(change_id == c.id for w in plan.waves if w.number in waves for c in w.changes)


def summary(progress: Progress) -> str:
    """What became of the changes, in a line."""
    states: list[str] = [p.state for p in progress.changes.values()]
    parts = [
        f"{states.count(state)} {word}"
        for state, word in (
            ("applied", "applied"),
            ("rolled-back", "rolled back"),
            ("failed", "failed"),
            ("skipped", "skipped"),
            ("in-doubt", "without an answer"),
        )
        if states.count(state)
    ]
    return ", ".join(parts) or "nothing done"


def show_run(screen: Screen, progress: Progress, plan: Plan, stopped: str = "") -> None:
    """A run in full, for a person."""
    screen.line((f"run {progress.run}", "bold"), f"  {progress.state}  {summary(progress)}")
    screen.line(f"  plan {plan.digest[:8]}, started {at(progress.started_at)}")
    if stopped and progress.state in ("stopped", "incomplete"):
        screen.line((f"  {progress.state:12}", "red"), stopped, hang=14)
    known = plan.changes()
    quiet = 0
    for mine in progress.changes.values():
        change = known.get(mine.id)
        if mine.state == "applied" and not mine.detail and not screen.verbose:
            quiet += 1
            continue
        what = mine.id
        if change:
            name = f" {change.name}" if change.name not in ("", change.resource) else ""
            what = f"{change.kind} {change.resource}{name}"
        screen.line(
            (f"  {mine.state:12}", _STYLES.get(mine.state, "")),
            f"{what}  {mine.detail}".rstrip(),
            hang=14,
        )
    if quiet:
        screen.line(f"  {'applied':12}{count(quiet, 'change')} without incident (-v lists them)")
    for execution in progress.executions.values():
        many = count(len(execution.changes), "instance")
        what = f"{execution.id} in {execution.account} {execution.region}"
        status = execution.status or "not known to have ended"
        screen.line(f"  {'automation':12}{execution.document} on {many}: {status}  {what}", hang=14)
    for gate in progress.gates.values():
        style = {"passed": "green", "failed": "red"}.get(gate.state, "")
        detail = f", {gate.detail}" if gate.detail else ""
        screen.line((f"  {'gate':12}", style), f"{gate.name}: {gate.state}{detail}", hang=14)
    screen.next(*_after(progress, plan))


def _after(progress: Progress, plan: Plan) -> list[str]:
    """What one would do about a run as it stands."""
    if progress.state == "incomplete":
        return after_incomplete(progress, plan)
    if progress.state == "finished":
        return [f"imdsctl verify {progress.run}"]
    if progress.state == "rolled-back":
        return []
    return [f"imdsctl apply --resume {progress.run}", f"imdsctl rollback {progress.run}"]
