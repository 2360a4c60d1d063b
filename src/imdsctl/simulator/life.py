"""What the programs on a simulated instance do, and what follows from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, NamedTuple

Behaviour = Literal["v1-only", "v1-first", "v2", "fallback", "v2-strict"]
When = Literal["steady", "boot", "nightly", "monthly", "failover"]
Container = Literal["none", "host", "bridge", "overlay"]
Kind = Literal["no_token", "rejected"]

EXTRA_HOPS: Final[dict[str, int]] = {"none": 0, "host": 0, "bridge": 1, "overlay": 2}


@dataclass(frozen=True, slots=True)
class Caller:
    """A program on an instance that reads the metadata service."""

    program: str
    behaviour: Behaviour = "v2"
    when: When = "steady"
    per_hour: float = 6
    container: Container = "none"
    sdk: str = ""
    user_agent: str = ""
    vital: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """The five metadata options of an instance, with AWS's names and values."""

    http_tokens: str = "optional"
    http_put_response_hop_limit: int = 1
    http_endpoint: str = "enabled"
    http_protocol_ipv6: str = "disabled"
    instance_metadata_tags: str = "disabled"


@dataclass(slots=True)
class Life:
    """One instance from launch to termination: what it ran, when, and under which options.

    `options` holds (since, options), oldest first, the first one at launch. `runs` holds the
    intervals in which the instance was running, the last one open (None) while it runs.
    `boots` are the times it booted, `failovers` those at which a failover was triggered.
    `commands` holds the calls without a token that scripts of Run Command made, as (microseconds
    since the epoch, metric). `role` is the IAM role whose credentials the metadata service has, ""
    for none; they do not resolve where `credentials` is "broken".
    `recorded_from` is when metric history begins (a fleet's `history_days` before its start),
    None meaning at the launch. `predecessor` holds the options that the instances of its group
    ran under before this one was born, None where there were none or they are not known.
    """

    instance_id: str
    account: str
    region: str
    name: str
    asg: str | None
    launched_at: datetime
    callers: tuple[Caller, ...] = ()
    metrics: bool = True
    traced: bool = False
    software: tuple[str, ...] = ()
    ssm: bool = True
    platform: str = "linux"
    role: str = "instance-role"
    credentials: Literal["working", "broken"] = "working"
    options: list[tuple[datetime, Options]] = field(default_factory=list)
    runs: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    boots: list[datetime] = field(default_factory=list)
    failovers: list[datetime] = field(default_factory=list)
    commands: list[tuple[int, Kind]] = field(default_factory=list)
    terminated_at: datetime | None = None
    recorded_from: datetime | None = None
    predecessor: Options | None = None


class Outcome(NamedTuple):
    """What one call comes to: the metric it counts in, if any, and whether it got its answer."""

    counted: Kind | None
    works: bool


def outcome(caller: Caller, options: Options) -> Outcome:
    """What a call of `caller` comes to under `options`.

    The token response crosses as many hops as the hop limit says, one of them to the instance
    itself; a GET and its response are not limited (EC2 User Guide, "Use the Instance Metadata
    Service to access instance metadata"). With the endpoint disabled every request is answered
    403 and nothing is counted.
    """
    if options.http_endpoint == "disabled":
        return Outcome(None, works=False)
    reached = options.http_put_response_hop_limit >= 1 + EXTRA_HOPS[caller.container]
    by_v1 = caller.behaviour in {"v1-only", "v1-first"} or (
        caller.behaviour == "fallback" and not reached
    )
    if not by_v1:
        return Outcome(None, reached)
    if options.http_tokens == "optional":
        return Outcome("no_token", works=True)
    return Outcome("rejected", works=caller.behaviour == "v1-first" and reached)


