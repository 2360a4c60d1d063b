"""What a host trace adds to the metrics: who called, and whether that explains every call."""

from datetime import datetime, timedelta
from typing import Final

from imdsctl.model.evidence import Calls, Metric, Recorded, Trace
from imdsctl.model.policy import Policy

_TOLERANCE: Final = 1.05
"""CloudWatch counts by its own clock; a few per cent of a day's calls fall on the next one."""


def fresh(trace: Recorded[Trace] | None, now: datetime, policy: Policy) -> Recorded[Trace] | None:
    """The trace, unless it is older than what the policy remembers."""
    if trace is None or now - trace.item.end > timedelta(days=policy.judge.remember_days):
        return None
    return trace


def names_callers(trace: Recorded[Trace] | None) -> bool:
    """Whether a trace saw who asks without a token."""
    return trace is not None and bool(trace.item.callers)


def long_enough(trace: Trace, policy: Policy) -> bool:
    """Whether it saw as many days as silence takes to count, and lost nothing."""
    return trace.proves_silence and trace.end - trace.start >= timedelta(
        days=policy.judge.min_window_days
    )


def v1_first_explains(trace: Trace | None, calls: Calls, policy: Policy) -> bool:
    """Whether all of an instance's IMDSv1 calls are of programs that try IMDSv2 when refused.

    That takes a trace without losses over as many days as silence would, in which nobody else
    called, and as many calls in it as CloudWatch counted; on days that it did not see, no more
    than on the busiest that it did.
    """
    if trace is None or calls.v1 is None or not calls.v1.total or not long_enough(trace, policy):
        return False
    callers = trace.callers
    if not callers or any(c.behaviour != "v1-first" or c.confidence == "low" for c in callers):
        return False
    traced = _by_day(trace.start, trace.v1_per_day)
    counted = _by_day(calls.window_start, _days(calls.v1))
    whole = [
        day
        for day in counted
        if trace.start.toordinal() < day < trace.end.toordinal() and day in traced
    ]
    if len(whole) < policy.judge.min_window_days - 1:
        return False
    most = max(traced[day] for day in whole) * _TOLERANCE + 1
    return all(
        count <= (traced[day] * _TOLERANCE + 1 if day in whole else most)
        for day, count in counted.items()
    )


def _by_day(start: datetime, per_day: list[int]) -> dict[int, int]:
    first = start.toordinal()
    return {first + index: count for index, count in enumerate(per_day)}


def _days(metric: Metric) -> list[int]:
    return metric.per_day
