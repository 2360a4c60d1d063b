"""CIS AWS Foundations Benchmark: the EC2 Metadata Service only allows IMDSv2."""

from imdsctl.judge.controls.base import Control, tokens_rule

CONTROL = Control(
    names={
        "cis-5.6": "CIS AWS Foundations Benchmark v2.0.0 and v3.0.0, item 5.6",
        "cis-5.7": "CIS AWS Foundations Benchmark v4.0.0 and v5.0.0, item 5.7",
        "cis-6.7": "CIS AWS Foundations Benchmark v6.0.0 and v7.0.0, item 6.7",
    },
    title="EC2 Metadata Service only allows IMDSv2",
    # The benchmark has levels and no severities; this is the one of the same rule in Security Hub.
    severity="high",
    subject="instance",
    rule=tokens_rule,
    fails_when="HttpTokens is not required",
    source="CIS Amazon Web Services Foundations Benchmark",
)
