"""AWS Config's ec2-token-hop-limit-check with its default parameter."""

from imdsctl.judge.controls.base import Answer, Control, pending_note
from imdsctl.model.evidence import Instance

LIMIT = 1


def rule(instance: Instance) -> Answer | None:
    """The hop limit must not be above the parameter, whose default is 1."""
    if instance.state == "terminated":
        return None
    hops = instance.options.http_put_response_hop_limit
    if hops is None:
        return Answer(status="unknown", why="The hop limit was not read.")
    if hops <= LIMIT:
        return Answer(status="pass", why=f"The hop limit is {hops}.", note=pending_note(instance))
    return Answer(
        status="fail",
        why=f"The hop limit is {hops}, above {LIMIT}.",
        note="Containers behind a bridge need 2 to reach IMDS: lowering it cuts them off.",
        remediation=f"Set the hop limit to {LIMIT} where no container on the instance needs IMDS.",
    )


CONTROL = Control(
    names={"ec2-token-hop-limit-check": "AWS Config, ec2-token-hop-limit-check (limit 1)"},
    title="The IMDSv2 token's hop limit is no higher than 1",
    severity="low",
    subject="instance",
    rule=rule,
    source="AWS Config Developer Guide, ec2-token-hop-limit-check",
)
