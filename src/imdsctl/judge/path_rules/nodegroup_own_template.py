"""An EKS managed node group is updated through EKS, and only where it has a template of its own.

AWS's words: node groups that do not use a custom launch template cannot be updated directly, a new
one has to be created (EKS User Guide, "Customize managed nodes with launch templates").
"""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked` without a template of its own, `unknown` where that is not known."""
    path, nodegroup = facts.path, facts.path.nodegroup
    if nodegroup is None or path.effective.posture != "v1-allowed":
        return None
    if not nodegroup.read:
        why = facts.unreadable.get("nodegroups")
        problem = f"could not be read ({why})" if why else "was not found in EKS"
        return Finding(
            status="unknown",
            summary=f"It belongs to EKS managed node group {nodegroup.name}, which {problem}: "
            "whether it has a launch template of its own is not known.",
            fix="Scan again with the right to call eks:DescribeNodegroup.",
            evidence=facts.evidence,
        )
    if nodegroup.own is None:
        return Finding(
            status="blocked",
            summary=f"EKS made the launch template of node group {nodegroup.name} itself; AWS "
            "lets nobody change that one, or give the node group another.",
            fix="Create a new node group with a launch template of your own (tokens required; hop "
            "limit 2 where containers use the metadata service), move the workloads, delete this "
            "one.",
            evidence=facts.evidence,
        )
    if nodegroup.options is None:
        own = nodegroup.own
        return Finding(
            status="unknown",
            summary=f"Version {own.version} of launch template {own.name}, which node group "
            f"{nodegroup.name} was given, could not be read.",
            fix="Scan again with the right to call ec2:DescribeLaunchTemplateVersions; if the "
            "version was deleted, update the node group to one that exists.",
            evidence=facts.evidence,
        )
    return None
