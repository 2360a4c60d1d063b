"""What a whole run says: the findings as they are shown, and what was not looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from imdsctl.lint.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A finding with its line, without what could be a secret, and what it is known again by."""

    finding: Finding
    text: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """A file, or from a line of it on, that could not be read."""

    path: str
    why: str
    line: int = 0


@dataclass(slots=True, kw_only=True)
class Report:
    """All of a run.

    Attributes:
        findings: in the order of files and lines.
        not_read: what could not be read, or not parsed.
        skipped: what was left out on purpose, and why.
        files: how many were read.
        others: how many are of no kind that lint reads.
        ignored: findings that a comment lets stand.
        old: findings that the baseline has.
        gone: what the baseline has and is not found any more.
    """

    findings: list[Shown] = field(default_factory=list)
    not_read: list[NotRead] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    files: int = 0
    others: int = 0
    ignored: int = 0
    old: int = 0
    gone: int = 0

    def add(self, other: "Report") -> None:
        """Take in what another part of the run says."""
        self.findings += other.findings
        self.not_read += other.not_read
        self.skipped += other.skipped
        self.files += other.files
        self.others += other.others
        self.ignored += other.ignored

    def counted(self, severity: str) -> int:
        """How many findings have a severity."""
        return sum(one.finding.severity == severity for one in self.findings)

    @property
    def fails(self) -> bool:
        """Whether there is more than notes."""
        return any(one.finding.severity != "note" for one in self.findings)


def in_order(findings: Sequence[Shown]) -> list[Shown]:
    """By file and line."""
    return sorted(findings, key=lambda s: (s.finding.path, s.finding.place, s.finding.rule))
