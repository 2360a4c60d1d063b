"""Which instances of a run are looked at on the host: canaries, all, or those that are named."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from imdsctl.apply.handler import Site, drained
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.plan import Change, Plan

_SOME: Final = 2
"""Instances that stand for a wave, or for a replaced group, that has no canaries of its own."""

Which = Literal["canaries", "all"] | frozenset[str]


class Target(Struct, frozen=True):
    """An instance to look at; `http_tokens` is what the run left it with."""

    cell: Cell
    instance: str
    http_tokens: str


class Chosen(Struct, frozen=True):
    """The targets of each change, by its id, and why those of some are not known."""

    targets: Mapping[str, list[Target]]
    unread: Mapping[str, str]

    @property
    def every(self) -> list[Target]:
        """All of them, each once."""
        found = {(t.cell, t.instance): t for many in self.targets.values() for t in many}
        return list(found.values())


def choose(plan: Plan, changes: Sequence[Change], site: Site, which: Which) -> Chosen:
    """The instances behind `changes`: changed in place, or born when their group was replaced.

    Canaries are those of the plan that still are among the changes; a wave that has none, and
    each group that was replaced, is stood for by the first two.

    Raises:
        UsageError: an instance that was named is none of the run's.
    """
    targets: dict[str, list[Target]] = {}
    unread: dict[str, str] = {}
    first = _standing_for_waves(plan, changes)
    for change in changes:
        if change.kind == "instance-options":
            tokens = str(change.after.get("http_tokens", "required"))
            if which != "canaries" or change.id in first:
                targets[change.id] = [Target(change.cell, change.resource, tokens)]
        elif groups := _replaced(change):
            members = _members(change, groups, site)
            if isinstance(members, Unreadable):
                unread[change.id] = f"the members of the group were not read: {members.why}"
                continue
            some = members[:_SOME] if which == "canaries" else members
            targets[change.id] = [Target(change.cell, one, "required") for one in some]
    if not isinstance(which, str):
        return _named(targets, unread, which)
    return Chosen(targets, unread)


def _standing_for_waves(plan: Plan, changes: Sequence[Change]) -> set[str]:
    """The changes whose instances are looked at for their wave."""
    there = {change.id for change in changes if change.kind == "instance-options"}
    found: set[str] = set()
    for wave in plan.waves:
        mine = [change.id for change in wave.changes if change.id in there]
        canaries = [one for one in mine if one in wave.canaries]
        found.update(canaries or mine[:_SOME])
    return found


def _replaced(change: Change) -> list[str]:
    """The groups whose instances a change replaces."""
    if change.kind == "instance-refresh":
        return [change.resource]
    if change.kind == "nodegroup-version":
        return [str(name) for name in change.before["groups"]]
    return [str(change.before["group"])] if change.kind == "beanstalk-option" else []


def _members(change: Change, names: Sequence[str], site: Site) -> list[str] | Unreadable:
    groups = drained(site.fleet.groups(change.cell, names))
    if isinstance(groups, Unreadable):
        return groups
    return [m.id for g in groups if g.name in names for m in g.members]


def _named(
    targets: Mapping[str, list[Target]], unread: Mapping[str, str], ids: Collection[str]
) -> Chosen:
    known = {target.instance for many in targets.values() for target in many}
    strangers = sorted(set(ids) - known)
    if strangers and not unread:
        raise UsageError(
            f"{strangers[0]} is no instance that this run changed",
            hint="--hosts takes instance ids of the run: imdsctl verify RUN -o json lists them",
        )
    kept = {key: [t for t in many if t.instance in ids] for key, many in targets.items()}
    return Chosen({key: many for key, many in kept.items() if many}, unread)
