"""`imdsctl check`."""

import sys
from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import Parameter

from imdsctl import __version__
from imdsctl.cli.common import Common, listed
from imdsctl.cli.posture import launch_paths
from imdsctl.cli.screen import Screen, count
from imdsctl.cli.wiring import need_scan, opened
from imdsctl.judge.controls import benchmarks, evaluate, resolve
from imdsctl.model.control import ControlResult
from imdsctl.model.diagnostics import Exit
from imdsctl.report.check import render_check
from imdsctl.scan.judged import unreadable_in

Format = Literal["table", "json", "csv", "sarif", "junit", "ocsf", "asff"]
_SHOWN = 20


def check(
    *,
    benchmark: str = "cis-5.6",
    output: Annotated[Format, Parameter(name=["--output", "-o"])] = "table",
    list_benchmarks: Annotated[bool, Parameter(negative="")] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Control results, from the store; exit 1 on a failed control.

    Args:
        benchmark: Comma-separated control ids, or `all`.
        output: A table for people, or a format for other tools.
        list_benchmarks: Show the control ids and stop.
        common: The options that every command has.
    """
    screen = Screen(common)
    if list_benchmarks:
        for name, title in benchmarks().items():
            screen.line(f"{name:34} {title}")
        return Exit.OK
    wanted = list(benchmarks()) if benchmark == "all" else resolve(listed(benchmark))
    with opened(common) as desk:
        need_scan(desk)
        store = desk.store
        results = list(
            evaluate(
                wanted,
                store.view("instances"),
                store.view("launch-templates"),
                store.view("launch-configurations"),
                store.view("account-defaults"),
                launch_paths(store),
                unreadable=unreadable_in(store),
            )
        )
        now = desk.clock.now()
    failed = sum(r.status == "fail" for r in results)
    unknown = sum(r.status == "unknown" for r in results)
    if output == "table":
        _table(screen, results)
    else:
        sys.stdout.write(render_check(output, results, tool_version=__version__, generated_at=now))
    if failed:
        return Exit.BAD_ANSWER
    return Exit.INCOMPLETE if unknown else Exit.OK


def _table(screen: Screen, results: Sequence[ControlResult]) -> None:
    """Each control with its counts and its first failures; the effective posture beside them."""
    by_control: dict[str, list[ControlResult]] = {}
    for result in results:
        by_control.setdefault(result.control, []).append(result)
    for control, rows in by_control.items():
        statuses = [row.status for row in rows]
        failed = [row for row in rows if row.status == "fail"]
        screen.line(
            (control, "bold"),
            f"  {rows[0].title}",
        )
        screen.line(
            f"  {statuses.count('pass'):,} pass  ",
            (f"{len(failed):,} fail", "red" if failed else "green"),
            f"  {statuses.count('unknown'):,} unknown",
        )
        for row in failed[:_SHOWN]:
            screen.line(
                ("  fail  ", "red"),
                f"{row.resource}  {row.account} {row.region}  {row.why} "
                f"(effective: {row.effective})",
            )
        if len(failed) > _SHOWN:
            screen.line(f"        and {len(failed) - _SHOWN:,} more: imdsctl check -o csv")
        for row in (r for r in rows if r.status == "unknown"):
            screen.line(("  ?     ", "yellow"), f"{row.account} {row.region}  {row.why}")
    if not results:
        screen.line("nothing that these controls speak of was found")
    failures = sum(r.status == "fail" for r in results)
    if failures:
        screen.next(f"imdsctl plan -f plan.json   ({count(failures, 'failure')})")
