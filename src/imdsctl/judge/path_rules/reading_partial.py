"""Groups or instances here could not be read whole: what else launches from it is not known."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`unknown` where a change of the launch template could reach what was not read.

    Any group may launch from the template, also one that was not read; instances started by hand
    are known only from the list of instances. A launch configuration is its group's alone.
    """
    path = facts.path
    if path.effective.posture != "v1-allowed" or path.template is None:
        return None
    if "groups" in facts.unreadable:
        what, named = "groups", "Auto Scaling groups"
    elif "instances" in facts.unreadable and path.kind == "template":
        what = named = "instances"
    else:
        return None
    return Finding(
        status="unknown",
        summary=f"The {named} of its account and region could not be read whole "
        f"({facts.unreadable[what]}): others may launch from it too.",
        fix="Scan again with the right to read them.",
        evidence=facts.evidence,
    )
