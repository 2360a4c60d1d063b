"""Tokens are required: nothing is left to do."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """`done` once EC2 has applied it; a change that is still pending is not done yet."""
    instance = facts.instance
    if instance.options.posture != "v2-only":
        return None
    if instance.options.state == "pending":
        if instance.state in ("stopped", "stopping"):
            return Finding(
                status="done",
                confidence="medium",
                summary="IMDSv2 is required from the next start on (the change is pending).",
                evidence=(facts.record.id,),
            )
        return Finding(
            status="unknown",
            summary="IMDSv2 was required just now; EC2 has not applied the change yet.",
            fix="Scan again in a minute.",
            evidence=(facts.record.id,),
        )
    return Finding(status="done", summary="Only IMDSv2 is answered.", evidence=(facts.record.id,))
