"""The template version or launch configuration that the group refers to could not be read."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`unknown`: nobody can say what the next instance would be."""
    if not facts.unread:
        return None
    path = facts.path
    if path.template is None:
        return Finding(
            status="unknown",
            summary=f"The launch configuration of group {path.group} could not be read.",
            fix="Scan again with the right to call autoscaling:DescribeLaunchConfigurations; if "
            "it was deleted, the group cannot launch at all.",
            evidence=facts.evidence,
        )
    return Finding(
        status="unknown",
        summary=f"Launch template {path.template_name} version {path.version} could not be read.",
        fix="Scan again with the right to call ec2:DescribeLaunchTemplateVersions; if the version "
        "was deleted, the group cannot launch at all.",
        evidence=facts.evidence,
    )
