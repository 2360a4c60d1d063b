"""The nodes of an EKS managed node group, as a change of it has to know them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from imdsctl.apply.handler import Look, Site, drained
from imdsctl.model.cell import calls_in_words
from imdsctl.model.evidence import GroupMember, Nodegroup, Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import NodegroupUpdate

_SOAK_SECONDS: Final = 900
"""Metrics lag behind by up to two periods of five minutes; the newest node has to be older."""

_PERIOD: Final = timedelta(minutes=5)
"""Of CloudWatch's data points with basic monitoring."""
_YOUNG: Final = timedelta(hours=1)
"""What makes an older node unhealthy is not its birth; a resumed run may look days later."""


def live_nodegroup(change: Change, site: Site) -> Nodegroup | Look:
    """The node group as EKS describes it now, or the look that says why there is none."""
    found = drained(site.fleet.nodegroups(change.cell, [name_of(change)]))
    if isinstance(found, Unreadable):
        return Look.failed(found)
    return found[0] if found else Look(state="gone", detail="the node group was deleted")


def name_of(change: Change) -> tuple[str, str]:
    """Cluster and name of the node group."""
    cluster, _, name = change.resource.partition("/")
    return cluster, name


def updates_of(change: Change, site: Site, only: str = "") -> list[NodegroupUpdate] | Unreadable:
    """Its updates, newest first, or `only` one of them."""
    cluster, name = name_of(change)
    return site.health.nodegroup_updates(change.cell, cluster, name, [only] if only else ())


def new_members(change: Change, site: Site) -> list[GroupMember] | Unreadable:
    """Members of the node group's Auto Scaling groups that were not there before."""
    found = drained(site.fleet.groups(change.cell, change.before["groups"]))
    if isinstance(found, Unreadable):
        return found
    old = set(change.before["instances"])
    return [member for group in found for member in group.members if member.id not in old]


def left_over(change: Change, site: Site) -> list[str] | Unreadable:
    """New nodes that are still on V2 only: an update that failed may leave some behind."""
    new = new_members(change, site)
    if isinstance(new, Unreadable):
        return new
    if not new:
        return []
    found = site.fleet.instances_by_id(change.cell, [member.id for member in new])
    if isinstance(found, Unreadable):
        return found
    gone = ("terminated", "shutting-down")
    return sorted(
        i.id for i in found.values() if i.options.posture == "v2-only" and i.state not in gone
    )


@dataclass
class Watched:
    """What the new nodes have shown so far; once wrong stays wrong, also where a node is gone."""

    wrong: dict[str, str] = field(default_factory=dict)
    unhealthy: dict[str, str] = field(default_factory=dict)
    unreadable: Unreadable | None = None
    newest: datetime | None = None
    unread: int = 0

    def look(self, change: Change, site: Site, started: datetime) -> None:
        """Look at the calls that were refused, at the group's health, and at the nodes' ages."""
        self.unreadable = None
        members = new_members(change, site)
        if isinstance(members, Unreadable):
            self.unreadable = members
            return
        ids = [member.id for member in members]
        if not ids:
            return
        found = site.fleet.instances_by_id(change.cell, ids)
        # A whole period earlier: none of these nodes is so old, and the period in which the update
        # began counts with them.
        since = started - _PERIOD
        rejected = site.metrics.rejected_since(
            change.cell, dict.fromkeys(ids, since), site.clock.now()
        )
        for answer in (found, rejected):
            if isinstance(answer, Unreadable):
                self.unreadable = answer
        if not isinstance(found, Unreadable):
            self.newest = max((i.launched_at for i in found.values()), default=self.newest)
            oldest = site.clock.now() - _YOUNG
            young = {i.id for i in found.values() if i.launched_at >= oldest}
            self.unhealthy = {
                m.id: "unhealthy in its group" for m in members if m.id in young and not m.healthy
            }
        if not isinstance(rejected, Unreadable):
            self.wrong |= {k: f"{calls_in_words(n)} rejected" for k, n in rejected.items() if n}

    def long_enough(self, site: Site) -> bool:
        """Whether the metrics of the newest node have had the time to show."""
        if self.wrong or self.newest is None:
            return True
        return (site.clock.now() - self.newest).total_seconds() >= _SOAK_SECONDS

    @property
    def words(self) -> str:
        """What is wrong, node by node; empty if nothing is."""
        found = {**self.unhealthy, **self.wrong}
        return ", ".join(f"{node}: {what}" for node, what in sorted(found.items()))
