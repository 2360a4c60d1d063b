"""AWS Config's ec2-token-hop-limit-check, with its parameter tokenHopLimit."""

from imdsctl.judge.controls.base import Answer, Control, pending_note
from imdsctl.model.evidence import Instance

_ID = "ec2-token-hop-limit-check"
_NEEDED_BY_CONTAINERS = 2
# AWS Config Developer Guide, ec2-token-hop-limit-check, "AWS Region".
_ABSENT_IN = frozenset(
    {
        "ap-east-2",
        "ap-south-2",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "cn-north-1",
        "cn-northwest-1",
        "eu-central-2",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)


def at_most(limit: int) -> Control:
    """The control for one value of tokenHopLimit, 1 to 64; where none is given, AWS takes 1."""

    def rule(instance: Instance) -> Answer | None:
        """The hop limit must not be above the parameter, whatever the tokens are."""
        if instance.state == "terminated":
            return None
        hops = instance.options.http_put_response_hop_limit
        if hops is None:
            return Answer(status="unknown", why="The hop limit was not read.")
        if hops <= limit:
            note = pending_note(instance)
            return Answer(status="pass", why=f"The hop limit is {hops}.", note=note)
        return Answer(
            status="fail",
            why=f"The hop limit is {hops}, above {limit}.",
            note=(
                "Containers behind a bridge need 2 to reach IMDS: lowering it cuts them off."
                if limit < _NEEDED_BY_CONTAINERS
                else ""
            ),
            remediation=f"Set the hop limit to {limit} where no container on the instance needs "
            "more.",
        )

    return Control(
        names={_ID: f"AWS Config, {_ID} (tokenHopLimit {limit})"},
        title=f"The IMDSv2 token's hop limit is no higher than {limit}",
        severity="low",
        subject="instance",
        rule=rule,
        fails_when=f"the hop limit is above the parameter, here {limit}",
        source="AWS Config Developer Guide, ec2-token-hop-limit-check",
        absent_in=_ABSENT_IN,
        with_parameter=at_most,
    )


CONTROL = at_most(1)
