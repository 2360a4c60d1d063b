"""`imdsctl apply`."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from imdsctl.apply.dryrun import Pretence, PretendClock, PretendHealth, ScratchJournal
from imdsctl.apply.engine import Engine
from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.oneway import asked_for, check_named, left_out
from imdsctl.apply.start import check_age, check_drift, check_needs, check_waves, run_name
from imdsctl.cli.common import FLAG, Common, Output, RoleName
from imdsctl.cli.plan_view import describe, undo_words
from imdsctl.cli.planfile import read_plan
from imdsctl.cli.progress import teller
from imdsctl.cli.runs import run_document, summary, why_stopped
from imdsctl.cli.screen import Screen, count, joined, short
from imdsctl.cli.wiring import Desk, aws, opened
from imdsctl.model.diagnostics import Exit, RefusedError, UsageError
from imdsctl.model.plan import Plan
from imdsctl.model.run import fold

_TYPED = 4


def apply(
    file: Path | None = None,
    /,
    *,
    wave: Annotated[list[int] | None, Parameter(negative="")] = None,
    yes: Annotated[bool, FLAG] = False,
    dry_run: Annotated[bool, FLAG] = False,
    allow_irreversible: Annotated[
        list[str] | None, Parameter(consume_multiple=True, negative="")
    ] = None,
    via: Literal["ec2", "ssm"] = "ec2",
    resume: str | None = None,
    role_name: RoleName = None,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Apply a plan, wave by wave; stops at the first gate that fails (exit 4).

    Args:
        file: The plan; with --resume it may be left out.
        wave: Only these waves; -1 is the freeze.
        yes: Do not ask.
        dry_run: Walk through everything without changing anything.
        allow_irreversible: The one-way changes to make, each by its name (ami-…, or
            account/region); all others are left out.
        via: Through the EC2 API, or SSM Automation.
        resume: Go on with a run that stopped or was interrupted.
        role_name: The role to assume in other accounts; the scan's, if not given.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    if via == "ssm":
        raise UsageError(
            "apply --via ssm is not there yet",
            detail="changes go through the EC2 and Auto Scaling APIs",
            hint="leave --via out",
        )
    with opened(common, create=True) as desk:
        plan, waves = _chosen(desk, file, resume, wave)
        check_waves(plan, waves)
        named = _named(desk, plan, waves, resume, allow_irreversible or ())
        reach = aws(desk, role_name or plan.role_name)
        reach.fleet.caller()
        if resume is None:
            check_age(plan, desk.clock.now(), desk.policy.plan.max_age_hours)
            check_drift(plan, waves, reach.fleet)
        run = resume or run_name(plan, desk.clock.now())
        if dry_run:
            return _dry_run(screen, desk, plan, waves, named, role_name, output)
        if not yes:
            _confirm(screen, plan, waves, named)
        with desk.store.lock():
            ledger = Ledger(
                desk.store, desk.clock, run, None if common.quiet else teller(screen, plan)
            )
            ledger.inherit(plan, desk.store)
            if resume is None:
                check_needs(plan, waves, ledger, named)
                ledger.start(run, plan, waves, named)
            else:
                ledger.write(run, "resumed", "", {"allowed": named} if named else {})
            screen.note((f"run {run}", "bold"), f"   journal {common.db}")
            site = Site(
                fleet=reach.fleet,
                control=reach.control,
                metrics=reach.metrics,
                health=reach.health,
                clock=desk.clock,
                run=run,
                progress=ledger.change,
                earlier=ledger.earlier,
                plan=plan.digest,
            )
            try:
                finished = Engine(site, ledger).run(plan, waves)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"imdsctl apply --resume {run}") from None
        return _end(screen, ledger, plan, finished=finished, output=output, file=file)


def _chosen(
    desk: Desk, file: Path | None, resume: str | None, wave: list[int] | None
) -> tuple[Plan, list[int] | None]:
    """The plan and the waves: of the file, or of the run that is taken up again."""
    if resume is None:
        if file is None:
            raise UsageError("which plan?", hint="imdsctl apply plan.json, or --resume RUN")
        return read_plan(file), wave
    plan = desk.store.plan_of(resume)
    if file is not None and read_plan(file).digest != plan.digest:
        raise RefusedError(
            f"{file} is not the plan of run {resume}",
            hint="leave the file out to go on with the run's own plan",
        )
    state = next(r.state for r in desk.store.runs() if r.id == resume)
    if state == "rolled-back":
        raise RefusedError(
            f"run {resume} was rolled back", hint="plan again: `imdsctl plan -f plan.json`"
        )
    started = next(e for e in desk.store.entries(resume) if e.event == "started")
    return plan, wave if wave is not None else started.data.get("waves")


def _named(
    desk: Desk, plan: Plan, waves: list[int] | None, resume: str | None, named: Sequence[str]
) -> list[str]:
    """The one-way changes that are asked for, also those that a resumed run was asked for before.

    Raises:
        UsageError: a name means nothing in this plan.
        RefusedError: without a name there is nothing to do.
    """
    before = fold(resume, desk.store.entries(resume)).allowed if resume else set()
    every = sorted({*before, *named})
    check_named(plan, waves, every)
    return every


def _confirm(screen: Screen, plan: Plan, waves: list[int] | None, named: Sequence[str]) -> None:
    """Ask for the first letters of the plan.

    Raises:
        RefusedError: something else was typed, or nobody is there to ask.
    """
    changes = asked_for(plan, waves, named)
    one_way = [c for c in changes if c.irreversible]
    kinds = Counter(c.kind for c in changes)
    instances, refreshes = kinds["instance-options"], kinds["instance-refresh"]
    others = len(changes) - instances - refreshes - len(one_way)
    parts = [count(instances, "instance")] if instances else []
    if refreshes:
        parts.append(f"{count(refreshes, 'group')} by instance refresh")
    if others:
        parts.append(count(others, "launch setting"))
    if one_way:
        parts.append(count(len(one_way), "one-way setting"))
    accounts = {c.account for c in changes}
    prefix = plan.digest[:_TYPED]
    if not sys.stdin.isatty():
        raise RefusedError(
            "nobody confirmed the plan", hint="add --yes where no person is at the terminal"
        )
    told = [f"one way: {describe(change)}. {undo_words(change)}" for change in one_way]
    screen.ask(
        "\n".join([*told, f"Changes {joined(parts)} in {count(len(accounts), 'account')}."]),
        f"Type the first four letters of the plan ({prefix}): ",
    )
    if sys.stdin.readline().strip() != prefix:
        raise RefusedError(
            "the plan was not confirmed; nothing was done",
            hint="read it once more: imdsctl show FILE",
        )


def _dry_run(
    screen: Screen,
    desk: Desk,
    plan: Plan,
    waves: list[int] | None,
    named: list[str],
    role_name: str | None,
    output: str,
) -> int:
    """The same engine over ports that pretend."""
    reach = aws(desk, role_name or plan.role_name)
    clock = PretendClock(desk.clock)
    pretence = Pretence(reach.fleet)
    ledger = Ledger(ScratchJournal(clock), clock, "dry-run", teller(screen, plan))
    ledger.inherit(plan, desk.store)
    check_needs(plan, waves, ledger, named)
    ledger.start("dry-run", plan, waves, named)
    site = Site(
        fleet=pretence,
        control=pretence,
        metrics=reach.metrics,
        health=PretendHealth(reach.health, pretence),
        clock=clock,
        run="dry-run",
        progress=ledger.change,
        earlier=ledger.earlier,
        plan=plan.digest,
    )
    finished = Engine(site, ledger).run(plan, waves)
    if output == "json":
        screen.json("apply", {**run_document(ledger.progress, plan), "dry_run": True})
    else:
        screen.line(
            ("dry run: ", "bold"),
            f"{summary(ledger.progress)}, all in pretence; ",
            "nothing was changed",
        )
        _left_out(screen, ledger, plan)
        if finished:
            screen.next("the same without --dry-run")
    return Exit.OK if finished else Exit.STOPPED


def _left_out(screen: Screen, ledger: Ledger, plan: Plan) -> None:
    """The one-way changes that nobody asked for."""
    progress = ledger.progress
    left = left_out(plan, progress.waves, progress.allowed)
    if left:
        first = left[0].resource
        screen.line(
            ("left out: ", "bold"),
            f"{count(len(left), 'one-way change')}, not asked for by name: "
            f"{short(c.resource for c in left)} (--allow-irreversible {first})",
        )


def _end(
    screen: Screen, ledger: Ledger, plan: Plan, *, finished: bool, output: str, file: Path | None
) -> int:
    progress = ledger.progress
    if output == "json":
        screen.json("apply", run_document(progress, plan))
    else:
        if not finished:
            screen.line(("stopped: ", "bold red"), why_stopped(ledger.entries(progress.run)))
        head = "done so far: " if not finished else "finished: "
        screen.line((head, "bold"), summary(progress))
        _left_out(screen, ledger, plan)
    if finished:
        screen.next(f"imdsctl verify {progress.run}")
        return Exit.OK
    failed = [c for c in progress.changes.values() if c.state in ("failed", "rolled-back")]
    known = plan.changes()
    resource = known[failed[-1].id].resource if failed and failed[-1].id in known else None
    screen.next(
        *([f"imdsctl explain {resource}"] if resource else []),
        f"imdsctl apply {file or ''} --resume {progress.run}".replace("  ", " "),
        f"imdsctl rollback {progress.run}",
    )
    return Exit.STOPPED
