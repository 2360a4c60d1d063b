"""Something on the instance calls IMDSv1: requiring tokens would cut it off."""

from datetime import timedelta

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.traced import names_callers, v1_first_explains
from imdsctl.model.evidence import Calls, Metric

_ALL_DAY = 20
_HOUR = timedelta(hours=1)
_FEW_HOURS = 2


def judge(facts: InstanceFacts) -> Finding | None:
    """`blocked` if MetadataNoToken counted any call in the window that no trace explains."""
    calls = facts.observed
    if calls is None or calls.v1 is None or calls.v1.total == 0:
        return None
    if v1_first_explains(facts.trace.item if facts.trace else None, calls, facts.policy):
        return None  # traced-callers speaks of them
    days = max(1, round((calls.window_end - calls.window_start).total_seconds() / 86400))
    pattern, advice = _pattern(facts, calls, calls.v1)
    times = "call" if calls.v1.total == 1 else "calls"
    find = "Find the caller with `imdsctl host trace` on the instance"
    if names_callers(facts.trace):
        find = "Begin with what the host trace names"
    return Finding(
        status="blocked",
        summary=f"{calls.v1.total:,} IMDSv1 {times} in {days} days{pattern}.",
        fix=f"{advice} {find}, update its SDK or make its script fetch a token, then scan again.",
        evidence=facts.evidence,
    )


def _pattern(facts: InstanceFacts, calls: Calls, metric: Metric) -> tuple[str, str]:
    """How the calls lie in time, in words, and what that says about the caller."""
    last, launched = metric.last_call, facts.instance.launched_at
    first = metric.first_call or last
    # A call's time is that of the hour in which it fell, which may have begun before the launch;
    # calls from before it belong to an earlier run.
    only_at_boot = (
        last is not None
        and first is not None
        and metric.hours_with_calls <= _FEW_HOURS
        and launched >= calls.window_start
        and launched - _HOUR < first <= last < launched + 2 * _HOUR
    )
    if only_at_boot:
        return (
            ", all of them in the first two hours after its launch",
            "Look at user data, cloud-init and start-up scripts.",
        )
    hours = [hour for hour, count in enumerate(metric.per_hour_of_day) if count]
    if hours and len(hours) <= _FEW_HOURS and metric.hours_with_calls > _FEW_HOURS:
        at = " and ".join(f"{hour:02d}:00" for hour in hours)
        return f", always around {at} UTC", "Look at what cron or a timer starts at that time."
    if len(hours) >= _ALL_DAY:
        return ", around the clock", "A daemon or agent polls it."
    if last is not None:
        return f", last on {last:%Y-%m-%d at %H:00} UTC", "It is called now and then."
    return "", ""
