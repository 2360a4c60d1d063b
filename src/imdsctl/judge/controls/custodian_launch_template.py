"""Cloud Custodian's launch-template-version, the default one, as of version 0.9.53."""

from imdsctl.judge.controls.base import Answer, Control, TemplateGiven


def rule(given: TemplateGiven) -> Answer:
    """The default version is matched where it does not say HttpTokens=required."""
    default = given.default
    if default is None:
        return Answer(status="unknown", why="The default version was not read.")
    if default.options.http_tokens == "required":
        return Answer(
            status="pass",
            why=f"The default version, {default.number}, has HttpTokens=required.",
            note=(
                "A group uses another version of this template: its next launch allows IMDSv1."
                if given.effective == "v1-allowed"
                else ""
            ),
        )
    said = default.options.http_tokens
    return Answer(
        status="fail",
        why=f"The default version, {default.number}, "
        + (f"says HttpTokens={said}." if said else "does not specify HttpTokens."),
        note=(
            "What launches from it gets V2 only all the same."
            if given.effective == "v2-only"
            else ""
        ),
        remediation="Create a version with HttpTokens=required, make it the default, and use it "
        "in every group.",
    )


CONTROL = Control(
    names={
        "custodian-launch-template-require-imdsv2": (
            "Cloud Custodian, launch-template-require-imdsv2"
        )
    },
    title="EC2 launch templates require IMDSv2 in their default version",
    # Cloud Custodian has no severities; this is the one of the same rule in Security Hub.
    severity="low",
    subject="launch-template",
    rule=rule,
    fails_when="the default version does not say HttpTokens=required",
    source="Cloud Custodian 0.9.53; the policy is in docs/custodian.yml",
)
