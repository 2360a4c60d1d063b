"""Containers and a hop limit of 1: a v2 token never reaches a bridged container."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """With calls: the likely cause, and a fix that is not an SDK update. Without: a caution."""
    instance = facts.instance
    sign = facts.container_sign
    if sign is None or instance.options.http_put_response_hop_limit != 1:
        return None
    if instance.options.posture != "v1-allowed":
        return None
    if facts.called:
        return Finding(
            status="blocked",
            confidence="medium",
            summary=f"It runs containers (tag {sign}) behind a hop limit of 1: an SDK in a bridged "
            "container gets no answer to its token request and falls back to IMDSv1. Its calls "
            "may be that, and not old software.",
            fix="Give the containers their own identity (IRSA, Pod Identity, task roles), or raise "
            "the hop limit to 2 with tokens still optional and see whether the calls stop; a plan "
            "does so for what is in no group (see [hop_bump]). Updating the SDK would not help.",
            evidence=facts.evidence,
        )
    return Finding(
        confidence="medium",
        summary=f"It runs containers (tag {sign}) and its hop limit is 1; none of them called "
        "IMDSv1 in the window, so none relies on falling back to it.",
        evidence=facts.evidence,
    )
