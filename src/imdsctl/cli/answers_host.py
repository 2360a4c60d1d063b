"""The JSON answers of `imdsctl host`."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Behaviour = Literal[
    "v1-only",
    "v1-by-default",
    "v1-first",
    "broken-v2",
    "sticky-fallback",
    "fallback",
    "no-fallback",
]
Effect = Literal["v1-off", "v1-forced", "v2-preferred", "imds-off", "elsewhere", "none"]


class AuditSummary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counts: `settings` are those that force v1, `packages` are by ecosystem."""

    findings: int
    high: int
    medium: int
    notes: int
    settings: int
    files: int
    packages: dict[str, int]
    processes: int


class AuditedUse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A process that has it loaded, or most likely has."""

    pid: int
    comm: str
    how: Literal["loaded", "likely"]


class Audited(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Software that was found: what it is, where, what says so, and what is known of it."""

    software: str
    what: str
    ecosystem: str
    name: str
    version: str | None
    minimum: str | None
    where: str
    layer: str | None
    how: str
    behaviour: Behaviour
    severity: Literal["high", "medium", "info"]
    confidence: Literal["high", "medium", "low"]
    running: list[AuditedUse]
    fix: str
    note: str
    source: str


class AuditedSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A setting of the metadata client, in a file or in a process's environment."""

    name: str
    value: str
    where: str
    effect: Effect
    meaning: str


class NotAudited(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What could not be read, or was left out, and why."""

    where: str
    why: str


class HostAuditAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl host audit -o json`.

    `notes` are of software that is known and no obstacle; `complete` is false where something is
    `not_read`; `skipped` was left out on purpose.
    """

    schema: Literal["imdsctl/host-audit/v1"]
    root: str
    audited_at: datetime
    seconds: float
    complete: bool
    summary: AuditSummary
    findings: list[Audited]
    notes: list[Audited]
    settings: list[AuditedSetting]
    not_read: list[NotAudited]
    skipped: list[NotAudited]
