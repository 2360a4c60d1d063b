"""`imdsctl status`."""

from imdsctl.cli import posture
from imdsctl.cli.common import Common, Output
from imdsctl.cli.screen import Screen, at, count
from imdsctl.cli.wiring import need_scan, opened
from imdsctl.model.diagnostics import Exit

_OPEN = ("open", "stopped", "interrupted")
_SHOWN = 3


def status(*, output: Output = "table", common: Common = Common()) -> int:  # noqa: B008 - frozen
    """Posture and progress, from the store; AWS is not asked.

    Args:
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common) as desk:
        need_scan(desk)
        runs = desk.store.runs()
        if output == "json":
            answer = posture.document(desk.store)
            told = [{"run": r.id, "state": r.state, "started_at": r.started_at} for r in runs]
            screen.json("status", {**answer, "runs": told})
            return Exit.OK if answer["complete"] else Exit.INCOMPLETE
        newest = desk.store.scans()[0]
        screen.line(f"as of the scan of {at(newest.started_at)}")
        whole = posture.show(screen, desk.store)
        unfinished = [r for r in runs if r.state in _OPEN]
        for run in unfinished[:_SHOWN]:
            screen.line((f"  {'run':20}", "yellow"), f"{run.id} is {run.state}", hang=22)
        if len(unfinished) > _SHOWN:
            screen.line(f"  {'':20}and {len(unfinished) - _SHOWN:,} more: imdsctl runs")
        if runs and not unfinished:
            screen.line(
                f"  {count(len(runs), 'run'):20}the last, {runs[0].id}, {runs[0].state}", hang=22
            )
        if unfinished:
            screen.next(f"imdsctl apply --resume {unfinished[0].id}")
        else:
            steps = ("imdsctl plan -f plan.json", "imdsctl report -f report.html")
            screen.next(*posture.with_permissions(desk.store, *steps))
    return Exit.OK if whole else Exit.INCOMPLETE
