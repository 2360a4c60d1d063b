"""The end of a trace: what each program does, what was lost, and how much silence proves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from imdsctl.host.trace.events import Lost
from imdsctl.imds.conclude import ProgramConclusion

NOTHING, CALLS_V1, INCOMPLETE = 0, 1, 3
"""Exit codes: nobody called v1; somebody did; nobody was seen to, which proves nothing, because
requests were lost or not the whole host was looked at."""


@dataclass(frozen=True)
class Summary:
    """What a trace found.

    Attributes:
        method: by which it was done.
        began: RFC 3339.
        ended: RFC 3339.
        since_boot: it holds all there was since the boot.
        programs: the worst first.
        v1: requests without a token.
        v2: requests with one.
        tokens: requests for one.
        lost: what there was no room for.
        others: requests to the address that are not about AWS's metadata: program, path, number.
        limits: what the method could not see here, in words.
        filtered: not all requests were written as lines; the numbers here are of all of them.
        unattributed: requests whose process is not known.
        partial: the method does not see the whole host.
        unwritten: lines that could not be written to the log, as on a full disk.
    """

    method: str
    began: str
    ended: str
    since_boot: bool
    programs: tuple[ProgramConclusion, ...]
    v1: int
    v2: int
    tokens: int
    lost: Lost
    others: tuple[tuple[str, str, int], ...] = ()
    limits: tuple[str, ...] = ()
    filtered: bool = False
    unattributed: int = 0
    partial: bool = False
    unwritten: int = 0

    @property
    def proves_silence(self) -> bool:
        """Whether it may be said that nobody called v1 in this time."""
        return self.v1 == 0 and not self.lost.total and not self.partial

    @property
    def code(self) -> int:
        """The exit code."""
        if self.v1:
            return CALLS_V1
        return NOTHING if self.proves_silence else INCOMPLETE

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.v1:
            callers = sum(one.uses_v1 for one in self.programs)
            requests = counted(self.total, "request")
            return f"{counted(callers, 'program')} called IMDSv1: {self.v1:,} of {requests}"
        if self.lost.total:
            return (
                "whether anybody called IMDSv1 is not known: "
                f"{counted(self.lost.sent, 'request')} and "
                f"{counted(self.lost.total - self.lost.sent, 'other event')} were lost "
                f"({counted(self.total, 'request')} traced)"
            )
        seen = counted(self.total, "request") if self.total else "no request at all"
        if self.partial:
            return f"no IMDSv1 call was seen ({seen}), but not the whole host was looked at"
        return f"no v1 call in this time ({seen})"

    @property
    def total(self) -> int:
        """Requests that were traced."""
        return self.v1 + self.v2 + self.tokens

    def record(self) -> Mapping[str, Any]:
        """The members of the last line of a log."""
        return {
            "record": "summary",
            "schema": "imdsctl/host-trace-summary/v1",
            "method": self.method,
            "began": self.began,
            "ended": self.ended,
            "since_boot": self.since_boot,
            "requests": {"v1": self.v1, "v2": self.v2, "token": self.tokens},
            "lost": {**self.lost._asdict(), "total": self.lost.total},
            "proves_silence": self.proves_silence,
            "partial": self.partial,
            "unwritten": self.unwritten,
            "filtered": self.filtered,
            "unattributed": self.unattributed,
            "programs": [asdict(one) for one in self.programs],
            "others": [
                {"program": program, "path": path, "requests": number}
                for program, path, number in self.others
            ],
            "limits": list(self.limits),
        }


def counted(number: int, noun: str) -> str:
    """`1 request`, `2,000 requests`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
