"""An infrastructure-as-code stack owns the instance and may set its options back."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """A caution for instances that carry CloudFormation's tags."""
    instance = facts.instance
    stack = instance.tags.get("aws:cloudformation:stack-name")
    if stack is None or instance.group or instance.options.posture != "v1-allowed":
        return None
    return Finding(
        confidence="medium",
        summary=f"CloudFormation stack {stack} created it: what is changed behind its back is "
        "drift, and it may set it back.",
        fix="Set MetadataOptions in the stack's template as well.",
        evidence=(facts.record.id,),
    )
