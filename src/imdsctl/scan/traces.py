"""Traces made on hosts, as evidence: lines come in, a value for each instance is stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from msgspec import Struct

from imdsctl.imds.conclude import Book, ProgramConclusion
from imdsctl.model.evidence import Behaviour, Cell, Instance, Trace, TracedProgram
from imdsctl.model.verdict import Confidence
from imdsctl.ports import Clock, Store

_SOURCE = "host"
Tracer = Literal["imdsctl", "aws-imds-packet-analyzer"]


@dataclass(slots=True, kw_only=True)
class HostTrace:
    """What one or several files say of one instance; lines are taken in one by one.

    Lines have to come in the order of their time. `start` and `end` are what the tracer says of
    itself, where it does; else the first and the last line count.
    """

    instance: str
    tracer: Tracer
    start: datetime | None = None
    end: datetime | None = None
    lost: int = 0
    partial: bool = False
    since_boot: bool = False
    _begun: int = 0
    _summed_up: int = 0
    _book: Book = field(default_factory=Book)
    _requests: int = 0
    _v1: dict[int, int] = field(default_factory=dict)
    _first: datetime | None = None
    _last: datetime | None = None

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in one line.

        Raises:
            ValueError: its time is no time.
        """
        at = _time(line["ts"])
        self._first = min(self._first or at, at)
        self._last = max(self._last or at, at)
        if self.tracer != "imdsctl":
            # It does not see answers: a token request is taken for one that was answered, and a
            # version that is its word alone for a guess.
            answered = 200 if line["version"] == "token" else line.get("status")
            line = {**line, "status": answered, "complete": not line.get("guess")}
        self._requests += 1
        if line["version"] == "v1":
            day = at.date().toordinal()
            self._v1[day] = self._v1.get(day, 0) + 1
        self._book.add(line)

    def began(self, record: Mapping[str, Any]) -> None:
        """Take in the line with which a tracer begins a log.

        Raises:
            ValueError: its time is no time.
        """
        at = _time(record["began"])
        self.start = min(self.start or at, at)
        self._begun += 1
        self.since_boot = self.since_boot or record.get("since_boot") is True
        self.partial = self.partial or bool(record.get("filtered"))

    def ended(self, record: Mapping[str, Any]) -> None:
        """Take in the line with which it sums up: what was lost, and how much of the host it saw.

        Raises:
            ValueError: its time is no time.
        """
        at = _time(record["ended"])
        self.end = max(self.end or at, at)
        self._summed_up += 1
        self.lost += int(record["lost"]["total"])
        unwritten = int(record.get("unwritten") or 0)
        self.partial = self.partial or record.get("partial") is True or unwritten > 0

    def evidence(self, cell: Cell) -> Trace | None:
        """The whole as a value; None where neither tracer nor lines say when it was."""
        start, end = self.start or self._first, self.end or self._last
        if start is None or end is None:
            return None
        start, end = min(start, self._first or start), max(end, self._last or end)
        first, last = start.date().toordinal(), end.date().toordinal()
        return Trace(
            id=self.instance,
            account=cell.account,
            region=cell.region,
            tracer=self.tracer,
            start=start,
            end=end,
            requests=self._requests,
            v1=sum(self._v1.values()),
            lost=self.lost,
            # A tracer that was killed had no time to say what it lost.
            partial=self.partial or (self._begun > 0 and self._summed_up == 0),
            since_boot=self.since_boot,
            v1_per_day=[self._v1.get(day, 0) for day in range(first, last + 1)] if self._v1 else [],
            programs=[self._program(found) for found in self._book.conclusions()],
        )

    def _program(self, found: ProgramConclusion) -> TracedProgram:
        confidence: Confidence = cast(Confidence, found.confidence)
        return TracedProgram(
            program=found.program,
            behaviour=cast(Behaviour, found.conclusion),
            confidence=confidence if self.tracer == "imdsctl" else "low",
            v1=found.v1,
            v2=found.v2,
            tokens=found.tokens,
            unanswered=found.unanswered,
            container=found.container,
            user_agent=next(iter(found.user_agents), None),
            fix=found.fix,
        )


def _time(said: Any) -> datetime:
    return datetime.fromisoformat(str(said)).astimezone(UTC)


class TracesStored(Struct, kw_only=True):
    """What became of the traces: how many were stored, and of which instances nothing is known."""

    stored: int
    unknown: list[str]


def store_traces(
    store: Store, clock: Clock, scan: int, traces: Iterable[HostTrace]
) -> TracesStored:
    """Append each trace as evidence on its instance, which a scan has to have seen."""
    cells: dict[str, Cell] = {}
    result = TracesStored(stored=0, unknown=[])
    by_cell: dict[Cell, list[Trace]] = {}
    for trace in traces:
        cell = cells.get(trace.instance) or _cell_of(store, trace.instance)
        if cell is None:
            result.unknown.append(trace.instance)
            continue
        cells[trace.instance] = cell
        if (found := trace.evidence(cell)) is not None:
            by_cell.setdefault(cell, []).append(found)
    for cell, found_here in by_cell.items():
        _record(store, clock, scan, cell, found_here)
        result.stored += len(found_here)
    return result


def _record(store: Store, clock: Clock, scan: int, cell: Cell, traces: Sequence[Trace]) -> None:
    reading = store.begin_reading(scan, cell, "traces", _SOURCE, clock.now(), whole=False)
    store.add(reading, traces)
    store.end_reading(reading, complete=True)


def _cell_of(store: Store, instance: str) -> Cell | None:
    for record in store.find(instance):
        if isinstance(record.item, Instance) and record.item.id == instance:
            return record.item.cell
    return None
