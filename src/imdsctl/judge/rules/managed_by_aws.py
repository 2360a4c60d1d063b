"""An AWS service manages the instance and does not let anyone modify it."""

from imdsctl.judge.facts import Finding, InstanceFacts

_WHERE = {
    "eks.amazonaws.com": "the EKS Auto Mode node class",
    "ecs.amazonaws.com": "the ECS managed instances capacity provider",
}


def judge(facts: InstanceFacts) -> Finding | None:
    """`blocked` for an instance with an operator (EC2 User Guide, managed instances)."""
    operator = facts.instance.operator
    if not operator:
        return None
    where = _WHERE.get(operator, f"the settings of {operator}")
    return Finding(
        status="blocked",
        summary=f"It is managed by {operator}; EC2 refuses changes to its metadata options.",
        fix=f"Require IMDSv2 in {where}; the instance itself cannot be modified.",
        evidence=(facts.record.id,),
    )
