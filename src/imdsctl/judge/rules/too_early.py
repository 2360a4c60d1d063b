"""The window is too short, the instance too young, or the data too thin for silence to count."""

from datetime import timedelta

from imdsctl.judge.facts import Finding, InstanceFacts, silent_since_start


def judge(facts: InstanceFacts) -> Finding | None:
    """`unknown`, unless siblings from the same launch path were quiet for long enough."""
    calls = facts.observed
    if calls is None or calls.v1 is None or calls.v1.total:
        return None
    limits = facts.policy.judge
    window = calls.window_end - calls.window_start
    if window < timedelta(days=limits.min_window_days):
        return Finding(
            status="unknown",
            summary=f"It was watched for {window.days} days only; {limits.min_window_days} are "
            "the least.",
            fix=f"Scan with --days {max(14, limits.min_window_days)}.",
            evidence=facts.evidence,
        )
    if calls.hours_running < limits.min_age_hours:
        what = (
            f"It has been running for {calls.hours_running} h only; {limits.min_age_hours} h "
            "are the least."
        )
        fix = f"Scan again after {limits.min_age_hours} h of running."
    elif silent_since_start(calls):
        what = "CloudWatch has data of an earlier run only, none since its last start."
        fix = "Find out why it has no metrics any more, or watch it on the host."
    elif calls.coverage < limits.min_coverage:
        what = (
            f"CloudWatch has data for {calls.coverage:.0%} of the hours that it ran; "
            f"{limits.min_coverage:.0%} are the least."
        )
        fix = "Find out why its metrics have gaps, or watch it on the host."
    else:
        return None
    if facts.siblings and facts.siblings.quiet and not facts.siblings.callers:
        others = "instance" if facts.siblings.quiet == 1 else "instances"
        return Finding(
            confidence="medium",
            summary=f"{what} {facts.siblings.quiet} older {others} from the same launch path "
            "made no call.",
            evidence=facts.evidence,
        )
    return Finding(status="unknown", summary=what, fix=fix, evidence=facts.evidence)
