"""What is concluded from the evidence, and why."""

from typing import Literal

from msgspec import Struct, field

Status = Literal["done", "ready", "blocked", "unknown", "exempt"]
Confidence = Literal["high", "medium", "low"]

CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")


class Reason(Struct, frozen=True, kw_only=True):
    """One rule's word on one resource.

    `summary` is one sentence of what is so, `fix` one of what to do (empty if nothing),
    `evidence` the ids of what it rests on, `status` what the rule argues for (None: a caution).
    """

    rule: str
    summary: str
    fix: str = ""
    evidence: list[str] = field(default_factory=list)
    status: Status | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The judgement of one resource: `unknown` is never `ready`.

    `hop_limit` is the response hop limit with which tokens can be required, where it has to differ
    from today's; None to keep today's.
    """

    resource: str
    account: str
    region: str
    status: Status
    confidence: Confidence
    reasons: list[Reason]
    hop_limit: int | None = None
