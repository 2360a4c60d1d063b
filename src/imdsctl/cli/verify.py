"""`imdsctl verify`."""

from collections import Counter

import msgspec

from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.verify import Seen, Verified
from imdsctl.apply.verify import verify as look_again
from imdsctl.cli.common import Common, Output, RoleName
from imdsctl.cli.runs import newest
from imdsctl.cli.screen import Screen, count
from imdsctl.cli.wiring import Desk, aws, opened
from imdsctl.model.diagnostics import Exit
from imdsctl.model.evidence import Cell, Instance
from imdsctl.model.plan import Plan

_SHOWN = 20


def verify(
    run: str | None = None,
    /,
    *,
    role_name: RoleName = None,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """A fresh look at what a run changed: the API's view and the metric's; exit 1 if it is bad.

    Args:
        run: The run; the newest if not given.
        role_name: The role to assume in other accounts; the scan's, if not given.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common, create=True) as desk:
        name = run or newest(desk.store)
        plan = desk.store.plan_of(name)
        reach = aws(desk, role_name or plan.role_name)
        _, caller = reach.fleet.caller()
        ledger = Ledger(desk.store, desk.clock, name)
        ledger.inherit(plan, desk.store)
        site = Site(
            fleet=reach.fleet,
            control=reach.control,
            metrics=reach.metrics,
            health=reach.health,
            clock=desk.clock,
            run=name,
            progress=ledger.change,
            earlier=ledger.earlier,
            plan=plan.digest,
        )
        results = look_again(plan, site, ledger, _keeper(desk, caller))
    bad = [r for r in results if not r.ok]
    unread = [r for r in results if r.state == "unreadable"]
    if output == "json":
        screen.json(
            "verify",
            {
                "run": name,
                "state": _state(bad, unread),
                "changes": [_as_change(r, plan) for r in results],
                "gates": [],
            },
        )
    else:
        _table(screen, name, results)
    if unread and len(unread) == len(bad):
        return Exit.INCOMPLETE
    return Exit.BAD_ANSWER if bad else Exit.OK


def _state(bad: list[Verified], unread: list[Verified]) -> str:
    if not bad:
        return "ok"
    return "incomplete" if len(unread) == len(bad) else "failed"


def _as_change(result: Verified, plan: Plan) -> dict[str, object]:
    return {
        **msgspec.to_builtins(result),
        "kind": plan.changes()[result.id].kind,
        "state": "applied" if result.ok else "failed",
        "found": result.state,
        "detail": "; ".join(part for part in (result.api, result.metric) if part),
    }


def _keeper(desk: Desk, caller: str) -> Seen:
    """What was read becomes evidence: the store's view is then as fresh as the answer."""
    scans = desk.store.scans()
    scan = scans[0].id if scans else desk.store.begin_scan(desk.clock.now(), caller, 0)

    def keep(cell: Cell, instances: list[Instance]) -> None:
        reading = desk.store.begin_reading(
            scan, cell, "instances", "ec2", desk.clock.now(), whole=False
        )
        desk.store.add(reading, instances)
        desk.store.end_reading(reading, complete=True)

    return keep


def _table(screen: Screen, run: str, results: list[Verified]) -> None:
    states = Counter[str](r.state for r in results)
    screen.line((f"run {run}", "bold"), f"  {count(len(results), 'change')} looked at again")
    others = [
        f", {states[state]:,} {word}"
        for state, word in (
            ("gone", "gone"),
            ("drifted", "changed since"),
            ("unreadable", "not read"),
        )
        if states[state]
    ]
    good = f"{states['holds'] + states['refused-calls']:,} as planned"
    screen.line("  api      ", (good, "green"), *others)
    metric = Counter(
        "clean" if r.metric.startswith("clean") else "early" if "early" in r.metric else "refused"
        for r in results
        if r.metric and not r.metric.startswith("not read")
    )
    if metric:
        screen.line(
            "  metric   ",
            ", ".join(
                f"{metric[state]:,} {word}"
                for state, word in (
                    ("clean", "without a rejected call"),
                    ("early", "too early to say"),
                    ("refused", "with rejected calls"),
                )
                if metric[state]
            ),
        )
    bad = [r for r in results if not r.ok]
    for result in bad[:_SHOWN]:
        screen.line(
            ("  ✗ ", "red"),
            f"{result.resource}  {result.account} {result.region}  {result.api}  "
            f"{result.metric}".rstrip(),
            hang=6,
        )
    if len(bad) > _SHOWN:
        screen.line(f"    and {len(bad) - _SHOWN:,} more: imdsctl verify {run} -o json")
    if bad:
        screen.next(
            f"imdsctl explain {bad[0].resource}", f"imdsctl rollback {run} --only {bad[0].resource}"
        )
    else:
        screen.next("imdsctl scan", "imdsctl report -f report.html")
