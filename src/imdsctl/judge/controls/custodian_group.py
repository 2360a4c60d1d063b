"""Cloud Custodian's filter launch-config on Auto Scaling groups, as of version 0.9.53."""

from imdsctl.judge.controls.base import Answer, Control, GroupGiven


def rule(given: GroupGiven) -> Answer:
    """Matches a group whose launch template version or launch configuration allows IMDSv1.

    It is the version really used that is looked at, unlike in the rules for launch templates; a
    mixed instances policy's overrides are not.
    """
    main = given.main
    if main is None or not main.known:
        return Answer(status="unknown", why="What the group launches from was not read.")
    named = (
        f"launch configuration {main.launch_configuration}"
        if main.launch_configuration
        else f"version {main.number} of launch template {main.template_name}"
    )
    said = main.explicit.http_tokens
    if said == "required":
        return Answer(
            status="pass",
            why=f"It launches from {named}, with HttpTokens=required.",
            note=(
                "An override in its mixed instances policy launches instances that allow IMDSv1."
                if given.effective == "v1-allowed"
                else ""
            ),
        )
    return Answer(
        status="fail",
        why=f"It launches from {named}, "
        + (f"with HttpTokens={said}." if said else "which does not specify HttpTokens."),
        note=(
            "Its next launch gets V2 only all the same, from the account default or the image."
            if given.effective == "v2-only"
            else "Its next launch has IMDS off."
            if given.effective == "imds-off"
            else ""
        ),
        remediation="Let it use a launch template version with HttpTokens=required.",
    )


CONTROL = Control(
    names={"custodian-asg-require-imdsv2": "Cloud Custodian, asg-require-imdsv2"},
    title="Auto Scaling groups launch instances that require IMDSv2",
    # Cloud Custodian has no severities; this is the one of the same rule in Security Hub.
    severity="high",
    subject="auto-scaling-group",
    rule=rule,
    fails_when=(
        "the launch template version or launch configuration that it uses does not say "
        "HttpTokens=required"
    ),
    source="Cloud Custodian 0.9.53; the policy is in docs/custodian.yml",
)
