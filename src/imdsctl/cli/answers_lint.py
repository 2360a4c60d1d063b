"""What `imdsctl lint -o json` says, as others rely on it."""

from typing import Literal

from msgspec import Struct

from imdsctl.model.verdict import Confidence

Severity = Literal["error", "warning", "note"]


class LintSummary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of what.

    `others` are files of no kind that lint reads, `ignored` findings that a comment lets stand,
    `baseline` findings that the baseline has, `gone` those in it that are not found any more,
    `fixable` findings that --fix has an edit for.
    """

    files: int
    others: int
    errors: int
    warnings: int
    notes: int
    fixable: int
    ignored: int
    baseline: int
    gone: int


class LintFinding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finding; lines and columns count from 1, ends included.

    `inside` says in words where in the file an embedded text is; `text` is the first line without
    what could be a secret; `fingerprint` stays when lines move.
    """

    rule: str
    severity: Severity
    confidence: Confidence
    message: str
    fix: str
    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    inside: str
    text: str
    fingerprint: str
    fixable: bool


class LintNotRead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, or from a line of it on, that could not be read or parsed."""

    path: str
    line: int | None
    why: str


class LintSkipped(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was left out on purpose."""

    path: str
    why: str


class LintAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl lint -o json`; `complete` is false where something is `not_read`."""

    schema: Literal["imdsctl/lint/v1"]
    complete: bool
    summary: LintSummary
    findings: list[LintFinding]
    not_read: list[LintNotRead]
    skipped: list[LintSkipped]
