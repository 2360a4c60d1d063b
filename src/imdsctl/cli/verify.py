"""`imdsctl verify`."""

import re
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from imdsctl.apply.handler import Site
from imdsctl.apply.host_targets import Which
from imdsctl.apply.hosts import HostLooker
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.verify import Seen, Verification, Verified
from imdsctl.apply.verify import verify as look_again
from imdsctl.cli.common import FLAG, Common, Output, RoleName, listed
from imdsctl.cli.runs import newest
from imdsctl.cli.screen import Screen
from imdsctl.cli.verify_view import host_states, show
from imdsctl.cli.wiring import Desk, aws, opened
from imdsctl.host.script import probe_script
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.evidence import Cell, Instance
from imdsctl.model.plan import Plan

_INSTANCE: Final = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")


def verify(
    run: str | None = None,
    /,
    *,
    host: Annotated[bool, FLAG] = False,
    hosts: Annotated[str | None, Parameter(show_default=False)] = None,
    no_sts: Annotated[bool, FLAG] = False,
    role_name: RoleName = None,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """A fresh look at what a run changed: API, metric and, with --host, the hosts themselves.

    Exit 1 if it is bad, 3 if something that was asked for could not be looked at.

    Args:
        run: The run; the newest if not given.
        host: Also look from the instances themselves: the probe is sent by Run Command.
        hosts: On which: canaries (as with --host alone), all, or instance ids (a,b).
        no_sts: Do not have the hosts ask AWS who they are (sts get-caller-identity).
        role_name: The role to assume in other accounts; the scan's, if not given.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    which = _which(hosts, asked=host)
    with opened(common) as desk:
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
        looker = None
        if which is not None:
            script = probe_script(sts=not no_sts)
            looker = HostLooker(reach.hosts, reach.fleet, desk.clock, ledger, name, script)
            screen.note("looking at hosts: the probe runs there by Run Command, as root")
        found = look_again(plan, site, ledger, _keeper(desk, caller), which=which, looker=looker)
        applied = sum(ledger.change(one).state == "applied" for one in plan.changes())
        onward = _onward(plan, ledger)
    state = _state(found)
    if output == "json":
        counts = host_states(found)
        screen.json(
            "verify",
            {
                "run": name,
                "state": state,
                "changes": [_as_change(r, plan) for r in found.changes],
                "gates": [],
                "waiting": msgspec.to_builtins(found.waiting),
                "own_calls": found.own_calls,
                "hosts": None
                if which is None
                else {
                    word.replace("-", "_"): counts[word]
                    for word in ("good", "bad", "not-looked-at", "gone")
                },
            },
        )
    else:
        within = applied - len(found.changes)
        show(screen, name, found, asked=which is not None, within=within, onward=onward)
    return {"ok": Exit.OK, "failed": Exit.BAD_ANSWER, "incomplete": Exit.INCOMPLETE}[state]


def _onward(plan: Plan, ledger: Ledger) -> str | None:
    """How the rest of the plan would be applied, if there is any that needs no name."""
    run = ledger.progress.run
    if ledger.progress.state in ("stopped", "interrupted", "open"):
        return f"imdsctl apply --resume {run}"
    for wave in plan.waves:
        left = [c.id for c in wave.changes if not c.irreversible]
        if any(ledger.change(i).state == "pending" and not ledger.earlier(i) for i in left):
            return f"imdsctl apply plan.json --wave {wave.number}   (the plan's next)"
    return None


def _which(hosts: str | None, *, asked: bool) -> Which | None:
    """The hosts that are asked for, None for none.

    Raises:
        UsageError: they are neither canaries nor all nor instance ids.
    """
    if hosts is None:
        return "canaries" if asked else None
    if hosts == "all":
        return "all"
    if hosts == "canaries":
        return "canaries"
    ids = listed(hosts)
    wrong = next((one for one in ids if not _INSTANCE.fullmatch(one)), None)
    if wrong is not None or not ids:
        raise UsageError(
            f"--hosts {hosts}: {wrong or 'nothing'} is no instance id",
            hint="--hosts canaries, --hosts all, or instance ids: --hosts i-0abc…,i-0def…",
        )
    return frozenset(ids)


def _state(found: Verification) -> str:
    """Bad outweighs unknown, and unknown is never fine."""
    states = host_states(found)
    unread = [r for r in found.changes if r.state == "unreadable"]
    if states["bad"] or any(not r.ok and r.state != "unreadable" for r in found.changes):
        return "failed"
    not_known = any(r.host is not None and r.host.state == "not-looked-at" for r in found.changes)
    return "incomplete" if unread or states["not-looked-at"] or not_known else "ok"


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
