"""Launches have to ask for tokens (EC2 User Guide, "Example policies to control access")."""

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
from imdsctl.model.plan import Change

_SID = "RequireImdsV2"


def _build(settings: Settings) -> Json:
    return deny(
        settings,
        _SID,
        "ec2:RunInstances",
        settings.instances,
        {"StringNotEquals": {"ec2:MetadataHttpTokens": "required"}},
    )


def _path(path: LaunchPath, look: Look) -> Finding:
    if look.is_unread(path):
        return UNREAD
    explicit = path.explicit.http_tokens
    if explicit == "required":
        return Finding("allow", "it says itself that tokens are required")
    if path.launch_configuration:
        return NOT_CAUGHT
    if explicit is not None:
        return launch(path, f"it says http_tokens {explicit}")
    # The negated operator also matches a missing key. Whether AWS fills the key with what the
    # account default or the image makes of it, the documentation does not say.
    if path.effective.http_tokens == "required" or not look.inherited_is_known(path, "http_tokens"):
        by = f"leaves the tokens to the {path.decided_by}"
        if path.effective.http_tokens != "required":
            by = "leaves the tokens open, and what decides then could not be read"
        return Finding(
            "may-deny", f"it {by}; AWS does not say whether that satisfies the statement"
        )
    return launch(path, "it does not say that tokens are required, and nothing else does")


def _undo(change: Change, _look: Look) -> Finding | None:
    if change.kind == "nodegroup-version":
        return Finding(
            "may-deny",
            "updates the node group to its former template version; EKS checks RunInstances for "
            "whoever asks, denied if that version does not require tokens",
        )
    specs = (change.inverse or {}).get("specs")
    if change.kind not in ("asg-launch-template", "instance-refresh") or not specs:
        return None
    return Finding(
        "may-deny",
        "points the group at its former template version again; denied if that version does not "
        "require tokens",
    )


GUARDRAIL = Guardrail(
    name="require-imdsv2",
    sid=_SID,
    kinds=("iam", "scp"),
    title="no launch without tokens required",
    does="Denies RunInstances unless the request, or the launch template that it names, says "
    "http_tokens required.",
    misses=(
        NO_LINKED_ROLES,
        (
            "A new $Default or $Latest version of a launch template is not checked again for the "
            "groups that follow it."
        ),
        NO_AUTHORING,
        "It says nothing of instances that run already, nor of their options.",
        (
            "A launch that leaves the tokens to the account default or the image may be denied "
            "too: AWS does not document whether the condition key then holds the resolved value."
        ),
        NO_MANAGEMENT,
    ),
    blocks=(
        (
            "rollback of asg-launch-template, instance-refresh and nodegroup-version: a group "
            "cannot be pointed at a version that allows v1 again."
        ),
        "apply, where it starts a refresh or pins a version whose tokens are still optional.",
    ),
    build=_build,
    path=_path,
    undo=_undo,
)
