"""`imdsctl apply`."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from imdsctl.apply.dryrun import (
    Pretence,
    PretendClock,
    PretendHealth,
    PretendMetrics,
    ScratchJournal,
)
from imdsctl.apply.engine import Engine
from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.oneway import asked_for, check_named, left_out
from imdsctl.apply.pretend_automation import PretendAutomation
from imdsctl.apply.shortfall import shortfall
from imdsctl.apply.start import check_age, check_drift, check_needs, check_waves, run_name
from imdsctl.cli.automation import AutomationOptions, chosen_via, runbooks_of, warn
from imdsctl.cli.common import FLAG, Common, Output, RoleName, Way
from imdsctl.cli.plan_view import describe, undo_words
from imdsctl.cli.planfile import read_plan
from imdsctl.cli.progress import teller
from imdsctl.cli.runs import after_incomplete, run_document, summary, why_stopped
from imdsctl.cli.screen import Screen, count, joined, short
from imdsctl.cli.wiring import Desk, aws, opened
from imdsctl.model.automation import Document, Via
from imdsctl.model.diagnostics import Exit, RefusedError, UsageError
from imdsctl.model.plan import Plan
from imdsctl.model.run import Progress, fold

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
    via: Way | None = None,
    document: Document | None = None,
    resume: str | None = None,
    role_name: RoleName = None,
    automation: AutomationOptions = AutomationOptions(),  # noqa: B008 - frozen
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Apply a plan, wave by wave; stops at the first gate that fails (exit 4).

    A run that came to its end ends with exit 4, too, where a change failed (resuming it tries
    that again), and with exit 1 where one was taken back or left alone on the way.

    Args:
        file: The plan; with --resume it may be left out.
        wave: Only these waves: -1 is the freeze, 0 to 2 are instances, 3 is what is one way.
        yes: Do not ask.
        dry_run: Walk through everything without changing anything.
        allow_irreversible: The one-way changes to make, each by its name (ami-…, or
            account/region); all others are left out.
        via: Instances' options through the EC2 API (if not given), or by Systems Manager
            Automation; a resumed run goes on as it began.
        document: The runbook, with --via ssm; AWSSupport-ConfigureEC2Metadata if not given. The
            other one has no way back in it.
        resume: Go on with a run that stopped or was interrupted.
        role_name: The role to assume in other accounts; the scan's, if not given.
        automation: How Automation makes the changes.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common, create=resume is None) as desk:
        plan, waves = _chosen(desk, file, resume, wave)
        check_waves(plan, waves)
        named = _named(desk, plan, waves, resume, allow_irreversible or ())
        before = _told(desk, resume)
        by = chosen_via(via, automation, document, before)
        reach = aws(desk, role_name or plan.role_name)
        reach.fleet.caller()
        if resume is None:
            check_age(plan, desk.clock.now(), desk.policy.plan.max_age_hours)
            check_drift(plan, waves, reach.fleet)
        run = resume or run_name(plan, desk.clock.now())
        warn(screen, by)
        if dry_run:
            return _dry_run(screen, desk, plan, waves, named, role_name, output, by)
        if not yes:
            _confirm(screen, plan, waves, named, by)
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
            if by is not None and msgspec.to_builtins(by) != before:
                ledger.write(run, "via", "", msgspec.to_builtins(by))
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
            runbooks = runbooks_of(screen, site, ledger, reach.automation, by)
            try:
                finished = Engine(site, ledger, runbooks).run(plan, waves)
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


def _told(desk: Desk, run: str | None) -> dict[str, Any]:
    """How a run that is taken up again uses Automation, if it does."""
    entries = desk.store.entries(run) if run is not None else []
    told = [entry.data for entry in entries if entry.event == "via"]
    return told[-1] if told else {}


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


def _confirm(
    screen: Screen,
    plan: Plan,
    waves: list[int] | None,
    named: Sequence[str],
    by: Via | None,
) -> None:
    """Ask for the first letters of the plan.

    Raises:
        RefusedError: something else was typed, or nobody is there to ask.
    """
    changes = asked_for(plan, waves, named)
    one_way = [c for c in changes if c.irreversible]
    kinds = Counter(c.kind for c in changes)
    refreshes, updates = kinds["instance-refresh"], kinds["nodegroup-version"]
    environments = kinds["beanstalk-option"]
    others = len(changes) - kinds["instance-options"] - refreshes - updates - environments
    others -= len(one_way)
    instances = len({c.resource for c in changes if c.kind == "instance-options"})
    parts = [count(instances, "instance")] if instances else []
    if refreshes:
        parts.append(f"{count(refreshes, 'group')} by instance refresh")
    if updates:
        parts.append(f"{count(updates, 'EKS node group')} by an update of EKS")
    if environments:
        parts.append(f"{count(environments, 'environment')} by Elastic Beanstalk")
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
    by_runbook = f", the instances by {by.document}" if by and instances else ""
    what = f"Changes {joined(parts)} in {count(len(accounts), 'account')}{by_runbook}."
    screen.ask("\n".join([*told, what]), f"Type the first four letters of the plan ({prefix}): ")
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
    by: Via | None,
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
        metrics=PretendMetrics(reach.metrics),
        health=PretendHealth(reach.health, pretence),
        clock=clock,
        run="dry-run",
        progress=ledger.change,
        earlier=ledger.earlier,
        plan=plan.digest,
    )
    runbooks = runbooks_of(screen, site, ledger, PretendAutomation(pretence), by)
    finished = Engine(site, ledger, runbooks).run(plan, waves)
    if output == "json":
        screen.json("apply", {**run_document(ledger.progress, plan), "dry_run": True})
    else:
        screen.line(
            ("dry run: ", "bold"),
            f"{_would(ledger.progress)}; nothing was changed",
        )
        _left_out(screen, ledger, plan)
        if not finished or ledger.progress.state == "incomplete":
            screen.line(("not done: ", "bold red"), why_stopped(ledger.entries("dry-run")))
        else:
            screen.next("the same without --dry-run")
    return _code(ledger, plan, finished=finished)


def _code(ledger: Ledger, plan: Plan, *, finished: bool) -> int:
    """The exit code of a run as it stands now."""
    if finished and ledger.progress.state != "incomplete":
        return Exit.OK
    if finished and not any(c.failed for c in shortfall(plan, ledger.progress)):
        # Resuming would change nothing: all was done that can be, and the answer is bad.
        return Exit.BAD_ANSWER
    return Exit.STOPPED


def _would(progress: Progress) -> str:
    """What a run in pretence says of the real one."""
    states = [p.state for p in progress.changes.values()]
    if set(states) <= {"applied"}:
        return f"{count(len(states), 'change')} would be applied"
    return f"in pretence, {summary(progress)}"


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
    code = _code(ledger, plan, finished=finished)
    if output == "json":
        screen.json("apply", run_document(progress, plan))
    else:
        if not finished:
            screen.line(("stopped: ", "bold red"), why_stopped(ledger.entries(progress.run)))
        head = "finished: " if code == Exit.OK else "done: " if finished else "done so far: "
        screen.line((head, "bold"), summary(progress))
        _left_out(screen, ledger, plan)
        if finished and code != Exit.OK:
            screen.line(("incomplete: ", "bold red"), why_stopped(ledger.entries(progress.run)))
    if finished:
        steps = after_incomplete(progress, plan) if code else [f"imdsctl verify {progress.run}"]
        screen.next(*steps)
        return code
    failed = [c for c in progress.changes.values() if c.state in ("failed", "rolled-back")]
    known = plan.changes()
    resource = known[failed[-1].id].resource if failed and failed[-1].id in known else None
    refused = any("not authorized" in c.detail for c in failed)
    first = ["imdsctl permissions apply   (what it has to be allowed)"] if refused else []
    if resource and not refused:
        first = [f"imdsctl explain {resource}"]
    screen.next(
        *first,
        f"imdsctl apply {file or ''} --resume {progress.run}".replace("  ", " "),
        f"imdsctl rollback {progress.run}",
    )
    return Exit.STOPPED
