"""Cloud Custodian's documented policy set-ec2-metadata-defaults, as of version 0.9.53."""

from imdsctl.judge.controls.base import Answer, Control, DefaultsGiven


def rule(given: DefaultsGiven) -> Answer:
    """Matches a region whose default for HttpTokens is optional or not set, instances or none."""
    said = given.item.options.http_tokens
    if said == "required":
        return Answer(status="pass", why="The account default is HttpTokens=required.")
    managed = given.item.managed_by == "declarative-policy"
    return Answer(
        status="fail",
        why=f"The account default for HttpTokens is {said or 'no preference'}.",
        remediation=(
            "Change the declarative policy that manages this default."
            if managed
            else "Set the account default to HttpTokens=required, with hop limit 2 for containers."
        ),
    )


CONTROL = Control(
    names={"custodian-account-require-imdsv2": "Cloud Custodian, account-require-imdsv2"},
    title="The account's default for new EC2 instances requires IMDSv2",
    # Cloud Custodian has no severities; this is the one of the same rule in Security Hub.
    severity="high",
    subject="account-defaults",
    rule=rule,
    fails_when="the default for HttpTokens is optional or not set",
    source="Cloud Custodian 0.9.53; the policy is in docs/custodian.yml",
)
