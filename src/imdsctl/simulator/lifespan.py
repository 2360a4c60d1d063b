"""The CloudWatch data points of an instance's life, computed when they are asked for.

AWS/EC2 has two metrics of the metadata service (EC2 User Guide, "Transition to using Instance
Metadata Service Version 2"): MetadataNoToken counts the calls without a token while tokens are
optional, MetadataNoTokenRejected those that were refused while tokens are required. There is
one data point every five minutes (basic monitoring), and only while the instance runs.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from imdsctl.simulator.life import (
    Life,
    attempts,
    micros,
    moment,
    option_spans,
    outcome,
    run_spans,
)

Metric = Literal["MetadataNoToken", "MetadataNoTokenRejected"]
METRICS: Final[tuple[Metric, Metric]] = ("MetadataNoToken", "MetadataNoTokenRejected")

SLOT_SECONDS: Final = 300
_SLOT: Final = SLOT_SECONDS * 1_000_000

Spans = tuple[tuple[int, int], ...]


class Points(NamedTuple):
    """Data points as columns: seconds since the epoch, sums, and numbers of samples."""

    times: tuple[int, ...]
    sums: tuple[float, ...]
    samples: tuple[int, ...]


class _Frame(NamedTuple):
    """The buckets of a query: bucket i holds the five-minute slots edges[i] to edges[i + 1]."""

    start: int
    period: int
    edges: tuple[int, ...]


def series(
    life: Life, metric: Metric, start: datetime, end: datetime, period: int
) -> Sequence[tuple[datetime, float, int]]:
    """The data points of a metric as (time, sum, number of samples), oldest first.

    Args:
        life: the instance.
        metric: MetadataNoToken or MetadataNoTokenRejected.
        start: the first point may lie here; buckets of `period` begin here, too.
        end: points lie before this time. It must not lie beyond the simulated now.
        period: seconds, a multiple of 60. Below 300 there are points every 300 seconds only.
    """
    found = points(life, metric, int(start.timestamp()), int(end.timestamp()), period)
    times = (moment(second * 1_000_000) for second in found.times)
    return list(zip(times, found.sums, found.samples, strict=True))


def points(
    life: Life, metric: Metric, start: int, end: int, period: int, oldest: int = 0
) -> Points:
    """What `series` says, with times in seconds since the epoch and nothing before `oldest`."""
    if not life.metrics or start >= end:
        return Points((), (), ())
    frame = _frame(start, end, period)
    first = max(frame.edges[0], -(-oldest // SLOT_SECONDS))
    if life.recorded_from is not None:
        first = max(first, -(-micros(life.recorded_from) // _SLOT))
    last = frame.edges[-1]
    if metric == "MetadataNoTokenRejected":
        return _rejected(life, frame, first, last)
    spans = _published(life, first, last)
    grid = _grid(frame, spans)
    sums = _counted(life, frame, grid, spans)
    return Points(grid.times, sums, grid.samples) if sums else grid


@lru_cache(maxsize=16)
def _frame(start: int, end: int, period: int) -> _Frame:
    edges = [-(-second // SLOT_SECONDS) for second in range(start, end, period)]
    return _Frame(start, period, (*edges, -(-end // SLOT_SECONDS)))


def _published(life: Life, first: int, last: int) -> Spans:
    """The slots from `first` to before `last` in which MetadataNoToken has a data point.

    It has one in each slot in which the instance ran, for a part of it at least, with the
    endpoint enabled and tokens optional.
    """
    until = last * _SLOT
    found: list[tuple[int, int]] = []
    spans = option_spans(life, until)
    for start, end in run_spans(life, until):
        for since, to, options in spans:
            if options.http_tokens != "optional" or options.http_endpoint == "disabled":
                continue
            low = max(first, max(start, since) // _SLOT)
            high = min(last, -(-min(end, to) // _SLOT))
            if found:
                low = max(low, found[-1][1])
            if low < high and start < to and since < end:
                found.append((low, high))
    return tuple(found)


@lru_cache(maxsize=256)
def _grid(frame: _Frame, spans: Spans) -> Points:
    """The buckets of `frame` that hold slots of `spans`, all with a sum of zero.

    Instances that ran all the time share one grid, which makes a quiet fleet cheap.
    """
    times, samples = [], []
    for index, (low, high) in enumerate(pairwise(frame.edges)):
        held = sum(max(0, min(high, end) - max(low, start)) for start, end in spans)
        if held:
            times.append(frame.start + index * frame.period)
            samples.append(held)
    return Points(tuple(times), (0.0,) * len(times), tuple(samples))


def _counted(life: Life, frame: _Frame, grid: Points, spans: Spans) -> tuple[float, ...]:
    """The sums of MetadataNoToken in the buckets of `grid`; empty where nothing ever calls v1."""
    options = [entry for _, entry in life.options]
    callers = [
        caller
        for caller in life.callers
        if any(outcome(caller, entry).counted == "no_token" for entry in options)
    ]
    scripts = [at for at, kind in life.commands if kind == "no_token"]
    if not (callers or scripts) or not spans:
        return ()
    sums = dict.fromkeys(grid.times, 0)
    low, high = spans[0][0] * _SLOT, spans[-1][1] * _SLOT
    edges = frame.edges
    for caller in callers:
        for one in attempts(life, caller, high, low):
            if outcome(caller, one.options).counted != "no_token":
                continue
            end = one.first + (one.calls - 1) * one.step + 1
            index = max(0, (one.first // 1_000_000 - frame.start) // frame.period - 1)
            while index + 1 < len(edges) and edges[index] * _SLOT < end:
                count = one.between(edges[index] * _SLOT, edges[index + 1] * _SLOT)
                if count:
                    sums[frame.start + index * frame.period] += count
                index += 1
    for at in scripts:
        index = (at // 1_000_000 - frame.start) // frame.period
        # The bucket that holds the slot of the call, which may begin before the bucket does.
        while 0 <= index + 1 < len(edges) and edges[index + 1] * _SLOT <= at:
            index += 1
        time = frame.start + index * frame.period
        if low <= at < high and time in sums:
            sums[time] += 1
    return tuple(float(value) for value in sums.values())


def _rejected(life: Life, frame: _Frame, first: int, last: int) -> Points:
    """MetadataNoTokenRejected, which has points only where a call was refused."""
    per_slot = _rejected_slots(life, first, last)
    times, sums, samples = [], [], []
    slots = sorted(slot for slot in per_slot if first <= slot < last)
    position = 0
    for index, (_, high) in enumerate(pairwise(frame.edges)):
        held = 0
        total = 0
        while position < len(slots) and slots[position] < high:
            total += per_slot[slots[position]]
            held += 1
            position += 1
        if held:
            times.append(frame.start + index * frame.period)
            sums.append(float(total))
            samples.append(held)
    return Points(tuple(times), tuple(sums), tuple(samples))


def _rejected_slots(life: Life, first: int, last: int) -> dict[int, int]:
    """How many calls were refused in each five-minute slot, those of scripts included."""
    per_slot: dict[int, int] = {}
    options = [entry for _, entry in life.options]
    for caller in life.callers:
        if not any(outcome(caller, entry).counted == "rejected" for entry in options):
            continue
        for one in attempts(life, caller, last * _SLOT, first * _SLOT):
            if outcome(caller, one.options).counted != "rejected":
                continue
            at, made = one.first, 0
            while made < one.calls:
                slot = at // _SLOT
                count = one.between(slot * _SLOT, (slot + 1) * _SLOT)
                per_slot[slot] = per_slot.get(slot, 0) + count
                made += count
                at = one.first + made * one.step
    for at, kind in life.commands:
        if kind == "rejected":
            per_slot[at // _SLOT] = per_slot.get(at // _SLOT, 0) + 1
    return per_slot
