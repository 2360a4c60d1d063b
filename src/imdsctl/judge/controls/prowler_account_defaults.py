"""Prowler's ec2_instance_account_imdsv2_enabled, as of version 5.46."""

from imdsctl.judge.controls.base import Answer, Control, DefaultsGiven


def rule(given: DefaultsGiven) -> Answer:
    """The region's account default must require tokens; regions without instances are skipped."""
    if given.has_instances is None:
        return Answer(
            status="unknown",
            why="The rule skips regions without instances, and the instances were not read.",
        )
    if not given.has_instances:
        return Answer(
            status="not-applicable", why="The region has no instances, so the rule skips it."
        )
    if given.item.options.http_tokens == "required":
        return Answer(status="pass", why="The account default is HttpTokens=required.")
    said = given.item.options.http_tokens or "no preference"
    managed = given.item.managed_by == "declarative-policy"
    return Answer(
        status="fail",
        why=f"The account default for HttpTokens is {said}.",
        remediation=(
            "Change the declarative policy that manages this default."
            if managed
            else "Set the account default to HttpTokens=required, with hop limit 2 for containers."
        ),
    )


CONTROL = Control(
    names={"ec2_instance_account_imdsv2_enabled": "Prowler, ec2_instance_account_imdsv2_enabled"},
    title="The account's default for new EC2 instances requires IMDSv2",
    severity="high",
    subject="account-defaults",
    rule=rule,
    fails_when="the default for HttpTokens is not required; regions without instances are skipped",
    source="Prowler 5.46.0",
)
