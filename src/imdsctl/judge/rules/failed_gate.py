"""A run changed it before, and a gate failed: the strongest evidence there is."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.failures import heard_out, held_until, how_to_tell, remembered, told


def judge(facts: InstanceFacts) -> Finding | None:
    """`blocked` while it is remembered, a caution once its cause is known to be gone."""
    failed = remembered(facts.failed_gate, facts.now, facts.policy)
    if failed is None or facts.instance.options.posture != "v1-allowed":
        return None
    summary = (
        f"Run {failed.run} changed its options on {failed.at:%Y-%m-%d at %H:%M} UTC and "
        f"took that back: {failed.why}."
    )
    if facts.mended is not None:
        return Finding(
            confidence="medium",
            summary=f"{summary} {told(facts.mended)}.",
            evidence=facts.evidence,
        )
    if heard_out(facts, failed):
        return Finding(
            confidence="low",
            summary=f"{summary} A whole window since then, with a boot and the first day of a "
            "month in it, saw no IMDSv1 call.",
            evidence=facts.evidence,
        )
    silence = (
        " A window without a call does, too, if it began after that and saw a boot and the first "
        "day of a month (scan --days)."
        if failed.by_calls
        else " Silent metrics do not: no IMDSv1 call showed when it failed."
    )
    return Finding(
        status="blocked",
        summary=summary,
        fix="Find what broke at that time (`imdsctl host trace`, or the logs of what failed) and "
        f"update it. It is held until {held_until(failed, facts.policy)}. What releases it sooner: "
        f"once it is mended, {how_to_tell(facts.instance.id)}.{silence}",
        evidence=facts.evidence,
    )
