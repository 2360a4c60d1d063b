"""Security Hub EC2.8, which is AWS Config's managed rule ec2-imdsv2-check."""

from imdsctl.judge.controls.base import Control, tokens_rule

CONTROL = Control(
    names={
        "ec2.8": "AWS Security Hub, EC2.8",
        "ec2-imdsv2-check": "AWS Config, ec2-imdsv2-check",
    },
    title="EC2 instances should use IMDSv2",
    severity="high",
    subject="instance",
    rule=tokens_rule,
    fails_when="HttpTokens is optional",
    source="Security Hub User Guide, Amazon EC2 controls",
)
