"""Prowler's ec2_launch_template_imdsv2_required, as of version 5.46."""

from imdsctl.judge.controls.base import Answer, Control, TemplateGiven

REMEDY = "Create a version with HttpEndpoint=enabled and HttpTokens=required, and make it used."


def rule(given: TemplateGiven) -> Answer:
    """Passes if *any* version is enabled and required, or is disabled or silent on the endpoint.

    A version that leaves the endpoint out counts as one that disables it, whatever it says of the
    tokens.
    """
    note = (
        "The version that is really used lets new instances answer IMDSv1."
        if given.effective == "v1-allowed"
        else ""
    )
    fix = "Point every group at a version with HttpTokens=required." if note else ""
    for version in (v.item for v in given.versions):
        options = version.options
        if options.http_endpoint == "enabled" and options.http_tokens == "required":
            why = f"Version {version.number} is enabled with tokens required."
            return Answer(status="pass", why=why, note=note, remediation=fix)
    for version in (v.item for v in given.versions):
        if version.options.http_endpoint == "disabled":
            why = f"Version {version.number} disables IMDS."
            return Answer(status="pass", why=why, note=note, remediation=fix)
        if version.options.http_endpoint is None:
            why = f"Version {version.number} does not specify the endpoint, which counts as off."
            return Answer(status="pass", why=why, note=note, remediation=fix)
    if given.unread:
        return Answer(
            status="unknown",
            why=(
                "No version that was read passes, but the rule asks for all of them: "
                f"{len(given.unread)} older numbers were not read or are deleted."
            ),
        )
    return Answer(
        status="fail",
        why="No version is enabled with tokens required, or without the endpoint.",
        remediation=REMEDY,
    )


CONTROL = Control(
    names={"ec2_launch_template_imdsv2_required": "Prowler, ec2_launch_template_imdsv2_required"},
    title="EC2 launch template has a version that requires IMDSv2 or disables IMDS",
    severity="high",
    subject="launch-template",
    rule=rule,
    fails_when=(
        "no version at all is enabled with tokens required, disables the endpoint, or leaves the "
        "endpoint out: one version that passes is enough"
    ),
    source="Prowler 5.46.0",
)
