"""Another service owns the group and would undo a change made behind its back."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked`, with the way that the owner offers."""
    path = facts.path
    if facts.environment is not None or path.nodegroup:
        # The environment's own option and the node group's own template have rules of their own.
        return None
    if not path.owner or path.effective.posture != "v1-allowed":
        return None
    return Finding(
        status="blocked",
        summary=f"It belongs to {path.owner}, which undoes or replaces what others change.",
        fix=f"Change the launch template through the {path.owner.split(' ')[0]} API.",
        evidence=facts.evidence,
    )
