"""Prowler's autoscaling_group_launch_configuration_requires_imdsv2, as of version 5.46."""

from imdsctl.judge.controls.base import Answer, Control, GroupGiven
from imdsctl.model.options import MetadataOptions

_REMEDY = (
    "A launch configuration cannot be changed: replace it by a launch template with "
    "HttpTokens=required."
)


def rule(given: GroupGiven) -> Answer | None:
    """Looks at groups with a launch configuration, which must be on V2 only or have IMDS disabled.

    Prowler finds the configuration by its name alone, among those of every region that it reads,
    and answers once for each that it finds: a group can pass and fail at once, and then it fails
    here. Tokens that are required do not suffice where the endpoint is left out.
    """
    if given.item.launch_configuration is None:
        return None
    if not given.paths or not given.paths[0].known:
        return Answer(status="unknown", why="The group's launch configuration was not read.")
    bad = sorted(c.region for c in given.namesakes if not _passes(c.options))
    here = given.item.region
    name = given.item.launch_configuration
    if not bad:
        return Answer(
            status="pass",
            why=f"Launch configuration {name} is enabled with tokens required, or disables IMDS.",
        )
    if here in bad:
        return Answer(
            status="fail",
            why=f"Launch configuration {name} is not enabled with tokens required.",
            note=(
                "It requires tokens; the rule asks for HttpEndpoint=enabled as well."
                if given.paths[0].explicit.http_tokens == "required"
                else ""
            ),
            remediation=_REMEDY,
        )
    return Answer(
        status="fail",
        why=f"Another region's launch configuration {name} does not pass: {', '.join(bad)}.",
        note="The rule goes by the name alone; the group's own launch configuration passes.",
        remediation=f"Nothing here; in {bad[0]}, replace the launch configuration of that name.",
    )


def _passes(options: MetadataOptions) -> bool:
    if options.http_endpoint == "enabled":
        return options.http_tokens == "required"
    return options.http_endpoint == "disabled"


CONTROL = Control(
    names={
        "autoscaling_group_launch_configuration_requires_imdsv2": (
            "Prowler, autoscaling_group_launch_configuration_requires_imdsv2"
        )
    },
    title="The Auto Scaling group's launch configuration requires IMDSv2 or disables IMDS",
    severity="high",
    subject="auto-scaling-group",
    rule=rule,
    fails_when=(
        "a launch configuration with the name of the group's own, in any region, neither disables "
        "the endpoint nor says enabled and required; groups on launch templates are not looked at"
    ),
    source="Prowler 5.46.0",
)
