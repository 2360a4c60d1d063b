"""`imdsctl rollback`."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.rollback import check_allowed, chosen, standing, take_back
from imdsctl.cli.automation import AutomationOptions, chosen_via, runbooks_of
from imdsctl.cli.common import FLAG, Common, Output, RoleName, Way
from imdsctl.cli.progress import teller
from imdsctl.cli.runs import newest, run_document
from imdsctl.cli.screen import Screen, count, short
from imdsctl.cli.wiring import aws, opened
from imdsctl.model.diagnostics import Exit, RefusedError
from imdsctl.model.plan import Change


def rollback(
    run: str | None = None,
    /,
    *,
    only: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    yes: Annotated[bool, FLAG] = False,
    via: Way = "ec2",
    role_name: RoleName = None,
    automation: AutomationOptions = AutomationOptions(),  # noqa: B008 - frozen
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Restore what a run changed, newest first, exactly as it was recorded.

    Args:
        run: The run; the newest if not given.
        only: Only these resources (ids or names).
        yes: Do not ask.
        via: Instances' options through the EC2 API, or by AWSSupport-ConfigureEC2Metadata of
            Systems Manager Automation; what that cannot restore goes through the EC2 API.
        role_name: The role to assume in other accounts; the scan's, if not given.
        automation: How Automation makes the changes.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    by = chosen_via(via, automation)
    with opened(common) as desk:
        name = run or newest(desk.store)
        plan = desk.store.plan_of(name)
        reach = aws(desk, role_name or plan.role_name)
        reach.fleet.caller()
        with desk.store.lock():
            ledger = Ledger(
                desk.store, desk.clock, name, None if common.quiet else teller(screen, plan)
            )
            ledger.inherit(plan, desk.store)
            changes = chosen(plan, ledger, only or ())
            check_allowed(changes, reach.fleet, desk.store)
            lasting = standing(changes)
            if changes and not yes:
                _confirm(screen, name, changes)
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
            runbooks = runbooks_of(screen, site, ledger, reach.automation, by)
            planned = list(plan.changes().values())
            left = take_back(changes, site, ledger, runbooks, planned)
    if output == "json":
        screen.json("rollback", run_document(ledger.progress, plan))
    else:
        back = sum(ledger.change(c.id).state == "rolled-back" for c in changes)
        screen.line(
            (f"run {name}: ", "bold"),
            f"{back} of {count(len(changes), 'change')} restored as recorded"
            if changes
            else "nothing to take back",
        )
        for change in changes:
            mine = ledger.change(change.id)
            if mine.state != "rolled-back":
                screen.line(
                    ("  ✗ ", "red"), f"{change.kind} {change.resource}  {mine.detail}", hang=6
                )
    if len(left) <= len(lasting):
        screen.next("imdsctl scan", "imdsctl status")
        # All that can be taken back is; what stands makes it a bad answer all the same.
        return Exit.BAD_ANSWER if left else Exit.OK
    screen.next(f"imdsctl rollback {name}", f"imdsctl runs {name}")
    return Exit.STOPPED


def _confirm(screen: Screen, run: str, changes: Sequence[Change]) -> None:
    """Ask for a yes.

    Raises:
        RefusedError: something else was typed, or nobody is there to ask.
    """
    if not sys.stdin.isatty():
        raise RefusedError(
            "nobody confirmed the rollback", hint="add --yes where no person is at the terminal"
        )
    lasting = standing(changes)
    back = count(len(changes) - len(lasting), "change")
    but = f" {short(c.resource for c in lasting)} stays: nothing takes it back." if lasting else ""
    screen.ask(f"Restores {back} of run {run}, IMDSv1 included.{but}", "Type yes: ")
    if sys.stdin.readline().strip().lower() != "yes":
        raise RefusedError(
            "the rollback was not confirmed; nothing was done",
            hint=f"what the run did: imdsctl runs {run}",
        )
