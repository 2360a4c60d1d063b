"""The account-level default of a region: what decides where a launch does not say."""

from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import AccountDefaults, Recorded
from imdsctl.model.verdict import Reason
from imdsctl.planner.draft import Draft

_DECIDING = ("groups", "launch-templates", "launch-configurations")
"""What has to be known before the account default can change."""


def declarative_policy(record: Recorded[AccountDefaults], what: str) -> Reason:
    """Why the account cannot change its defaults, and whom to ask for `what`."""
    message = record.item.managed_message
    said = f" Its owners say: “{message}”" if message else ""
    return Reason(
        rule="declarative-policy",
        summary="A declarative policy of the organization owns the account default; the account "
        f"itself cannot change it.{said}",
        fix=f"Ask who manages the organization's declarative policies {what} there.",
        evidence=[record.id],
    )


def plan_defaults(judged: JudgedCell, draft: Draft) -> None:
    """Require tokens by default, with a hop limit, unless that would cut off a held launch path.

    The endpoint is never touched. A hop limit that the account chose stays; without one it is set,
    because `required` alone would leave 1 and cut off bridged containers.
    """
    record = judged.evidence.defaults
    resource = "account-defaults"
    if record is None:
        why = judged.evidence.unreadable.get("account-defaults", "not read")
        draft.hold(
            resource,
            "unknown",
            [
                Reason(
                    rule="defaults-unread",
                    summary=f"The account default could not be read: {why}.",
                    fix="Allow ec2:GetInstanceMetadataDefaults and scan again.",
                )
            ],
        )
        return
    options = record.item.options
    wanted: dict[str, str | int] = {}
    if options.http_tokens != "required":
        wanted["http_tokens"] = "required"
    if options.http_put_response_hop_limit is None:
        wanted["http_put_response_hop_limit"] = draft.policy.default_hop_limit
    if "http_tokens" not in wanted:
        return
    if record.item.managed_by == "declarative-policy":
        draft.hold(
            resource,
            "blocked",
            [
                declarative_policy(
                    record,
                    f"to require tokens, with a hop limit of {draft.policy.default_hop_limit},",
                )
            ],
        )
        return
    missing = next((w for w in _DECIDING if w in judged.evidence.unreadable), None)
    if missing is not None:
        draft.hold(
            resource,
            "unknown",
            [
                Reason(
                    rule="launch-paths-unread",
                    summary=f"The {missing.replace('-', ' ')} here could not be read whole "
                    f"({judged.evidence.unreadable[missing]}): what launches by the account "
                    "default is not known.",
                    fix="Scan again with the right to read them.",
                    evidence=[record.id],
                )
            ],
        )
        return
    waiting = [
        p.path
        for p in judged.paths
        if p.path.effective.posture == "v1-allowed"
        # Whether the default reaches launch configurations is not documented, so one that a group
        # uses is waited for.
        and p.path.kind != "launch-configuration"
        and p.path.explicit.http_tokens is None
        and p.path.id not in draft.frozen
        and not (p.path.kind == "template" and p.path.template in draft.owned_templates)
    ]
    if waiting:
        draft.hold(
            resource,
            "blocked",
            [
                Reason(
                    rule="default-decides",
                    summary=f"{waiting[0].name} leaves the tokens to the account default and is "
                    "not on V2 only yet: requiring them by default would put its next instance on "
                    "V2 only.",
                    fix=f"Solve {waiting[0].name} first, then plan again.",
                    evidence=[record.id, *waiting[0].evidence],
                )
            ],
        )
        return
    before = options.members()
    draft.freeze.append(
        draft.change(
            "account-defaults",
            resource,
            before={k: before.get(k) for k in wanted},
            after=dict(wanted),
            inverse={
                k: before.get(k, -1 if k.endswith("limit") else "no-preference") for k in wanted
            },
            reason="Whatever launches without a choice of its own is V2 only from now on.",
        )
    )