class Attempts(NamedTuple):
    """Calls of one caller at an even pace under the same options: `calls` of them, from `first`.

    Times and `step` are in microseconds since the epoch, so that counting is exact.
    """

    first: int
    step: int
    calls: int
    options: Options

    def between(self, start: int, end: int) -> int:
        """How many of the calls lie in [start, end)."""
        before_end = min(self.calls, max(0, -(-(end - self.first) // self.step)))
        before_start = min(self.calls, max(0, -(-(start - self.first) // self.step)))
        return max(0, before_end - before_start)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_BOOT_WINDOW: Final = 300_000_000
_NIGHTLY_AT: Final = 2 * _HOUR


def micros(when: datetime) -> int:
    """A time as whole microseconds since the epoch."""
    return (when - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The UTC time that `micros` turned into a number."""
    return _EPOCH + timedelta(microseconds=at)


def option_spans(life: Life, until: int) -> list[tuple[int, int, Options]]:
    """The options in force, as (from, to, options) without gaps from the launch to `until`."""
    entries = life.options or [(life.launched_at, Options())]
    starts = [micros(life.launched_at), *(micros(since) for since, _ in entries[1:])]
    ends = [*starts[1:], max(until, starts[-1])]
    spans = zip(starts, ends, (options for _, options in entries), strict=True)
    return [(start, end, options) for start, end, options in spans if start < end]


def run_spans(life: Life, until: int) -> list[tuple[int, int]]:
    """When the instance was running, cut at `until`."""
    stop = until if life.terminated_at is None else min(until, micros(life.terminated_at))
    spans = ((micros(start), stop if end is None else micros(end)) for start, end in life.runs)
    return [(start, min(end, stop)) for start, end in spans if start < min(end, stop)]


def _boots(life: Life) -> list[int]:
    return sorted({micros(life.launched_at), *map(micros, life.boots)})


def _windows(
    life: Life, caller: Caller, run: tuple[int, int], since: int
) -> Iterable[tuple[int, int, int]]:
    """The windows in which `caller` calls during `run`, as (first call, end of window, step).

    Windows that end before `since` may be left out.
    """
    start, end = run
    step = max(1, round(_HOUR / caller.per_hour))
    if caller.when == "steady":
        # A program reads the metadata when it starts, and then at its pace: it starts at boot.
        edges = sorted({start, *(boot for boot in _boots(life) if start < boot < end), end})
        yield from ((begin, stop, step) for begin, stop in pairwise(edges))
    elif caller.when == "boot":
        calls = max(1, int(caller.per_hour * _BOOT_WINDOW / _HOUR))
        for boot in _boots(life):
            yield boot, boot + _BOOT_WINDOW, _BOOT_WINDOW // calls
    elif caller.when == "nightly":
        calls = max(1, int(caller.per_hour))
        for night in range(max(start, since) // _DAY * _DAY + _NIGHTLY_AT, end, _DAY):
            yield night, night + _HOUR, _HOUR // calls
    elif caller.when == "monthly":
        yield from ((day, day + _DAY, min(step, _DAY)) for day in _firsts(max(start, since), end))
    else:
        calls = max(1, int(caller.per_hour))
        for failover in map(micros, life.failovers):
            yield failover, failover + _HOUR, _HOUR // calls


def _firsts(start: int, end: int) -> Iterable[int]:
    """The first days of months (UTC midnight) that touch [start, end)."""
    day = moment(start).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while micros(day) < end:
        yield micros(day)
        day = (day + timedelta(days=32)).replace(day=1)


def attempts(life: Life, caller: Caller, until: int, since: int = 0) -> list[Attempts]:
    """Every call that `caller` makes from `since` to just before `until`, oldest first.

    A caller calls, while the instance runs:

    - steady: at each boot, and from then on `per_hour` times an hour, evenly;
    - boot: in the five minutes after each boot, at least once, the first time at the boot;
    - nightly: from 02:00 to 03:00 UTC, at least once, the first time at 02:00;
    - monthly: on the first of the month (UTC), the first time at midnight;
    - failover: in the hour after each failover, at least once, the first time at once.
    """
    found = []
    options = option_spans(life, until)
    runs = run_spans(life, until) if options else []
    for run in (run for run in runs if run[1] > since):
        for anchor, edge, step in _windows(life, caller, run, since):
            window = Attempts(anchor, step, -(-(edge - anchor) // step), options[0][2])
            for frm, to, current in options:
                start, end = max(run[0], frm, since), min(run[1], to)
                if (count := window.between(start, end)) > 0:
                    first = anchor + window.between(anchor, start) * step
                    found.append(Attempts(first, step, count, current))
    return sorted(found, key=lambda one: one.first)


def calls(life: Life, kind: Kind, start: datetime, end: datetime) -> int:
    """How many calls from `start` to just before `end` count in a metric.

    Args:
        life: the instance.
        kind: "no_token" for MetadataNoToken, "rejected" for MetadataNoTokenRejected.
        start: beginning of the interval, included.
        end: end of the interval, not included; the counts of the parts of an interval add up
            to the count of the whole.
    """
    low, high = micros(start), micros(end)
    by_scripts = sum(made == kind and low <= at < high for at, made in life.commands)
    return by_scripts + sum(
        one.between(low, high)
        for caller in life.callers
        if any(outcome(caller, options).counted == kind for _, options in _entries(life))
        for one in attempts(life, caller, high, low)
        if outcome(caller, one.options).counted == kind
    )


def _entries(life: Life) -> Sequence[tuple[datetime, Options]]:
    return life.options or [(life.launched_at, Options())]


def healthy(life: Life, now: datetime) -> bool:
    """Whether no vital caller is cut off at present.

    A caller is cut off from its first attempt that fails until a later attempt succeeds: a
    steady caller notices within its pace, a boot caller at the next boot only, a monthly one on
    the first of the month. An attempt that fails under the present options but would have been
    answered with tokens optional, under earlier options of the instance, or under those of the
    group before it, counts as cut off. One that could never have been answered does not: such
    a program never worked there, so nobody's health check depends on it.
    """
    at = micros(now) + 1
    for caller in life.callers:
        if not caller.vital or all(outcome(caller, one).works for _, one in _entries(life)):
            continue
        made = attempts(life, caller, at)
        if made and not outcome(caller, made[-1].options).works:
            earlier = [options for _, options in _entries(life)]
            earlier += [replace(options, http_tokens="optional") for options in earlier]
            earlier += [life.predecessor] if life.predecessor else []
            if any(outcome(caller, options).works for options in earlier):
                return False
    return True


def cut_offs(
    life: Life, now: datetime, group_options: Iterable[Options] = ()
) -> list[dict[str, datetime | str | None]]:
    """The times in which a change kept a vital caller from what it could reach before.

    Each item has `program`, `from`, the time of the first call that failed, and `to`, that of
    the first call that was answered again, or the instance's end, or None while it lasts.
    A failing call counts where the same caller

    - was answered earlier on this instance, or
    - would have been answered under options in force earlier on this instance (a monthly job
      that had not run since the launch), or
    - would have been answered under options that the group's instances had before this one was
      born: `life.predecessor` and `group_options`.

    So a program that was launched into options under which it never worked is not listed.
    """
    found: list[dict[str, datetime | str | None]] = []
    inherited = [*group_options, *([life.predecessor] if life.predecessor else [])]
    until = micros(now) + 1
    for caller in life.callers:
        if not caller.vital or all(outcome(caller, one).works for _, one in _entries(life)):
            continue
        spans = option_spans(life, until)
        worked_since = (
            0
            if any(outcome(caller, options).works for options in inherited)
            else min(
                (since for since, _, options in spans if outcome(caller, options).works),
                default=None,
            )
        )
        if worked_since is None:
            continue
        failing: int | None = None
        for one in attempts(life, caller, until):
            if outcome(caller, one.options).works:
                if failing is not None:
                    found.append(_cut_off(caller, failing, moment(one.first)))
                failing = None
            elif failing is None and one.first >= worked_since:
                failing = one.first
        if failing is not None:
            found.append(_cut_off(caller, failing, life.terminated_at))
    return found


def _cut_off(caller: Caller, since: int, to: datetime | None) -> dict[str, datetime | str | None]:
    return {"from": moment(since), "to": to, "program": caller.program}


def safe_now(options: Options, callers: Iterable[Caller]) -> bool:
    """Whether requiring tokens at the present hop limit cuts off no vital caller.

    All callers count, whenever they run. A caller is cut off by it if it gets its answers with
    tokens optional and would get none with tokens required.
    """
    return _safe_at(options.http_put_response_hop_limit, options, callers)


def safe_at_hop_limit(options: Options, callers: Iterable[Caller]) -> int | None:
    """The lowest hop limit, 1 to 3, at which requiring tokens cuts off no vital caller.

    None where there is none: no hop limit helps a program that only speaks v1.
    """
    vital = tuple(callers)
    return next((limit for limit in (1, 2, 3) if _safe_at(limit, options, vital)), None)


def _safe_at(limit: int, options: Options, callers: Iterable[Caller]) -> bool:
    before = replace(options, http_tokens="optional")
    after = replace(options, http_tokens="required", http_put_response_hop_limit=limit)
    return not any(
        caller.vital and outcome(caller, before).works and not outcome(caller, after).works
        for caller in callers
    )
