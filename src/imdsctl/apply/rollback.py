"""Taking back what a run changed, newest first, to exactly what was recorded."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.perform import Performer
from imdsctl.apply.runbooks import Runbooks
from imdsctl.apply.shortfall import Short, in_words
from imdsctl.apply.stopped import Stopped
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.plan import ONE_WAY, Change, Plan
from imdsctl.model.run import fold
from imdsctl.ports import Fleet, Journal

_TAKEN = ("applied", "in-doubt")
_ENFORCEMENT = "account-enforcement"


def chosen(plan: Plan, ledger: Ledger, only: Iterable[str]) -> list[Change]:
    """The changes to take back, in reverse order of how they were made.

    Raises:
        UsageError: `only` names something that the run did not change.
    """
    wanted = set(only)
    changes = [c for c in plan.changes().values() if ledger.change(c.id).state in _TAKEN]
    if not wanted:
        return changes[::-1]
    known = {name for c in changes for name in (c.id, c.resource, c.name)}
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"the run has no change of {name} to take back",
                hint="`imdsctl runs RUN` lists what it changed",
            )
    return [c for c in changes[::-1] if wanted & {c.id, c.resource, c.name}]


def standing(changes: Iterable[Change]) -> list[Change]:
    """Those that nothing takes back."""
    return [change for change in changes if change.inverse is None]


def check_allowed(changes: Sequence[Change], fleet: Fleet, journal: Journal) -> None:
    """Refuse before anything is touched where AWS would refuse on the way.

    Raises:
        RefusedError: HttpTokensEnforced forbids going back to v1, or the account default belongs
            to a declarative policy, or nothing of it can be taken back at all.
    """
    lasting = standing(changes)
    if lasting and len(lasting) == len(changes):
        names = ", ".join(c.resource for c in lasting)
        raise RefusedError(
            f"{names} cannot be taken back",
            detail="ImdsSupport stays on an image once it is set (EC2 API Reference, "
            "ModifyImageAttribute)",
            hint="the only way back is a new image, registered from the snapshot of this one",
        )
    # What the rollback lifts itself, it lifts first.
    lifted = {c.cell for c in changes if c.kind == _ENFORCEMENT}
    to_v1 = {c.cell for c in changes if c.kind not in ONE_WAY and not _keeps_tokens(c)}
    defaults = {c.cell for c in changes if c.kind in ("account-defaults", _ENFORCEMENT)}
    for cell in sorted(to_v1 | defaults):
        found = fleet.account_defaults(cell)
        if isinstance(found, Unreadable):
            continue
        if cell in defaults and found.managed_by == "declarative-policy":
            raise RefusedError(
                f"rollback is forbidden in {cell}: a declarative policy owns the account default",
                detail=found.managed_message,
                hint="name the others with --only",
            )
        if cell in to_v1 - lifted and found.enforced == "enabled":
            raise RefusedError(
                f"rollback is forbidden in {cell}: HttpTokensEnforced is enabled",
                detail="EC2 refuses to set tokens back to optional on any instance there, and "
                "every launch that would come out on v1",
                hint=_lift(cell, journal, managed=found.managed_by == "declarative-policy"),
            )


def _lift(cell: Cell, journal: Journal, *, managed: bool) -> str:
    """How enforcement would be switched off there."""
    if managed:
        return "whoever manages the organization's declarative policies has to lift it first"
    name = "/".join(cell)
    for run in journal.runs():
        progress = fold(run.id, journal.entries(run.id))
        made = {c.id for c in progress.changes.values() if c.state == "applied"}
        for change in journal.plan_of(run.id).changes().values():
            if change.id in made and (change.kind, change.cell) == (_ENFORCEMENT, cell):
                return f"take that back first: imdsctl rollback {run.id} --only {name}"
    return (
        "whoever enforced it has to disable it first (ec2:ModifyInstanceMetadataDefaults, "
        "HttpTokensEnforced=disabled)"
    )


def _keeps_tokens(change: Change) -> bool:
    """Whether an instance's way back leaves its tokens as they are now."""
    return change.kind == "instance-options" and not change.requires_tokens


def take_back(
    changes: Sequence[Change],
    site: Site,
    ledger: Ledger,
    runbooks: Runbooks,
    planned: Sequence[Change],
) -> list[Change]:
    """Take all of them back, and say which are not as recorded again.

    Where enforcement cannot be lifted, EC2 would refuse the rest there, so it is left alone.

    Where `runbooks` are used, neighbours that a runbook can restore are restored together.
    `planned` are all the changes of the plan: executions that a killed run left under way would go
    on behind our back, so they are cancelled first.

    Raises:
        KeyboardInterrupt: after the call under way was journaled; the rollback can be repeated.
    """
    performer = Performer(site, ledger)
    enforced: set[Cell] = set()
    try:
        runbooks.take_up(planned, cancel=True)
        todo = [c for c in changes if ledger.change(c.id).state in _TAKEN]
        for together, group in groupby(
            todo, lambda c: runbooks.used and c.kind == "instance-options"
        ):
            if together:
                runbooks.take_back([c for c in group if not _stays(c, enforced, site, ledger)], {})
                continue
            for change in group:
                if _stays(change, enforced, site, ledger):
                    continue
                progress = performer.take_back(change)
                if change.kind == _ENFORCEMENT and progress.state != "rolled-back":
                    enforced.add(change.cell)
    except Stopped as stop:
        ledger.write(site.run, "stopped", "", {"detail": str(stop)})
        return [c for c in changes if ledger.change(c.id).state in _TAKEN]
    except KeyboardInterrupt:
        ledger.write(site.run, "interrupted", "", {})
        raise
    left = [c for c in changes if ledger.change(c.id).state in _TAKEN]
    lasting = {c.id for c in standing(left)}
    taken = {p.id for p in ledger.progress.changes.values() if p.state in _TAKEN}
    missed = [c for c in left if c.id not in lasting]
    if missed:
        told = [Short.of(c, ledger.change(c.id)) for c in missed]
        ledger.write(site.run, "incomplete", "", {"detail": f"rollback: {in_words(told)}"})
    elif taken <= lasting:
        stands = ", ".join(c.resource for c in standing(left))
        ledger.write(site.run, "rolled-back", "", {"detail": f"stands: {stands}"} if stands else {})
    return left


def _stays(change: Change, enforced: set[Cell], site: Site, ledger: Ledger) -> bool:
    """Whether a change is left alone, because enforcement there could not be lifted."""
    if change.cell not in enforced or change.kind in ONE_WAY:
        return False
    detail = "left alone: HttpTokensEnforced is still enabled"
    ledger.write(site.run, "undo-failed", change.id, {"detail": detail})
    return True
