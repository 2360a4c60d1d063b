"""A run changed it before, and a gate failed: the strongest evidence there is."""

from datetime import timedelta

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """`blocked` for as long as the policy remembers, whatever the metrics say of other days."""
    failed = facts.failed_gate
    if failed is None or facts.instance.options.posture != "v1-allowed":
        return None
    if facts.now - failed.at > timedelta(days=facts.policy.judge.remember_days):
        return None
    return Finding(
        status="blocked",
        summary=f"Run {failed.run} changed its options on {failed.at:%Y-%m-%d at %H:%M} UTC and "
        f"took that back: {failed.why}.",
        fix="Find what called IMDSv1 at that time (`imdsctl host trace`, or the logs of what "
        f"failed) and update it. It is held for {facts.policy.judge.remember_days} days.",
        evidence=facts.evidence,
    )
