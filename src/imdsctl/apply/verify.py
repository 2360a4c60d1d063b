"""A fresh look at what a run changed: what the API says, and what the metric says since."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from imdsctl.apply.handler import Site, handlers
from imdsctl.apply.ledger import Ledger
from imdsctl.model.evidence import Cell, Instance, Unreadable
from imdsctl.model.plan import Change, Plan

EARLY = timedelta(minutes=15)
"""Metrics lag behind by up to two periods of five minutes; sooner than this nothing is proved."""

_TRIES = "its callers try IMDSv2 next"

Seen = Callable[[Cell, list[Instance]], None]


class Verified(Struct, frozen=True, kw_only=True):
    """How one change stands now.

    `ok` is False where the live resource is not as the change left it, or where calls are being
    rejected. `api` and `metric` say it in words; `metric` is empty for what has no metric.
    """

    id: str
    resource: str
    account: str
    region: str
    ok: bool
    state: Literal["holds", "drifted", "gone", "unreadable", "refused-calls"]
    api: str
    metric: str = ""


def verify(plan: Plan, site: Site, ledger: Ledger, seen: Seen) -> list[Verified]:
    """Look at every applied change; `seen` is given the instances that were read.

    A change that a later one of the same resource built on is looked at through that one.
    """
    applied = [c for c in plan.changes().values() if ledger.change(c.id).state == "applied"]
    superseded = {n for c in applied for n in c.needs if plan.changes()[n].resource == c.resource}
    changes = [c for c in applied if c.id not in superseded]
    metric = _metrics([c for c in changes if c.kind == "instance-options"], site, ledger)
    by_cell: dict[Cell, list[Instance]] = defaultdict(list)
    results = []
    for change in changes:
        look = handlers()[change.kind].look(change, site)
        rejected, words = metric.get(change.id, (0, ""))
        api = look.detail or {"after": "as planned", "before": "as before the change"}.get(
            look.state, look.state
        )
        state: Literal["holds", "drifted", "gone", "unreadable", "refused-calls"]
        if look.state == "after" and not look.partial:
            state = "refused-calls" if rejected else "holds"
        elif look.state in ("gone", "unreadable"):
            state = "gone" if look.state == "gone" else "unreadable"
        else:
            state = "drifted"
        results.append(
            Verified(
                id=change.id,
                resource=change.resource,
                account=change.account,
                region=change.region,
                ok=state in ("holds", "gone"),
                state=state,
                api=api,
                metric=words,
            )
        )
    for cell, ids in _ids(changes).items():
        found = site.fleet.instances_by_id(cell, ids)
        if not isinstance(found, Unreadable):
            by_cell[cell].extend(found.values())
    for cell, instances in by_cell.items():
        seen(cell, instances)
    return results


def _ids(changes: Sequence[Change]) -> dict[Cell, list[str]]:
    found: dict[Cell, list[str]] = defaultdict(list)
    for change in changes:
        if change.kind == "instance-options":
            found[change.cell].append(change.resource)
    return found


def _metrics(changes: Sequence[Change], site: Site, ledger: Ledger) -> dict[str, tuple[int, str]]:
    """Rejected calls since each change, and what that means in words."""
    now = site.clock.now()
    by_cell: dict[Cell, list[Change]] = defaultdict(list)
    for change in changes:
        by_cell[change.cell].append(change)
    words: dict[str, tuple[int, str]] = {}
    for cell, members in by_cell.items():
        since = {c.resource: ledger.change(c.id).applied_at or now for c in members}
        rejected = site.metrics.rejected_since(cell, since, now)
        for change in members:
            at = since[change.resource]
            if isinstance(rejected, Unreadable):
                words[change.id] = (0, f"not read: {rejected.why}")
            elif count := rejected.get(change.resource, 0):
                if "rejected-calls" not in change.gates:
                    words[change.id] = (0, f"{count} IMDSv1 calls rejected, as expected: {_TRIES}")
                    continue
                words[change.id] = (count, f"{count} IMDSv1 calls rejected since {at:%H:%M} UTC")
            elif now - at < EARLY:
                words[change.id] = (0, "too early to say")
            else:
                words[change.id] = (0, f"clean since {at:%Y-%m-%d %H:%M} UTC")
    return words
