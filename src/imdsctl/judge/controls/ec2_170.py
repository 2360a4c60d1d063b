"""Security Hub EC2.170, which is AWS Config's ec2-launch-template-imdsv2-check."""

from imdsctl.judge.controls.base import Answer, Control, TemplateGiven

REMEDY = (
    "Create a version with HttpTokens=required, make it the default, and use it in every group."
)
# AWS Config Developer Guide, ec2-launch-template-imdsv2-check, "AWS Region".
ABSENT_IN = frozenset(
    {
        "ap-east-2",
        "ap-south-2",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-2",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)


def rule(given: TemplateGiven) -> Answer:
    """The *default* version must ask for V2 itself; no other version counts."""
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
            remediation=(
                "Point every group at a version with HttpTokens=required."
                if given.effective == "v1-allowed"
                else ""
            ),
        )
    said = default.options.http_tokens
    said_text = f"says HttpTokens={said}" if said else "does not specify HttpTokens"
    note = {
        "v2-only": "What launches from it gets V2 only all the same, from another version, the "
        "account default or the image.",
        "imds-off": "What launches from it has IMDS off.",
    }.get(given.effective, "")
    return Answer(
        status="fail",
        why=f"The default version, {default.number}, {said_text}.",
        note=note,
        remediation=REMEDY,
    )


CONTROL = Control(
    names={
        "ec2.170": "AWS Security Hub, EC2.170",
        "ec2-launch-template-imdsv2-check": "AWS Config, ec2-launch-template-imdsv2-check",
    },
    title="EC2 launch templates should use IMDSv2",
    severity="low",
    subject="launch-template",
    rule=rule,
    fails_when="the default version does not say HttpTokens=required",
    source="Security Hub User Guide, Amazon EC2 controls; AWS Config Developer Guide",
    absent_in=ABSENT_IN,
)
