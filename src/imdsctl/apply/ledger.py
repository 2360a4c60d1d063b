"""The run's journal with its state kept folded, and told to whoever watches."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from imdsctl.model.plan import Plan
from imdsctl.model.run import ChangeProgress, Entry, Event, Progress, RunSummary, fold, fold_one
from imdsctl.ports import Clock, Journal

Watcher = Callable[[Entry], None]


class Ledger:
    """A `Journal` that also keeps one run's progress, and is safe to write from several threads."""

    def __init__(
        self, journal: Journal, clock: Clock, run: str, watch: Watcher | None = None
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._run = run
        self._watch = watch
        self._lock = threading.Lock()
        self.progress: Progress = fold(run, journal.entries(run))
        self._earlier: dict[str, ChangeProgress] = {}

    def inherit(self, plan: Plan, journal: Journal) -> None:
        """Take note of what other runs of the same plan have applied and not taken back."""
        for other in reversed(journal.runs()):
            if other.digest == plan.digest and other.id != self._run:
                done = fold(other.id, journal.entries(other.id))
                self._earlier.update(
                    {k: c for k, c in done.changes.items() if c.state == "applied"}
                )

    def earlier(self, change_id: str) -> ChangeProgress | None:
        """What another run of the same plan made of a change, if it applied it."""
        return self._earlier.get(change_id)

    def change(self, change_id: str) -> ChangeProgress:
        """Where one change stands."""
        return self.progress.changes.get(change_id) or ChangeProgress(id=change_id)

    def write(
        self, run: str, event: Event, subject: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Append durably, then fold and tell."""
        with self._lock:
            self._journal.write(run, event, subject, data)
            entry = Entry(
                seq=0,
                run=run,
                at=self._clock.now(),
                event=event,
                subject=subject,
                data=dict(data or {}),
            )
            fold_one(self.progress, entry)
            if self._watch is not None:
                self._watch(entry)

    def entries(self, run: str) -> list[Entry]:
        """All entries of a run."""
        return self._journal.entries(run)

    def runs(self) -> list[RunSummary]:
        """All runs."""
        return self._journal.runs()

    def start(
        self, run: str, plan: Plan, waves: list[int] | None, allowed: Sequence[str] = ()
    ) -> None:
        """Keep the plan and write the first entry."""
        self._journal.start(run, plan, waves, allowed)
        self.progress = fold(run, self._journal.entries(run))

    def plan_of(self, run: str) -> Plan:
        """The plan of a run."""
        return self._journal.plan_of(run)

    def lock(self) -> AbstractContextManager[None]:
        """The one lock under which changes are made."""
        return self._journal.lock()
