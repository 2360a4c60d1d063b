"""The gates after canaries and waves: what has to hold before the next change is made."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from imdsctl.apply.handler import Site, drained
from imdsctl.model.cell import calls_in_words
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.plan import Change


def failing(
    changes: Sequence[Change], site: Site, since: dict[str, datetime]
) -> dict[str, str] | Unreadable:
    """Which instances fail a gate now, by id with the reason; or what could not be read.

    Three gates: calls rejected since the change (MetadataNoTokenRejected), EC2's status checks,
    and the health that the Auto Scaling group sees. An instance that is gone fails nothing.
    """
    by_cell: dict[Cell, list[Change]] = defaultdict(list)
    for change in changes:
        by_cell[change.cell].append(change)
    bad: dict[str, str] = {}
    for cell, members in by_cell.items():
        ids = [change.resource for change in members]
        watched = {c.resource: since[c.resource] for c in members if "rejected-calls" in c.gates}
        rejected = site.metrics.rejected_since(cell, watched, site.clock.now())
        if isinstance(rejected, Unreadable):
            return rejected
        health = unhealthy(cell, ids, site)
        if isinstance(health, Unreadable):
            return health
        bad.update(health)
        grouped = _unhealthy_in_groups(cell, members, site)
        if isinstance(grouped, Unreadable):
            return grouped
        bad.update(grouped)
        bad.update({i: f"{calls_in_words(n)} rejected" for i, n in rejected.items() if n})
    return bad


def unhealthy(cell: Cell, ids: Sequence[str], site: Site) -> dict[str, str] | Unreadable:
    """Instances whose status checks are impaired."""
    found = site.health.instance_health(cell, ids)
    if isinstance(found, Unreadable):
        return found
    return {
        h.id: f"status check {'instance' if h.instance_status == 'impaired' else 'system'} impaired"
        for h in found.values()
        if "impaired" in (h.instance_status, h.system_status)
    }


def _unhealthy_in_groups(
    cell: Cell, changes: Sequence[Change], site: Site
) -> dict[str, str] | Unreadable:
    wanted = {c.resource for c in changes if "group-health" in c.gates}
    if not wanted:
        return {}
    groups = drained(site.fleet.groups(cell))
    if isinstance(groups, Unreadable):
        return groups
    return {
        member.id: f"unhealthy in group {group.name}"
        for group in groups
        for member in group.members
        if member.id in wanted and not member.healthy
    }
