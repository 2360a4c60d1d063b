"""NIST SP 800-53 CM-7b, which the CIS item cites as its reference: the same rule."""

from imdsctl.judge.controls.base import Control, tokens_rule

CONTROL = Control(
    names={"nist-800-53-cm-7b": "NIST SP 800-53, CM-7b (least functionality)"},
    title="EC2 Metadata Service only allows IMDSv2",
    severity="high",
    subject="instance",
    rule=tokens_rule,
    fails_when="HttpTokens is not required (it is the reference of the CIS item)",
    source="reference of the CIS AWS Foundations item on IMDSv2",
)
