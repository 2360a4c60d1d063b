"""`imdsctl status`."""

from imdsctl.cli import posture
from imdsctl.cli.common import Common, Output
from imdsctl.cli.screen import Screen, at, count
from imdsctl.cli.wiring import need_scan, opened
from imdsctl.model.diagnostics import Exit
from imdsctl.scan.judged import unreadable_in


def status(*, output: Output = "table", common: Common = Common()) -> int:  # noqa: B008 - frozen
    """Posture and progress, from the store; AWS is not asked.

    Args:
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common) as desk:
        need_scan(desk)
        scans = desk.store.scans()
        runs = desk.store.runs()
        if output == "json":
            screen.json(
                "status",
                {
                    **posture.document(desk.store),
                    "scanned_at": scans[0].started_at,
                    "days": scans[0].days,
                    "runs": [
                        {"run": r.id, "state": r.state, "started_at": r.started_at} for r in runs
                    ],
                },
            )
            failures = bool(unreadable_in(desk.store))
        else:
            screen.line(
                f"as of the scan of {at(scans[0].started_at)}, {scans[0].days} days of metrics"
            )
            failures = bool(posture.show(screen, desk.store))
            unfinished = [r for r in runs if r.state in ("open", "stopped", "interrupted")]
            for run in unfinished[:3]:
                screen.line(("  run      ", "yellow"), f"{run.id} is {run.state}")
            if runs and not unfinished:
                screen.line(
                    f"  {count(len(runs), 'run')}, the last one {runs[0].id} {runs[0].state}"
                )
            screen.next("imdsctl plan -f plan.json", "imdsctl report -f report.html")
    return Exit.INCOMPLETE if failures else Exit.OK
