"""Security Hub AutoScaling.3, AWS Config's autoscaling-launchconfig-requires-imdsv2."""

from imdsctl.judge.controls.base import Answer, ConfigurationGiven, Control


def rule(given: ConfigurationGiven) -> Answer:
    """The launch configuration must carry HttpTokens=required, whether a group uses it or not."""
    if given.item.options.http_tokens == "required":
        return Answer(status="pass", why="HttpTokens is required.")
    said = given.item.options.http_tokens
    return Answer(
        status="fail",
        why=f"HttpTokens is {said}." if said else "It has no HttpTokens at all.",
        note=(
            "No group uses it, so nothing launches from it: low urgency."
            if given.attached is False
            else ""
        ),
        remediation=(
            "A launch configuration cannot be changed: replace it by a launch template with "
            "HttpTokens=required."
            if given.attached is not False
            else "Delete it, as no group uses it."
        ),
    )


CONTROL = Control(
    names={
        "autoscaling.3": "AWS Security Hub, AutoScaling.3",
        "autoscaling-launchconfig-requires-imdsv2": (
            "AWS Config, autoscaling-launchconfig-requires-imdsv2"
        ),
    },
    title="Auto Scaling launch configurations should require IMDSv2",
    severity="high",
    subject="launch-configuration",
    rule=rule,
    fails_when="HttpTokens is optional or missing",
    source="Security Hub User Guide, Amazon EC2 Auto Scaling controls",
)
