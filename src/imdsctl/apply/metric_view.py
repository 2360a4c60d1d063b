"""What CloudWatch's two counts say of a run: before the flip who still calls, after it who is cut.

MetadataNoToken is counted while tokens are optional, MetadataNoTokenRejected while they are
required; an instance has the one or the other (EC2 User Guide, "CloudWatch metrics that are
available for your instances"). Silence in the second proves something only where the first had
data: an instance without any data point is silent whatever happens on it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, structs

from imdsctl.apply.handler import Site
from imdsctl.model.cell import calls_in_words
from imdsctl.model.evidence import Calls, Cell, Instance, Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Watched

EARLY = timedelta(minutes=15)
"""Metrics lag behind by up to two periods of five minutes; sooner than this nothing is proved."""

_BEFORE = timedelta(days=1)
"""How far before the flip data points are looked for, to tell silence from no data."""

State = Literal["", "refused", "expected", "called", "clean", "early", "no-data", "not-read"]


class MetricView(Struct, frozen=True):
    """What a metric says of one instance, as a word and in words; `count` is of calls."""

    state: State
    words: str
    count: int = 0


NO_METRIC = MetricView("", "")

Instances = Mapping[tuple[Cell, str], Instance]


def after_the_flip(
    changes: Sequence[Change], since: Mapping[str, datetime], instances: Instances, site: Site
) -> dict[str, MetricView]:
    """The metric's view of changes in place, by change id; `since` is when each was applied."""
    found: dict[str, MetricView] = {}
    by_cell: dict[tuple[Cell, bool], list[Change]] = defaultdict(list)
    for change in changes:
        requires = change.after.get("http_tokens", "required") == "required"
        by_cell[change.cell, requires].append(change)
    for (cell, requires), members in by_cell.items():
        times = {change.resource: since[change.id] for change in members}
        views = (
            _rejected(cell, times, instances, site)
            if requires
            else still_calling(cell, times, instances, site)
        )
        found.update({change.id: _minded(views[change.resource], change) for change in members})
    return found


def _minded(view: MetricView, change: Change) -> MetricView:
    """Rejected calls are to be expected where the change has no gate on them."""
    if view.state != "refused" or "rejected-calls" in change.gates:
        return view
    words = f"{view.words}, as expected: its callers try IMDSv2 next"
    return structs.replace(view, state="expected", words=words)


def still_calling(
    cell: Cell, since: Mapping[str, datetime], instances: Instances, site: Site
) -> dict[str, MetricView]:
    """What MetadataNoToken says of instances that still allow v1, since a time of each."""
    now = site.clock.now()
    # CloudWatch sums by the hour here, so the windows of all begin together.
    start = min(since.values())
    calls = _calls(cell, since, instances, start, now, site)
    views = {}
    for instance, begin in since.items():
        one = calls.get(instance)
        if isinstance(one, str) or one is None:
            views[instance] = MetricView("not-read", f"not read: {one or 'no answer'}")
        elif one.v1 is not None and one.v1.total:
            words = f"MetadataNoToken: {calls_in_words(one.v1.total)} since {_hour(start)} UTC"
            views[instance] = MetricView("called", words, one.v1.total)
        elif now - begin < EARLY:
            views[instance] = MetricView("early", "too early to say")
        elif one.v1 is None:
            views[instance] = _silent(instances.get((cell, instance)))
        else:
            words = f"MetadataNoToken: no call since {_hour(start)} UTC"
            views[instance] = MetricView("clean", words)
    return views


def _rejected(
    cell: Cell, since: Mapping[str, datetime], instances: Instances, site: Site
) -> dict[str, MetricView]:
    """What MetadataNoTokenRejected says of instances that require tokens."""
    now = site.clock.now()
    rejected = site.metrics.rejected_since(cell, since, now)
    if isinstance(rejected, Unreadable):
        return {one: MetricView("not-read", f"not read: {rejected.why}") for one in since}
    views: dict[str, MetricView] = {}
    silent: dict[str, datetime] = {}
    for instance, at in since.items():
        if count := rejected.get(instance, 0):
            words = f"{calls_in_words(count)} rejected since {at:%Y-%m-%d %H:%M} UTC"
            views[instance] = MetricView("refused", words, count)
        elif now - at < EARLY:
            views[instance] = MetricView("early", f"too early to say (since {at:%H:%M} UTC)")
        else:
            silent[instance] = at
    if silent:
        first = min(silent.values())
        before = _calls(cell, silent, instances, first - _BEFORE, first, site)
        for instance, at in silent.items():
            one = before.get(instance)
            live = instances.get((cell, instance))
            if live is not None and live.state != "running":
                views[instance] = _silent(live)
            elif isinstance(one, str) or one is None:
                words = f"not read: {one or 'no answer'}"
                views[instance] = MetricView("not-read", words)
            elif one.v1 is None and one.rejected is None:
                views[instance] = _silent(live)
            else:
                words = f"clean since {at:%Y-%m-%d %H:%M} UTC"
                views[instance] = MetricView("clean", words)
    return views


def _calls(
    cell: Cell,
    ids: Mapping[str, datetime],
    instances: Instances,
    start: datetime,
    end: datetime,
    site: Site,
) -> dict[str, Calls | str]:
    """Both metrics of each instance, or why they were not read."""
    watched = []
    for one in ids:
        live = instances.get((cell, one))
        watched.append(Watched(id=one, since=live.launched_at if live else start))
    found: dict[str, Calls | str] = {}
    for page in site.metrics.calls(cell, watched, start, end):
        if isinstance(page, Unreadable):
            found = {**dict.fromkeys(ids, page.why), **found}
        else:
            found.update({one.id: one for one in page})
    return found


def _silent(instance: Instance | None) -> MetricView:
    """Why there may be no data point at all."""
    if instance is not None and instance.state != "running":
        return MetricView("no-data", f"{instance.state}: nothing on it can call")
    if instance is not None and instance.options.http_endpoint == "disabled":
        return MetricView("no-data", "IMDS is off: nothing is counted")
    return MetricView("no-data", "no data point at all: silence proves nothing")


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H}:00"
