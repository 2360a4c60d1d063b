"""Credentials that were fetched over v1 are worth nothing (EC2 User Guide, same page)."""

from datetime import timedelta

from imdsctl.guard.guardrail import (
    NO_MANAGEMENT,
    Finding,
    Guardrail,
    Json,
    Look,
    Settings,
    deny,
)
from imdsctl.model.evidence import Calls, Instance

_SID = "RequireAllEc2RolesToUseV2"
_LIFETIME = timedelta(hours=6)
"""How long role credentials that IMDS gave out stay valid, at most."""


def _build(settings: Settings) -> Json:
    # The key is there only for the credentials of an EC2 role, so that a comparison leaves all
    # others alone. A negated operator would match where it is missing, and deny everybody.
    return deny(settings, _SID, "*", "*", {"NumericLessThan": {"ec2:RoleDelivery": "2.0"}})


def _instance(instance: Instance, look: Look) -> Finding | None:
    if instance.state in ("terminated", "shutting-down"):
        return None
    if instance.profile is None:
        return Finding("allow", "it has no role, so no credentials to be denied")
    posture = instance.options.posture
    if posture == "imds-off":
        return Finding("allow", "its IMDS is off: no credentials come from there")
    calls = look.calls
    if posture == "v2-only":
        if calls and calls.v1 and calls.v1.last_call and _still_valid(calls):
            return Finding(
                "may-deny",
                "tokens are required, but a v1 call was answered less than 6 hours before the "
                "reading: credentials from then count as v1 until they rotate",
            )
        return Finding("allow", "tokens are required: all its credentials are delivered over v2")
    if calls is None or calls.v1 is None:
        return Finding("may-deny", "it allows v1, and no data says whether anything uses it")
    if calls.v1.total:
        return Finding(
            "may-deny",
            f"{calls.v1.total:,} v1 calls in the window; every AWS call made with credentials "
            "fetched by one of them is denied",
        )
    judging = look.judging
    if calls.coverage < judging.min_coverage or calls.hours_running < judging.min_age_hours:
        return Finding("may-deny", "it allows v1, and was not watched long enough to know")
    return Finding("allow", "no v1 call in the window, with data throughout")


def _still_valid(calls: Calls) -> bool:
    assert calls.v1 is not None
    assert calls.v1.last_call is not None
    # The time of a call is the beginning of its hour.
    return calls.window_end - calls.v1.last_call < _LIFETIME + timedelta(hours=1)


GUARDRAIL = Guardrail(
    name="require-v2-roles",
    sid=_SID,
    kinds=("iam", "scp"),
    title="no AWS call with credentials from v1",
    does="Denies every AWS call that is signed with an EC2 role's credentials that IMDSv1 "
    "delivered.",
    misses=(
        "v1 calls that fetch no credentials (instance id, user data) go on unseen.",
        "Credentials got by assuming another role with them no longer carry the mark.",
        (
            "It hits credentials already given out: those fetched over v1 stay marked for up to 6 "
            "hours after tokens are required. Attach it after a full day without v1."
        ),
        NO_MANAGEMENT,
    ),
    blocks=(
        "imdsctl itself, where it runs on an instance whose credentials come over v1.",
        (
            "verify --host and apply --via ssm on instances whose agent still uses v1 credentials: "
            "Systems Manager loses them."
        ),
    ),
    build=_build,
    instance=_instance,
)
