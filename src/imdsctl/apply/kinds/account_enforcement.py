"""HttpTokensEnforced of an account in a region (ModifyInstanceMetadataDefaults)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from imdsctl.apply.handler import AtOnce, Handler, Look, Site, drained
from imdsctl.judge.paths import PathFinder
from imdsctl.model.evidence import (
    Cell,
    Group,
    Instance,
    Item,
    Recorded,
    Unreadable,
)
from imdsctl.model.plan import Change
from imdsctl.ports import Outcome, Refused, Throttled

R = TypeVar("R")
T = TypeVar("T", bound=Item)

_NOT_DONE = "NotDone"


class AccountEnforcement(AtOnce):
    """Looks once more, right before it is switched on, at everything that it would stop."""

    def look(self, change: Change, site: Site) -> Look:
        """Compares the one member."""
        found = site.fleet.account_defaults(change.cell)
        if isinstance(found, Unreadable):
            return Look.failed(found)
        if found.managed_by == "declarative-policy":
            return Look(state="drifted", detail="a declarative policy owns the account default")
        live = {"http_tokens_enforced": found.enforced}
        return Look.compared(live, change, after=change.after, result={})

    def make(self, change: Change, site: Site) -> Outcome:
        """Switches it on, unless something came to be meanwhile that has to be able to use v1."""
        try:
            problem = _in_the_way(change.cell, site)
        except _UnreadError as unread:
            return Throttled("Unread", unread.why)
        if problem:
            return Refused(_NOT_DONE, problem)
        return site.control.set_account_defaults(change.cell, change.after)

    def undo(self, change: Change, site: Site) -> Outcome:
        """Sets it back to what it was; AWS allows that, other than for an image."""
        return site.control.set_account_defaults(change.cell, change.inverse or {})


class _UnreadError(Exception):
    """Something that decides could not be read."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _read(found: R | Unreadable) -> R:
    if isinstance(found, Unreadable):
        raise _UnreadError(found.why)
    return found


def _in_the_way(cell: Cell, site: Site) -> str:
    """What allows v1 now, as AWS shows it; empty if nothing does."""
    fleet = site.fleet
    defaults = _read(fleet.account_defaults(cell))
    if defaults.options.http_tokens != "required":
        return "the account default does not require tokens"
    for instance in _read(drained(fleet.instances(cell))):
        if _allows_v1(instance):
            return f"{instance.id} allows IMDSv1 now"
    groups = _read(drained(fleet.groups(cell)))
    versions = [
        version
        for template in sorted(_templates(groups))
        for version in _read(fleet.template_versions(cell, template))
    ]
    now = site.clock.now()
    paths = PathFinder(
        templates=_recorded(versions, now),
        configurations=_recorded(_read(drained(fleet.launch_configurations(cell))), now),
        groups=_recorded(groups, now),
        defaults=_recorded([defaults], now)[0],
        images=(),
        instances=(),
    ).paths()
    for path in paths:
        if path.kind == "group" and path.effective.posture == "v1-allowed":
            return f"group {path.name} would launch instances on v1 now"
    return ""


def _allows_v1(instance: Instance) -> bool:
    return (
        instance.state not in ("terminated", "shutting-down")
        and instance.options.posture == "v1-allowed"
    )


def _templates(groups: Iterable[Group]) -> set[str]:
    return {spec.template.id or spec.template.name for group in groups for spec in group.specs}


def _recorded(items: Sequence[T], at: datetime) -> list[Recorded[T]]:
    """What was just read, as the finder of launch paths takes it."""
    return [
        Recorded(id="live", kind="live", source="aws", observed_at=at, item=item) for item in items
    ]


HANDLER: Handler = AccountEnforcement()
