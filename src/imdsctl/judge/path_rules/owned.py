"""Another service owns the group and would undo a change made behind its back."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked`, with the way that the owner offers."""
    path = facts.path
    # What can be done about an EKS node group has a rule of its own.
    if not path.owner or path.nodegroup or path.effective.posture != "v1-allowed":
        return None
    return Finding(
        status="blocked",
        summary=f"It belongs to {path.owner}, which undoes or replaces what others change.",
        fix=f"Change the launch template through the {path.owner.split(' ')[0]} API.",
        evidence=facts.evidence,
    )
