"""Nobody sets tokens back to optional (EC2 User Guide, "Example policies to control access")."""

from imdsctl.guard.guardrail import (
    NO_MANAGEMENT,
    Finding,
    Guardrail,
    Json,
    Look,
    Settings,
    deny,
)
from imdsctl.model.plan import Change

_SID = "DenyIMDSv1HttpTokensModification"


def _build(settings: Settings) -> Json:
    # On this call `ec2:MetadataHttpTokens` is the instance's present value; the requested one is
    # the attribute. The Null test keeps calls possible that leave the tokens alone.
    return deny(
        settings,
        _SID,
        "ec2:ModifyInstanceMetadataOptions",
        settings.instances,
        {
            "StringNotEquals": {"ec2:Attribute/HttpTokens": "required"},
            "Null": {"ec2:Attribute/HttpTokens": "false"},
        },
    )


def _undo(change: Change, _look: Look) -> Finding | None:
    if change.kind != "instance-options" or change.before.get("http_tokens") != "optional":
        return None
    if change.after.get("http_tokens") != "required":
        return None
    return Finding("deny", "sets http_tokens back to optional")


GUARDRAIL = Guardrail(
    name="deny-v1-modification",
    sid=_SID,
    kinds=("iam", "scp"),
    title="no way back to v1 on an existing instance",
    does="Denies ModifyInstanceMetadataOptions where the request sets http_tokens to anything but "
    "required; requests that leave the tokens alone pass.",
    misses=(
        "Instances whose tokens are optional today stay so, and are not named.",
        "New instances can still be launched on v1.",
        "IMDS that was switched off can be switched on again, with the tokens as they were.",
        NO_MANAGEMENT,
    ),
    blocks=(
        (
            "rollback of every instance: denied with UnauthorizedOperation. Attach it after the "
            "last soak, or exempt the role that rolls back."
        ),
        "the automatic rollback of an instance at a failed gate, for the same reason.",
        (
            "apply --via ssm where it raises the hop limit first: the Automation document always "
            "sends the tokens too, and `optional` is denied."
        ),
    ),
    build=_build,
    undo=_undo,
)
