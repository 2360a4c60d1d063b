"""What a failed gate holds, and what releases it before the policy forgets it.

A gate fails although the metrics of the days before were silent, so that more silence of the same
kind says nothing. Two things do: the owner's word that the cause was mended, kept in
`imdsctl.toml` with a name, a reason and a time; and a window that began after the failure and saw
all that a window can see, a boot and the first day of a month, without a call.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import structs

from imdsctl.judge.facts import InstanceFacts, is_mature, saw_boot
from imdsctl.judge.names import means
from imdsctl.model.cell import FailedGate
from imdsctl.model.evidence import Calls, Metric
from imdsctl.model.policy import Mended, Policy


def remembered(failed: FailedGate | None, now: datetime, policy: Policy) -> FailedGate | None:
    """The failure, unless it is longer ago than what the policy remembers."""
    if failed is None or now - failed.at > timedelta(days=policy.judge.remember_days):
        return None
    return failed


def mended_for(
    names: Iterable[str | None], failed: FailedGate | None, policy: Policy, now: datetime
) -> Mended | None:
    """The newest word of the settings that mended, after the failure, one of these resources.

    A time still to come says nothing yet, and one before the failure was proved wrong by it.
    """
    if failed is None:
        return None
    known = tuple(names)
    said = [w for w in policy.mended if failed.at < w.at <= now and means(w.resource, known)]
    return max(said, key=lambda word: word.at, default=None)


def without_the_failure(calls: Calls, failed: FailedGate) -> Calls:
    """The calls less those that were refused before the failed change was taken back.

    They are the failure itself: once that is mended, they argue for nothing any more.
    """
    rejected = calls.rejected
    if rejected is None or rejected.last_call is None or rejected.last_call > failed.at:
        return calls
    silent = Metric(
        hours_with_data=rejected.hours_with_data,
        first_data=rejected.first_data,
        last_data=rejected.last_data,
    )
    return structs.replace(calls, rejected=silent)


def heard_out(facts: InstanceFacts, failed: FailedGate) -> bool:
    """Whether the metrics saw all that they can see since the failure, and nobody called.

    Only where refused IMDSv1 calls were what failed: a program that broke without one never shows.
    """
    calls = facts.observed
    return (
        failed.by_calls
        and calls is not None
        and calls.window_start >= failed.at
        and is_mature(calls, facts.policy)
        and not facts.called
        and saw_boot(facts.instance, calls)
        and saw_first_of_month(facts)
    )


def saw_first_of_month(facts: InstanceFacts) -> bool:
    """Whether the window saw the whole first day (UTC) of a month while the instance was there."""
    calls = facts.observed
    if calls is None:
        return False
    start = max(calls.window_start, facts.instance.launched_at)
    first = calls.window_end.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    whole_day = start <= first and calls.window_end - first >= timedelta(days=1)
    month_before = (first - timedelta(days=1)).replace(day=1)
    return whole_day or start <= month_before


def held_until(failed: FailedGate, policy: Policy) -> str:
    """Until when the failure is remembered."""
    return f"{failed.at + timedelta(days=policy.judge.remember_days):%Y-%m-%d}"


def told(word: Mended) -> str:
    """The owner's word, as part of a sentence."""
    return f"{word.owner} says that it was mended by {word.at:%Y-%m-%d at %H:%M} UTC: {word.reason}"


def how_to_tell(resource: str) -> str:
    """What to write into the settings once it is mended."""
    return (
        f'say so in imdsctl.toml: [[mended]] with resource = "{resource}", owner, reason, and at = '
        "the time since which it is"
    )
