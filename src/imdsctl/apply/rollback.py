"""Taking back what a run changed, newest first, to exactly what was recorded."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.perform import Performer
from imdsctl.apply.runbooks import Runbooks
from imdsctl.apply.stopped import Stopped
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change, Plan
from imdsctl.ports import Fleet

_TAKEN = ("applied", "in-doubt")


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


def check_allowed(changes: Sequence[Change], fleet: Fleet) -> None:
    """Refuse before anything is touched where AWS would refuse on the way.

    Raises:
        RefusedError: HttpTokensEnforced forbids going back from required to optional, or the
            account default belongs to a declarative policy, or a change cannot be taken back.
    """
    for change in changes:
        if change.irreversible:
            raise RefusedError(
                f"{change.id} cannot be taken back",
                detail=change.reason,
                hint="name the others with --only",
            )
    back_to_v1 = {c.cell for c in changes if _loosens(c)}
    defaults = {c.cell for c in changes if c.kind == "account-defaults"}
    for cell in sorted(back_to_v1 | defaults):
        found = fleet.account_defaults(cell)
        if isinstance(found, Unreadable):
            continue
        if cell in back_to_v1 and found.enforced == "enabled":
            raise RefusedError(
                f"rollback is forbidden in {cell}: HttpTokensEnforced is enabled",
                detail="EC2 refuses to set tokens back to optional on any instance there, and to "
                "launch one with them",
                hint="whoever enforced it has to disable it first "
                "(ec2:ModifyInstanceMetadataDefaults or the organization's declarative policy)",
            )
        if cell in defaults and found.managed_by == "declarative-policy":
            raise RefusedError(
                f"rollback is forbidden in {cell}: a declarative policy owns the account default",
                hint="name the others with --only",
            )


_REPLACING = ("instance-refresh", "beanstalk-option")


def _loosens(change: Change) -> bool:
    """Whether taking it back modifies or launches an instance so that it answers IMDSv1."""
    return change.kind in _REPLACING or (
        change.kind == "instance-options"
        and change.before.get("http_tokens") == "optional"
        and change.after.get("http_tokens") == "required"
    )


def take_back(
    changes: Sequence[Change],
    site: Site,
    ledger: Ledger,
    runbooks: Runbooks,
    planned: Sequence[Change],
) -> bool:
    """Take all of them back; True if every one is as recorded again.

    Where `runbooks` are used, neighbours that a runbook can restore are restored together.
    `planned` are all the changes of the plan: executions that a killed run left under way would go
    on behind our back, so they are cancelled first.

    Raises:
        KeyboardInterrupt: after the call under way was journaled; the rollback can be repeated.
    """
    performer = Performer(site, ledger)
    try:
        runbooks.take_up(planned, cancel=True)
        todo = [c for c in changes if ledger.change(c.id).state in _TAKEN]
        for together, group in groupby(
            todo, lambda c: runbooks.used and c.kind == "instance-options"
        ):
            if together:
                runbooks.take_back(list(group), {})
                continue
            for change in group:
                performer.take_back(change)
    except Stopped as stop:
        ledger.write(site.run, "stopped", "", {"detail": str(stop)})
        return False
    except KeyboardInterrupt:
        ledger.write(site.run, "interrupted", "", {})
        raise
    left = [c for c in changes if ledger.change(c.id).state in _TAKEN]
    everything = [p for p in ledger.progress.changes.values() if p.state in _TAKEN]
    if not left and not everything:
        ledger.write(site.run, "rolled-back", "", {})
    return not left
