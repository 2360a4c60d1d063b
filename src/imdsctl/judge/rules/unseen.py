"""What a quiet window has not seen: no boot, no turn of the month."""

from imdsctl.judge.facts import Finding, InstanceFacts, saw_boot
from imdsctl.judge.failures import saw_first_of_month


def judge(facts: InstanceFacts) -> Finding | None:
    """A caution: silence says nothing about what did not happen in the window."""
    calls = facts.observed
    if calls is None or calls.v1 is None or calls.v1.total:
        return None
    missing = []
    traced = facts.trace is not None and facts.trace.item.since_boot and not facts.trace.item.lost
    quiet_boots = facts.siblings.booted_quiet if facts.siblings else 0
    if not (saw_boot(facts.instance, calls) or quiet_boots or traced):
        missing.append("a boot")
    if not saw_first_of_month(facts):
        missing.append("the first day of a month")
    if not missing:
        return None
    return Finding(
        confidence="medium" if len(missing) == 1 else "low",
        summary=f"The window did not see {' or '.join(missing)}: a caller that comes only then "
        "would not show.",
        fix="A longer window (--days 35) and a reboot in a maintenance window make it surer.",
        evidence=facts.evidence,
    )
