"""A fresh look at a run: what the API says, what the metric says since, what the hosts say."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field, structs

from imdsctl.apply.handler import Site, handlers
from imdsctl.apply.host_targets import Chosen, Which, choose
from imdsctl.apply.hosts import HostLooker
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.metric_view import (
    NO_METRIC,
    Instances,
    MetricView,
    State,
    after_the_flip,
    still_calling,
)
from imdsctl.model.evidence import Cell, Instance, Unreadable
from imdsctl.model.host import HostLook
from imdsctl.model.plan import Change, Plan
from imdsctl.model.probes import own_calls

Seen = Callable[[Cell, list[Instance]], None]
Found = Literal["holds", "drifted", "gone", "unreadable", "refused-calls"]


class HostView(Struct, frozen=True, kw_only=True):
    """What the hosts behind one change say; `state` is the worst of them."""

    state: Literal["good", "bad", "not-looked-at", "gone"]
    why: str = ""
    instances: list[HostLook] = field(default_factory=list)


class Verified(Struct, frozen=True, kw_only=True):
    """How one change stands now.

    `ok` is False where the live resource is not as the change left it, where calls are being
    rejected, where that could not be read, or where the host itself shows something wrong. `api`
    and `metric` say it in words; `metric` is empty for what has no metric, `host` None where no
    host was to be looked at.
    """

    id: str
    resource: str
    account: str
    region: str
    ok: bool
    state: Found
    api: str
    metric: str = ""
    metric_state: State = ""
    host: HostView | None = None


class Waiting(Struct, frozen=True, kw_only=True):
    """An instance of the plan that still allows v1: not changed yet, or held; who calls it."""

    resource: str
    account: str
    region: str
    why: str
    metric: str
    metric_state: State


class Verification(Struct, frozen=True, kw_only=True):
    """The whole look; `own_calls` are those of earlier probes, which the metrics leave out."""

    changes: list[Verified]
    waiting: list[Waiting]
    own_calls: int = 0


def verify(
    plan: Plan,
    site: Site,
    ledger: Ledger,
    seen: Seen,
    *,
    which: Which | None = None,
    looker: HostLooker | None = None,
) -> Verification:
    """Look at every applied change, and at what calls on those that wait.

    A change that a later one of the same resource built on is looked at through that one. The
    metrics are read before any host is asked, because the probe itself calls once without a token.

    Args:
        plan: the run's plan.
        site: the outside world of the run.
        ledger: its journal.
        seen: is given the instances that were read.
        which: the hosts to look at; None for none.
        looker: looks at them.

    Raises:
        UsageError: a host was named that is none of the run's.
    """
    applied = [c for c in plan.changes().values() if ledger.change(c.id).state == "applied"]
    superseded = {n for c in applied for n in c.needs if plan.changes()[n].resource == c.resource}
    changes = [c for c in applied if c.id not in superseded]
    in_place = [c for c in changes if c.kind == "instance-options"]
    waiting = _waiting(plan, ledger)
    chosen = choose(plan, changes, site, which) if which is not None and looker else None
    instances = _instances(in_place, waiting, site, seen)
    now = site.clock.now()
    since = {c.id: ledger.change(c.id).applied_at or now for c in in_place}
    metric = after_the_flip(in_place, since, instances, site)
    results = [_look(change, site, metric.get(change.id, NO_METRIC)) for change in changes]
    still = _still_waiting(plan, waiting, instances, site)
    own = sum(map(len, own_calls(ledger.entries(site.run)).values()))
    if chosen is not None and looker is not None:
        looks = looker.look(chosen.every)
        results = [_with_host(one, chosen, looks) for one in results]
    return Verification(changes=results, waiting=still, own_calls=own)


def _look(change: Change, site: Site, metric: MetricView) -> Verified:
    look = handlers()[change.kind].look(change, site)
    api = look.detail or {"after": "as planned", "before": "as before the change"}.get(
        look.state, look.state
    )
    state: Found
    if look.state == "after" and not look.partial:
        state = {"refused": "refused-calls", "not-read": "unreadable"}.get(  # type: ignore[assignment]
            metric.state, "holds"
        )
    elif look.state in ("gone", "unreadable"):
        state = "gone" if look.state == "gone" else "unreadable"
    else:
        state = "drifted"
    gone = state == "gone"
    return Verified(
        id=change.id,
        resource=change.resource,
        account=change.account,
        region=change.region,
        ok=state in ("holds", "gone"),
        state=state,
        api=api,
        metric="" if gone else metric.words,
        metric_state="" if gone else metric.state,
    )


def _with_host(
    one: Verified, chosen: Chosen, looks: Mapping[tuple[Cell, str], HostLook]
) -> Verified:
    """The same with what its hosts say."""
    found = [looks[t.cell, t.instance] for t in chosen.targets.get(one.id, ())]
    why = chosen.unread.get(one.id, "")
    if not found and not why:
        return one
    states = {look.state for look in found} | ({"not-looked-at"} if why else set())
    order: tuple[Literal["bad", "not-looked-at", "good", "gone"], ...]
    order = ("bad", "not-looked-at", "good", "gone")
    state = next(state for state in order if state in states)
    view = HostView(state=state, why=why, instances=found)
    return structs.replace(one, ok=one.ok and state != "bad", host=view)


def _waiting(plan: Plan, ledger: Ledger) -> dict[tuple[Cell, str], str]:
    """The plan's instances that were not changed, and why they still allow v1."""
    found = {
        (Cell(held.account, held.region), held.resource): f"held: {held.status}"
        for held in plan.held
        if held.resource.startswith("i-")
    }
    for change in plan.changes().values():
        state = ledger.change(change.id).state
        if change.kind == "instance-options" and state in ("pending", "rolled-back", "failed"):
            done = ledger.earlier(change.id)
            if done is None:
                word = "not applied yet" if state == "pending" else state.replace("-", " ")
                found[change.cell, change.resource] = word
    return found


def _instances(
    changes: Sequence[Change],
    waiting: Mapping[tuple[Cell, str], str],
    site: Site,
    seen: Seen,
) -> Instances:
    """All that the look is about, as EC2 describes them now; what was read is handed to `seen`."""
    wanted: dict[Cell, list[str]] = defaultdict(list)
    for cell, one in [*((c.cell, c.resource) for c in changes), *waiting]:
        wanted[cell].append(one)
    found: dict[tuple[Cell, str], Instance] = {}
    for cell, ids in wanted.items():
        read = site.fleet.instances_by_id(cell, list(dict.fromkeys(ids)))
        if not isinstance(read, Unreadable):
            found.update({(cell, one.id): one for one in read.values()})
            if read:
                seen(cell, list(read.values()))
    return found


def _still_waiting(
    plan: Plan, waiting: Mapping[tuple[Cell, str], str], instances: Instances, site: Site
) -> list[Waiting]:
    """What MetadataNoToken says of those that wait, since the scan that the plan is made from."""
    by_cell: dict[Cell, list[str]] = defaultdict(list)
    for cell, one in waiting:
        live = instances.get((cell, one))
        if live is not None and live.options.posture == "v1-allowed" and live.state == "running":
            by_cell[cell].append(one)
    found = []
    for cell, ids in by_cell.items():
        views = still_calling(cell, dict.fromkeys(ids, plan.scanned_at), instances, site)
        found += [
            Waiting(
                resource=one,
                account=cell.account,
                region=cell.region,
                why=waiting[cell, one],
                metric=views[one].words,
                metric_state=views[one].state,
            )
            for one in ids
        ]
    return found
