"""Security Hub AutoScaling.4, which it retired in April 2024; AWS Config still has the rule."""

from imdsctl.judge.controls.base import Answer, ConfigurationGiven, Control

LIMIT = 1
# AWS Config Developer Guide, autoscaling-launch-config-hop-limit, "AWS Region".
_ABSENT_IN = frozenset(
    {
        "ap-east-2",
        "ap-southeast-3",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)


def rule(given: ConfigurationGiven) -> Answer:
    """The hop limit must not be above 1; where none is given, instances get 1."""
    hops = given.item.options.http_put_response_hop_limit
    if hops is None:
        return Answer(status="pass", why="It has no hop limit, so instances get 1.")
    if hops <= LIMIT:
        return Answer(status="pass", why=f"The hop limit is {hops}.")
    return Answer(
        status="fail",
        why=f"The hop limit is {hops}, above {LIMIT}.",
        note=(
            "No group uses it, so nothing launches from it: low urgency."
            if given.attached is False
            else "Containers behind a bridge need 2 to reach IMDS: lowering it cuts them off."
        ),
        remediation=(
            "Delete it, as no group uses it."
            if given.attached is False
            else "A launch configuration cannot be changed: replace it by a launch template, with "
            f"hop limit {LIMIT} where no container needs more."
        ),
    )


CONTROL = Control(
    names={
        "autoscaling.4": "AWS Security Hub, AutoScaling.4 (retired in April 2024)",
        "autoscaling-launch-config-hop-limit": "AWS Config, autoscaling-launch-config-hop-limit",
    },
    title="Auto Scaling launch configurations should not have a hop limit above 1",
    severity="high",
    subject="launch-configuration",
    rule=rule,
    fails_when="the hop limit is above 1",
    source="AWS Config Developer Guide, autoscaling-launch-config-hop-limit",
    absent_in=_ABSENT_IN,
)
