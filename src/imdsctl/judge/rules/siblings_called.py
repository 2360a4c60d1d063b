"""Another instance from the same launch path calls IMDSv1: so would this one, sooner or later."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """`blocked`: the same image and the same user data run on it."""
    siblings = facts.siblings
    if siblings is None or not siblings.callers or facts.called:
        return None
    if facts.instance.options.posture != "v1-allowed":
        return None
    who = siblings.callers[0]
    more = f" and {len(siblings.callers) - 1} more" if len(siblings.callers) > 1 else ""
    return Finding(
        status="blocked",
        confidence="medium",
        summary=f"{who}{more} from the same launch path called IMDSv1. It runs the same software, "
        "and may call at its next boot.",
        fix=f"See `imdsctl explain {who}` first.",
        evidence=(*facts.evidence, *siblings.evidence),
    )
