"""The declarative policy for EC2: defaults, and enforcement, for whole accounts.

AWS Organizations User Guide, "Declarative policy syntax and examples": `no_preference` is written
with an underscore here, and with a hyphen in EC2's own API.
"""

from imdsctl.guard.guardrail import UNREAD, Finding, Guardrail, Json, Look, Settings
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.plan import Change

_MESSAGE = "Instance metadata defaults are set for the whole organization; ask its administrators."


def _build(settings: Settings) -> Json:
    wanted = {
        "http_tokens": "required",
        "http_put_response_hop_limit": str(settings.default_hop_limit),
        # Said as "enabled" this would switch IMDS on where an account has it off.
        "http_endpoint": "no_preference",
        "instance_metadata_tags": "no_preference",
        "http_tokens_enforced": "enabled" if settings.enforce else "no_preference",
    }
    return {
        "ec2_attributes": {
            "exception_message": {"@@assign": _MESSAGE},
            "instance_metadata_defaults": {
                name: {"@@assign": value} for name, value in wanted.items()
            },
        }
    }


def _path(path: LaunchPath, look: Look) -> Finding:
    explicit = path.explicit.http_tokens
    if not look.settings.enforce:
        if explicit == "optional":
            return Finding("allow", "not caught: it says optional, which outweighs a default")
        return Finding("allow", "a default denies nothing")
    if look.is_unread(path):
        return UNREAD
    if explicit == "required":
        return Finding("allow", "it says itself that tokens are required")
    if explicit is not None:
        if path.explicit.http_endpoint == "disabled":
            return Finding(
                "may-deny",
                "it says http_tokens optional with IMDS off; AWS does not say whether that counts",
            )
        return Finding(
            "deny",
            f"it says http_tokens {explicit}: the launch fails with UnsupportedOperation, Auto "
            "Scaling's own too",
        )
    if path.launch_configuration:
        return Finding(
            "may-deny",
            "its launch configuration leaves the tokens open; AWS does not say whether account "
            "defaults reach launch configurations",
        )
    return Finding("allow", "it leaves the tokens open, so the policy's default makes it V2 only")


def _undo(change: Change, look: Look) -> Finding | None:
    if change.kind in ("account-defaults", "account-enforcement"):
        return Finding("deny", "sets the account default back, which the policy then owns")
    if look.settings.enforce and change.requires_tokens:
        return Finding("deny", "sets http_tokens back to optional: UnsupportedOperation")
    return None


GUARDRAIL = Guardrail(
    name="declarative-defaults",
    sid="",
    kinds=("declarative",),
    title="account defaults, and enforcement, from the organization",
    does="Sets tokens required and the hop limit as the default in every region of the accounts "
    "it is attached to, and locks them there; with --enforce it also refuses launches that would "
    "answer v1, and every way back to optional.",
    misses=(
        "Without --enforce it sets defaults only: a launch that says optional gets optional.",
        "Existing instances keep what they have, with or without enforcement.",
        "It knows no exempt roles: what has to stay on v1 needs an account of its own.",
    ),
    blocks=(
        (
            "apply and rollback of account-defaults and account-enforcement: the account cannot "
            "change them any more."
        ),
        (
            "with --enforce, rollback of every instance (UnsupportedOperation); a dry run does not "
            "show it."
        ),
    ),
    build=_build,
    path=_path,
    undo=_undo,
)
