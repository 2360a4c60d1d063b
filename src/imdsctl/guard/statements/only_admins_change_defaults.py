"""Account defaults are for administrators (EC2 User Guide recommends it beside the others)."""

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

_SID = "OnlyAdminsModifyMetadataDefaults"


def _build(settings: Settings) -> Json:
    return deny(settings, _SID, "ec2:ModifyInstanceMetadataDefaults", "*", {})


def _undo(change: Change, _look: Look) -> Finding | None:
    if change.kind not in ("account-defaults", "account-enforcement"):
        return None
    return Finding("deny", "sets the account default back")


GUARDRAIL = Guardrail(
    name="only-admins-change-defaults",
    sid=_SID,
    kinds=("iam", "scp"),
    title="account defaults only by exempt roles",
    does="Denies ModifyInstanceMetadataDefaults to everybody but the exempt roles; without any, "
    "to everybody.",
    misses=(
        "Launches that choose for themselves outweigh the account default.",
        "A declarative policy of the organization sets the defaults whatever this says.",
        NO_MANAGEMENT,
    ),
    blocks=(
        (
            "apply and rollback of account-defaults and account-enforcement, unless imdsctl runs "
            "under an exempt role."
        ),
    ),
    build=_build,
    undo=_undo,
)
