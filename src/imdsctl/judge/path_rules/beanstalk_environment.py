"""What an Elastic Beanstalk environment owns is moved by the environment's own option, or not."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked` where its option is set and does nothing, `unknown` while it is not fit.

    An environment is updated only while it is Ready (Elastic Beanstalk API Reference,
    UpdateEnvironment); one that is Red already would not show what an update broke.

    `blocked` also is the default version of its own launch template where its group launches from
    another: Elastic Beanstalk creates a version for each change of its own and leaves the default
    where it was, so that there is nothing to do and nobody to wait for.
    """
    if facts.path.effective.posture != "v1-allowed":
        return None
    if facts.template_of is not None:
        return Finding(
            status="blocked",
            summary=f"It belongs to Elastic Beanstalk environment {facts.template_of}, whose group "
            "launches from another version of it; nothing that is known launches the default.",
            fix="Nothing to do, unless somebody launches from it by hand.",
            evidence=facts.evidence,
        )
    if facts.environment is None:
        return None
    environment = facts.environment.item
    evidence = (*facts.evidence, facts.environment.id)
    if environment.disable_imdsv1 == "true":
        return Finding(
            status="blocked",
            summary=f"Environment {environment.name} has DisableIMDSv1 set to true, and yet its "
            "group launches instances that answer IMDSv1: somebody changed the group or its "
            "launch template behind its back.",
            fix="Rebuild the environment (RebuildEnvironment), or undo what was changed.",
            evidence=evidence,
        )
    if environment.status != "Ready":
        return Finding(
            status="unknown",
            summary=f"Environment {environment.name} is {environment.status or 'in no known state'}"
            ": it can be updated only once it is Ready.",
            fix="Scan again when it is Ready.",
            evidence=evidence,
        )
    if environment.health == "Red":
        return Finding(
            status="unknown",
            summary=f"The health of environment {environment.name} is Red: what an update breaks "
            "would not show.",
            fix="Bring it back to Green first.",
            evidence=evidence,
        )
    return None
