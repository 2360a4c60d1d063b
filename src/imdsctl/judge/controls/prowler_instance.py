"""Prowler's ec2_instance_imdsv2_enabled, as of version 5.46."""

from imdsctl.judge.controls.base import REQUIRE_TOKENS, Answer, Control, pending_note
from imdsctl.model.evidence import Instance


def rule(instance: Instance) -> Answer | None:
    """Passes where the endpoint is disabled, or enabled with tokens required."""
    if instance.state == "terminated":
        return None
    options = instance.options
    if options.http_endpoint == "disabled":
        advice = "" if options.http_tokens == "required" else "HttpTokens is still optional."
        return Answer(status="pass", why="IMDS is disabled.", note=pending_note(instance) or advice)
    if options.http_endpoint == "enabled" and options.http_tokens == "required":
        return Answer(
            status="pass", why="IMDS is enabled with tokens required.", note=pending_note(instance)
        )
    return Answer(
        status="fail",
        why="IMDS is enabled and tokens are not required.",
        note=pending_note(instance),
        remediation=REQUIRE_TOKENS,
    )


CONTROL = Control(
    names={"ec2_instance_imdsv2_enabled": "Prowler, ec2_instance_imdsv2_enabled"},
    title="The instance requires IMDSv2, or its IMDS is off",
    severity="high",
    subject="instance",
    rule=rule,
    fails_when="neither the endpoint is disabled, nor it is enabled with tokens required",
    source="Prowler 5.46.0",
)
