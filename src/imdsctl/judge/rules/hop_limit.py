"""Containers and a hop limit of 1: a v2 token never reaches a bridged container."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.rules.traced_callers import named, times, when
from imdsctl.model.evidence import Recorded, Trace, TracedProgram


def judge(facts: InstanceFacts) -> Finding | None:
    """With calls: the likely cause, and a fix that is not an SDK update. Without: a caution."""
    instance = facts.instance
    if facts.trace is not None and instance.options.posture == "v1-allowed":
        callers = facts.trace.item.callers
        if callers and all(c.behaviour == "hop-limit" for c in callers):
            return _traced(facts.trace, max(callers, key=lambda c: c.v1), facts)
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


def _traced(record: Recorded[Trace], worst: TracedProgram, facts: InstanceFacts) -> Finding:
    """A trace saw token requests without an answer, and IMDSv1 only after them."""
    return Finding(
        status="blocked",
        confidence=worst.confidence,
        summary=f"{named(worst)} speaks IMDSv2: its token request got no answer, because it is "
        "further away than the hop limit of "
        f"{facts.instance.options.http_put_response_hop_limit} allows, and it fell back to IMDSv1 "
        f"{times(worst.v1)} (host trace, {when(record.item)}).",
        fix=f"{worst.fix[:1].upper()}{worst.fix[1:]}. A plan raises the hop limit first for what "
        "is in no group (see [hop_bump]).",
        evidence=(*facts.evidence, record.id),
        leads=True,
    )
