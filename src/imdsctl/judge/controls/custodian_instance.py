"""Cloud Custodian's documented policy ec2-require-imdsv2, as of version 0.9.53."""

from imdsctl.judge.controls.base import (
    REQUIRE_TOKENS,
    REQUIRE_TOKENS_OFF,
    Answer,
    Control,
    pending_note,
)
from imdsctl.model.evidence import Instance


def rule(instance: Instance) -> Answer:
    """Whatever has HttpTokens=optional is matched, in any state and with IMDS off as well."""
    gone = instance.state == "terminated"
    off = instance.options.http_endpoint == "disabled"
    note = pending_note(instance)
    if gone:
        note = "It is terminated: nothing runs there, and nothing has to be changed."
    if instance.options.http_tokens != "optional":
        return Answer(status="pass", why="HttpTokens is not optional.", note=note)
    if off and not gone:
        note = "IMDS is off, so nothing on the instance can call it in either version."
    return Answer(
        status="fail",
        why="HttpTokens is optional.",
        note=note,
        remediation=(
            "Nothing; leave terminated instances out of the policy."
            if gone
            else REQUIRE_TOKENS_OFF
            if off
            else REQUIRE_TOKENS
        ),
    )


CONTROL = Control(
    names={"custodian-ec2-require-imdsv2": "Cloud Custodian, ec2-require-imdsv2"},
    title="EC2 instances require IMDSv2",
    # Cloud Custodian has no severities; this is the one of the same rule in Security Hub.
    severity="high",
    subject="instance",
    rule=rule,
    fails_when="HttpTokens is optional, in any state, terminated as well",
    source="Cloud Custodian 0.9.53; the policy is in docs/custodian.yml",
)
