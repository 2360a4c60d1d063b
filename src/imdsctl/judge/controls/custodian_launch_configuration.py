"""Cloud Custodian's resource launch-config, as of version 0.9.53."""

from imdsctl.judge.controls.base import Answer, ConfigurationGiven, Control


def rule(given: ConfigurationGiven) -> Answer:
    """A launch configuration without HttpTokens=required is matched, attached or not."""
    said = given.item.options.http_tokens
    if said == "required":
        return Answer(status="pass", why="HttpTokens is required.")
    return Answer(
        status="fail",
        why=f"HttpTokens is {said}." if said else "It has no HttpTokens at all.",
        note=(
            "No group uses it, so nothing launches from it: low urgency."
            if given.attached is False
            else ""
        ),
        remediation=(
            "Delete it, as no group uses it."
            if given.attached is False
            else "A launch configuration cannot be changed: replace it by a launch template with "
            "HttpTokens=required."
        ),
    )


CONTROL = Control(
    names={
        "custodian-launch-config-require-imdsv2": "Cloud Custodian, launch-config-require-imdsv2"
    },
    title="Auto Scaling launch configurations require IMDSv2",
    # Cloud Custodian has no severities; this is the one of the same rule in Security Hub.
    severity="high",
    subject="launch-configuration",
    rule=rule,
    fails_when="HttpTokens is optional or missing",
    source="Cloud Custodian 0.9.53; the policy is in docs/custodian.yml",
)
