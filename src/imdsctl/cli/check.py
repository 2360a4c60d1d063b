"""`imdsctl check`."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import Parameter

from imdsctl import __version__
from imdsctl.cli.common import FLAG, Common, listed
from imdsctl.cli.posture import launch_paths
from imdsctl.cli.screen import POSTURES, Screen, short
from imdsctl.cli.wiring import need_scan, opened
from imdsctl.judge.controls import benchmarks, evaluate, resolve
from imdsctl.model.control import ControlResult
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.report.check import render_check
from imdsctl.scan.judged import unreadable_in

Format = Literal["table", "json", "csv", "sarif", "junit", "ocsf", "asff"]
_NAMES_SHOWN = 3
_EFFECTIVE = {**POSTURES, "pending": "not done yet", "terminated": "terminated"}
_AS_SAID = {
    "pass": ("unknown",),
    "fail": ("v1-allowed", "unknown"),
    "unknown": ("unknown", *_EFFECTIVE),
}
"""What needs no word beside a status, as it is what one would think."""


def check(
    *,
    benchmark: str = "cis-5.6",
    output: Annotated[Format, Parameter(name=["--output", "-o"])] = "table",
    list_benchmarks: Annotated[bool, FLAG] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Control results, from the store; exit 1 on a failed control.

    Args:
        benchmark: Comma-separated control ids, or `all` for each control once.
        output: A table for people, or a format for other tools.
        list_benchmarks: Show the control ids and stop.
        common: The options that every command has.
    """
    screen = Screen(common)
    if list_benchmarks:
        for name, title in benchmarks().items():
            screen.line((name, "bold"))
            screen.line(f"  {title}", hang=2)
        return Exit.OK
    wanted = _wanted(benchmark)
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
                groups=store.view("groups"),
            )
        )
        now = desk.clock.now()
    failed = sum(r.status == "fail" for r in results)
    unknown = sum(r.status == "unknown" for r in results)
    if output == "table":
        _table(screen, results, benchmark)
    else:
        screen.data(render_check(output, results, tool_version=__version__, generated_at=now))
    if failed:
        return Exit.BAD_ANSWER
    return Exit.INCOMPLETE if unknown else Exit.OK


def _wanted(benchmark: str) -> list[str]:
    """The controls that were asked for.

    Raises:
        UsageError: there is no such control.
    """
    asked = listed(benchmark)
    if not asked:
        raise UsageError("which benchmark?", hint="imdsctl check --list-benchmarks")
    try:
        return resolve(asked)
    except UsageError as error:
        near = error.diagnostic.hint
        raise UsageError(
            error.diagnostic.summary,
            detail=near,
            hint="all of them: imdsctl check --list-benchmarks",
        ) from error


def _table(screen: Screen, results: Sequence[ControlResult], benchmark: str) -> None:
    """Each control with its counts, and who fails it for the same reason."""
    by_control: dict[str, list[ControlResult]] = defaultdict(list)
    for result in results:
        by_control[result.control].append(result)
    for control, rows in by_control.items():
        statuses = [row.status for row in rows]
        failed = statuses.count("fail")
        screen.line((control, "bold"), f"  {rows[0].title}")
        others = [
            f" · {number:,} {other.replace('-', ' ')}"
            for other in ("unknown", "not-applicable")
            if (number := statuses.count(other))
        ]
        screen.line(
            f"  {statuses.count('pass'):,} pass · ",
            (f"{failed:,} fail", "red" if failed else "green"),
            *others,
        )
        _alike(screen, rows, "fail", "red")
        _alike(screen, [r for r in rows if _passes_only(r)], "pass", "yellow")
        _alike(screen, rows, "unknown", "yellow")
    if not results:
        screen.line("nothing that these controls speak of was found")
    if any(r.status == "fail" for r in results):
        screen.next(
            "imdsctl plan -f plan.json",
            f"imdsctl check --benchmark {benchmark} -o csv   (one line for each)",
        )


def _passes_only(row: ControlResult) -> bool:
    """Whether a resource passes by the letter, and the control's own question is not settled."""
    return bool(row.note) and row.effective in ("v1-allowed", "pending")


def _alike(screen: Screen, rows: Sequence[ControlResult], status: str, style: str) -> None:
    """The results of one status: each reason once, with its resources by account and region."""
    by_reason: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in rows:
        if row.status == status:
            places = by_reason.setdefault((row.why, row.effective), defaultdict(list))
            places[f"{row.account} {row.region}"].append(row.resource)
    for (why, effective), places in by_reason.items():
        number = sum(len(names) for names in places.values())
        said = "" if effective in _AS_SAID[status] else f" Effective: {_EFFECTIVE[effective]}."
        screen.line((f"  {status:8}", style), f"{number:>4,}  {why}{said}", hang=16)
        if status == "unknown":
            continue
        for place, names in places.items():
            screen.line(f"{'':16}{place}  {short(names, _NAMES_SHOWN)}", hang=18)
