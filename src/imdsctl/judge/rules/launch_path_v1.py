"""The group would start its next instance on v1: a flip by hand would not last."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """A caution that names the launch path which has to change as well."""
    open_paths = [path for path in facts.paths if path.effective.posture == "v1-allowed"]
    if not open_paths or facts.instance.options.posture != "v1-allowed":
        return None
    path = open_paths[0]
    if path.launch_configuration:
        source = f"launch configuration {path.launch_configuration}"
    elif path.number is None:
        return Finding(
            confidence="medium",
            summary=f"What its group {path.group} launches from could not be read: the next "
            "replacement may be on v1 again.",
            fix=f"See `imdsctl explain {path.group}`.",
            evidence=tuple(path.evidence),
        )
    else:
        source = f"launch template {path.template_name} version {path.version}"
    return Finding(
        confidence="high",
        summary=f"Its group {path.group} launches from {source}, where {path.decided_by} "
        "still allows IMDSv1: the next replacement would be on v1 again.",
        fix="The plan's freeze changes the launch path before the instances.",
        evidence=tuple(path.evidence),
    )
