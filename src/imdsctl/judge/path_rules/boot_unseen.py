"""The window saw no launch from it: nobody knows whether booting calls IMDSv1."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """A caution for a path that still allows v1."""
    if facts.path.effective.posture != "v1-allowed" or facts.siblings.booted_quiet:
        return None
    if not facts.members:
        return Finding(
            confidence="low",
            summary="No instance came from it that could be watched.",
            evidence=facts.evidence,
        )
    return Finding(
        confidence="low",
        summary="The window saw no launch from it: a caller that comes only at boot would not "
        "show.",
        fix="Let one replacement prove it (an instance refresh), or set plan.unproven_boot.",
        evidence=facts.evidence,
    )
