"""Launches keep the hop limit low (EC2 User Guide, "Example policies to control access")."""

from imdsctl.guard.guardrail import (
    NO_AUTHORING,
    NO_LINKED_ROLES,
    NO_MANAGEMENT,
    NOT_CAUGHT,
    UNREAD,
    Finding,
    Guardrail,
    Json,
    Look,
    Settings,
    deny,
    launch,
)
from imdsctl.model.launch_path import LaunchPath

_SID = "MaxImdsHopLimit"
_MEMBER = "http_put_response_hop_limit"


def _build(settings: Settings) -> Json:
    limit = str(settings.max_hop_limit)
    return deny(
        settings,
        _SID,
        "ec2:RunInstances",
        settings.instances,
        {"NumericGreaterThan": {"ec2:MetadataHttpPutResponseHopLimit": limit}},
    )


def _path(path: LaunchPath, look: Look) -> Finding:
    if look.is_unread(path):
        return UNREAD
    most = look.settings.max_hop_limit
    explicit = path.explicit.http_put_response_hop_limit
    if explicit is not None:
        if explicit > most:
            return launch(path, f"its hop limit is {explicit}, the highest allowed {most}")
        return Finding("allow", f"its hop limit is {explicit}")
    if path.launch_configuration:
        return NOT_CAUGHT
    resolved = path.effective.http_put_response_hop_limit or 1
    if resolved > most:
        return Finding(
            "may-deny",
            f"it gets hop limit {resolved} from what it does not say itself; AWS does not say "
            "whether the statement sees that",
        )
    if not look.inherited_is_known(path, _MEMBER):
        return Finding("may-deny", "it leaves the hop limit open, and what decides was not read")
    return Finding("allow", f"it names no hop limit, and gets {resolved}")


GUARDRAIL = Guardrail(
    name="max-hop-limit",
    sid=_SID,
    kinds=("iam", "scp"),
    title="no launch with a high hop limit",
    does="Denies RunInstances with a response hop limit above the highest allowed.",
    misses=(
        "A launch that names no hop limit is not denied: a comparison with a missing key is false.",
        (
            "The hop limit of an instance that runs can still be raised with "
            "ModifyInstanceMetadataOptions."
        ),
        NO_LINKED_ROLES,
        NO_AUTHORING,
        NO_MANAGEMENT,
    ),
    blocks=(
        "apply and rollback, where they point a group at a template version with a higher limit.",
    ),
    build=_build,
    path=_path,
)
