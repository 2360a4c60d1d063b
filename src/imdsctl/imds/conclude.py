"""The lines of a host trace come in; what each program's requests mean, and its fix, go out.

Pure, so that the tracer on the host and the scan that reads its logs draw the same conclusions.
A line is a dictionary as `imdsctl host trace` writes it (docs/host-trace.md). Only `version` has
to be there; what a line does not tell is taken as unknown, and lowers the confidence.

What tells the cases apart is the order within one caller: a request without a token after a token
request that got no answer means the hop limit, not old software. When SDKs fall back: AWS SDKs and
Tools Reference, "IMDS credential provider" (on 403, 404 and 405), and their sources (on timeouts,
too).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imdsctl.imds.programs import caller_of, program_of

WORST_FIRST = ("v1-only", "v1-first", "fallback", "hop-limit", "v2")
"""The conclusions.

- `v1-only`: asks without a token and never asks for one.
- `v1-first`: asks without a token although it can ask for one.
- `fallback`: asks for a token, is refused it, and goes on without.
- `hop-limit`: asks for a token, the answer never arrives, and it goes on without or gives up.
- `v2`: everything was asked with a token.
"""

FIXES = {
    "v1-only": "upgrade it, or its AWS SDK, to a version that speaks IMDSv2; in a script, PUT "
    "/latest/api/token first and send the token along",
    "v1-first": "upgrade what asks without a token first; part of it speaks IMDSv2 already",
    "fallback": "find out why its token request is refused: a proxy that adds X-Forwarded-For, a "
    "wrong path or a bad lifetime; an upgrade would not help",
    "hop-limit": "give it an identity of its own (IRSA, EKS Pod Identity, an ECS task role), or "
    "raise the hop limit by one for each hop that containers add; an upgrade would not help",
    "v2": "nothing to do",
}
"""What to do about each."""

COUNTED = ("v1", "v2", "token")
"""The versions that are about the metadata service; lines of any other are passed over."""

_CONFIDENCE = ("low", "medium", "high")
_REFUSED = 400
_OK = 200
Line = Mapping[str, Any]


@dataclass(frozen=True)
class ProgramConclusion:
    """What the requests of one program in one container (or on the host) mean.

    Attributes:
        program: its name for people: the file, an interpreter with its script, a helper such as
            curl with who ran it.
        exe: the program file, None where it was not seen.
        container: id of the container, None on the host.
        conclusion: one of WORST_FIRST, the worst of its processes'.
        v1: requests without a token, whatever their answer.
        v2: requests with one.
        tokens: requests for a token.
        unanswered: requests for a token that got no answer.
        first: `ts` of the first request, as its line had it; empty where lines had none.
        last: of the last one.
        fix: what to do, in words.
        confidence: `high`, `medium` or `low`.
        refused: requests for a token that were refused.
        also: what other processes of the program do, where it differs.
        user: name of the user, None where unknown or where there were several.
        unit: systemd unit, None as above.
        pod: Kubernetes pod, None as above.
        pids: its processes.
        paths: what was asked for without a token, else everything.
        user_agents: as sent.
    """

    program: str
    exe: str | None
    container: str | None
    conclusion: str
    v1: int
    v2: int
    tokens: int
    unanswered: int
    first: str
    last: str
    fix: str
    confidence: str
    refused: int = 0
    also: tuple[str, ...] = ()
    user: str | None = None
    unit: str | None = None
    pod: str | None = None
    pids: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()

    @property
    def uses_v1(self) -> bool:
        """Whether it sent any request without a token."""
        return self.v1 > 0


def conclude(lines: Iterable[Line]) -> list[ProgramConclusion]:
    """The conclusion for each program, the worst first.

    Lines may come in any order; those of one moment keep theirs.
    """
    book = Book()
    for line in sorted(lines, key=_when):
        book.add(line)
    return book.conclusions()


class Book:
    """The same, line by line, in bounded memory: for a tracer that runs for weeks.

    Lines have to come in order of their time within one caller. A caller is remembered as a few
    numbers; of the least recent ones beyond `most_callers` only the conclusion is kept. Of the
    least recent programs beyond `most_programs` those of one file are taken together, whichever
    container or unit they were in, and at last all of them as OTHERS: no request is forgotten.
    """

    def __init__(self, most_callers: int = 10_000, most_programs: int = 4096) -> None:
        self._most = most_callers
        self._most_programs = most_programs
        self._programs: dict[_Key, _Program] = {}
        self._callers: dict[tuple[_Key, str], _Caller] = {}

    def add(self, line: Line) -> None:
        """Take note of one line; one that is not about the metadata service changes nothing."""
        if line.get("version") not in COUNTED:
            return
        key = (
            program_of(line),
            _text(line, "exe"),
            _text(line, "container"),
            _text(line, "unit"),
        )
        # Taken out and put in again: the least recent stand first.
        program = self._programs.pop(key) if key in self._programs else _Program()
        self._programs[key] = program
        program.add(line)
        who = (key, caller_of(line))
        caller = self._callers.pop(who, None) or _Caller()
        caller.add(line)
        self._callers[who] = caller
        if len(self._callers) > self._most:
            oldest = next(iter(self._callers))
            self._programs[oldest[0]].settle(self._callers.pop(oldest))
        while len(self._programs) > max(self._most_programs, 1):
            self._fold(next(one for one in self._programs if one != _REST))

    def _fold(self, key: _Key) -> None:
        """Take a program together with others."""
        program = self._programs.pop(key)
        for who in [one for one in self._callers if one[0] == key]:
            program.settle(self._callers.pop(who))
        into: _Key = (key[0], key[1], SEVERAL if key[2] else None, SEVERAL if key[3] else None)
        if into == key:
            into = _REST
        together = self._programs.pop(into) if into in self._programs else _Program()
        together.join(program)
        self._programs[into] = together

    def conclusions(self) -> list[ProgramConclusion]:
        """What is known up to now, the worst first."""
        open_callers: dict[_Key, list[_Caller]] = defaultdict(list)
        for (key, _), caller in self._callers.items():
            open_callers[key].append(caller)
        found = [one.conclude(key, open_callers[key]) for key, one in self._programs.items()]
        return sorted(found, key=lambda one: (WORST_FIRST.index(one.conclusion), -one.v1))


_Key = tuple[str, "str | None", "str | None", "str | None"]
OTHERS = "other programs"
SEVERAL = "several"
"""What the program, and the container, of many is called that are taken together."""

_REST: _Key = (OTHERS, None, None, None)
_FEW = 8


@dataclass
class _Caller:
    """One process, or the helpers that one script runs, as far as the conclusion needs it."""

    asked: str = ""  # the last token request: answered, refused, unanswered
    answered: bool = False
    # What requests without a token were, by what came before them.
    after: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    open_first: int = 0  # v1 requests that no token request has followed yet
    knows_tokens: bool = False
    unanswered: int = 0
    v2: int = 0
    unsure: bool = False  # may have done something before the trace began
    guessed: bool = False  # a header was cut off: a token may have stood in what is missing

    def add(self, line: Line) -> None:
        self.unsure = self.unsure or bool(line.get("open_before") or line.get("process_before"))
        if line["version"] == "token":
            self._token(line.get("status"))
        elif line["version"] == "v2":
            self.v2 += 1
            self._knows()
        else:
            self.guessed = self.guessed or line.get("complete") is False
            if line.get("token_unanswered"):
                self.asked = "unanswered"
            if self.asked in ("unanswered", "refused"):
                self.after[self.asked] += 1
            else:
                self.open_first += 1

    def _token(self, status: int | None) -> None:
        self._knows()
        if status is None:
            self.asked = "unanswered"
            self.unanswered += 1
        elif status >= _REFUSED:
            self.asked = "refused"
        else:
            self.asked = "answered"
            self.answered = True

    def _knows(self) -> None:
        self.knows_tokens = True
        self.after["first"] += self.open_first
        self.open_first = 0

    def conclude(self) -> tuple[str, int]:
        """The conclusion, and the confidence as an index of _CONFIDENCE."""
        found, confidence = self._conclude()
        if found.startswith("v1"):
            confidence = min(confidence, 1 if self.unsure else 2, 0 if self.guessed else 2)
        return found, confidence

    def _conclude(self) -> tuple[str, int]:
        if self.open_first and not self.knows_tokens:
            return "v1-only", 2
        if self.after["first"]:
            return "v1-first", 2
        if self.open_first:
            # It held a token, and asked without it at the end: what comes next was not seen.
            return "v1-first", 1
        if self.after["refused"]:
            return "fallback", 2
        if self.after["unanswered"]:
            return "hop-limit", 2
        if self.unanswered and not self.answered and not self.v2:
            return "hop-limit", 1
        return "v2", 2 if self.v2 else 1


class _Program:
    """The sums over all callers of one program."""

    def __init__(self) -> None:
        self._counts = {"v1": 0, "v2": 0, "token": 0}
        self._unanswered = 0
        self._refused = 0
        self._first = ""
        self._last = ""
        self._seen: dict[str, dict[Any, None]] = defaultdict(dict)
        self._settled: dict[str, int] = {}

    def add(self, line: Line) -> None:
        version = line["version"]
        self._counts[version] += 1
        status = line.get("status")
        if version == "token":
            self._unanswered += status is None
            self._refused += status is not None and status >= _REFUSED
        stamp = str(line.get("ts") or "")
        self._first = self._first or stamp
        self._last = stamp or self._last
        for name in ("user", "unit", "pod", "pid", "user_agent"):
            self._note(name, line.get(name))
        self._note("v1 path" if version == "v1" else "path", line.get("path"))

    def _note(self, name: str, value: Any) -> None:
        seen = self._seen[name]
        if value is not None and value != "" and len(seen) < _FEW:
            seen[value] = None

    def join(self, other: _Program) -> None:
        """Take what another had, too."""
        for version, number in other._counts.items():
            self._counts[version] += number
        self._unanswered += other._unanswered
        self._refused += other._refused
        self._first = min(self._first or other._first, other._first or self._first)
        self._last = max(self._last, other._last)
        for name, values in other._seen.items():
            for value in values:
                self._note(name, value)
        for what, confidence in other._settled.items():
            self._settled[what] = max(confidence, self._settled.get(what, 0))

    def settle(self, caller: _Caller) -> None:
        found, confidence = caller.conclude()
        self._settled[found] = max(confidence, self._settled.get(found, 0))

    def conclude(self, key: _Key, callers: Sequence[_Caller]) -> ProgramConclusion:
        found = dict(self._settled)
        for caller in callers:
            what, confidence = caller.conclude()
            found[what] = max(confidence, found.get(what, 0))
        worst, *others = sorted(found, key=WORST_FIRST.index)
        return ProgramConclusion(
            program=key[0],
            exe=key[1],
            container=key[2],
            conclusion=worst,
            v1=self._counts["v1"],
            v2=self._counts["v2"],
            tokens=self._counts["token"],
            unanswered=self._unanswered,
            first=self._first,
            last=self._last,
            fix=FIXES[worst],
            confidence=_CONFIDENCE[found[worst]],
            refused=self._refused,
            also=tuple(others),
            user=self._only("user"),
            unit=self._only("unit"),
            pod=self._only("pod"),
            pids=tuple(self._seen["pid"]),
            paths=tuple(self._seen["v1 path"] or self._seen["path"]),
            user_agents=tuple(self._seen["user_agent"]),
        )

    def _only(self, name: str) -> str | None:
        seen = list(self._seen[name])
        return seen[0] if len(seen) == 1 else None


def _when(line: Line) -> str:
    # RFC 3339 in UTC sorts as text, but for the fraction that whole seconds lack.
    stamp = str(line.get("ts") or "").rstrip("Z")
    return stamp if "." in stamp or not stamp else f"{stamp}.0"


def _text(line: Line, name: str) -> str | None:
    value = line.get(name)
    return str(value) if value else None
