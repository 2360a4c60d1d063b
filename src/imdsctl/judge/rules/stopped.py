"""A stopped instance calls nothing and publishes nothing."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """`unknown`: what it calls shows only once it runs."""
    if facts.instance.state not in ("stopped", "stopping") or facts.called:
        return None
    if facts.instance.options.posture != "v1-allowed":
        return None
    return Finding(
        status="unknown",
        summary="It is stopped: what its software calls shows only when it runs.",
        fix="Start it and watch it for a day, exempt it, or terminate it if nobody needs it.",
        evidence=facts.evidence,
    )
