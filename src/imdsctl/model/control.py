"""What a control of somebody else's says of a resource, with our own finding beside it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

ControlStatus = Literal["pass", "fail", "not-applicable", "unknown"]
Severity = Literal["informational", "low", "medium", "high"]
Subject = Literal[
    "instance",
    "launch-template",
    "launch-configuration",
    "auto-scaling-group",
    "account-defaults",
]
Effective = Literal["v2-only", "v1-allowed", "imds-off", "pending", "terminated", "unknown"]


class ControlResult(Struct, frozen=True, kw_only=True):
    """One control's answer for one resource.

    `status` follows the control's own rule to the letter; `effective` is what is really so on the
    resource, and `note` says why the two differ where they do. `unknown` stands where the control
    could not be asked because something was not read: then `resource` names the account and the
    region, and `why` what AWS answered.
    """

    control: str
    title: str
    benchmark: str
    severity: Severity
    subject: Subject
    resource: str
    account: str
    region: str
    status: ControlStatus
    why: str
    effective: Effective
    name: str = ""
    note: str = ""
    evidence: list[str] = field(default_factory=list)
    remediation: str = ""
    observed_at: datetime | None = None
