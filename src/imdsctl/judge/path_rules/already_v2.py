"""What it launches is on V2 only already, or has no metadata service at all."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`done`, by whoever decides about the tokens."""
    path = facts.path
    if facts.unread or path.effective.posture == "v1-allowed":
        return None
    what = (
        f"It launches instances on V2 only (by {path.decided_by})."
        if path.effective.posture == "v2-only"
        else "It launches instances with the metadata service off."
    )
    return Finding(status="done", summary=what, evidence=facts.evidence)
