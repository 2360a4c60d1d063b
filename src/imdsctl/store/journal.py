"""The journal side of the store: what a run does, on disk before the run goes on."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, text

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.host import OwnCalls
from imdsctl.model.plan import Plan
from imdsctl.model.probes import own_calls
from imdsctl.model.run import Entry, Event, RunSummary, fold
from imdsctl.ports import Clock
from imdsctl.store.conclusions import keep_plan
from imdsctl.store.database import Database, to_text, to_time

# The run's row hands out the numbers: two writers, in whatever process, queue at it.
_NEXT = text("UPDATE run SET last_seq = last_seq + 1 WHERE id = :run RETURNING last_seq")
_WRITE = text("""
    INSERT INTO journal (run, seq, at, event, subject, body)
    VALUES (:run, :seq, :at, :event, :subject, :body)
""")
_ENTRIES = text("SELECT * FROM journal WHERE run = :run ORDER BY seq")
_RUNS = text("SELECT id, digest, started_at FROM run ORDER BY number DESC")
_WRITTEN = text("SELECT COALESCE(SUM(last_seq), 0) FROM run")
_PROBES = text("""
    SELECT * FROM journal WHERE event IN ('probing', 'probed') ORDER BY at, run, seq
""")
_RUN_ENTRIES = text("SELECT * FROM journal WHERE subject = '' ORDER BY run, seq")


class SqlJournal:
    """`ports.Journal`; safe to use from several threads at once."""

    _database: Database
    _clock: Clock
    _own_calls: tuple[int, OwnCalls] = (-1, {})

    def write(
        self, run: str, event: Event, subject: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """See `ports.Journal.write`.

        Raises:
            UsageError: there is no such run.
            StoreError: the entry could not be made durable; do not go on.
        """
        with self._database.write(durable=True) as connection:
            self._append(connection, run, event, subject, data or {})

    def entries(self, run: str) -> list[Entry]:
        """See `ports.Journal.entries`; empty where there is no such run."""
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(_ENTRIES, {"run": run})]

    def runs(self) -> list[RunSummary]:
        """See `ports.Journal.runs`; each with the state that its journal tells."""
        with self._database.read() as connection:
            rows = connection.execute(_RUNS).all()
            entries = [_entry(row) for row in connection.execute(_RUN_ENTRIES)]
        states = {
            run: fold(run, list(told)).state for run, told in groupby(entries, lambda e: e.run)
        }
        return [
            RunSummary(
                id=row.id,
                started_at=to_time(row.started_at),
                digest=row.digest,
                state=states[row.id],
            )
            for row in rows
        ]

    def start(
        self, run: str, plan: Plan, waves: list[int] | None, allowed: Sequence[str] = ()
    ) -> None:
        """See `ports.Journal.start`; plan and first entry are kept together or not at all.

        Raises:
            UsageError: the run was started before, or the plan is not sealed.
        """
        at = to_text(self._clock.now())
        with self._database.write(durable=True) as connection:
            keep_plan(connection, plan)
            started = connection.execute(
                text("""
                    INSERT INTO run (id, digest, started_at) VALUES (:run, :digest, :at)
                    ON CONFLICT (id) DO NOTHING
                """),
                {"run": run, "digest": plan.digest, "at": at},
            )
            if started.rowcount != 1:
                raise UsageError(
                    f"run {run} was started before",
                    hint=f"go on with it: imdsctl apply plan.json --resume {run}",
                )
            named = {"allowed": list(allowed)} if allowed else {}
            self._append(
                connection, run, "started", "", {"digest": plan.digest, "waves": waves, **named}
            )

    def plan_of(self, run: str) -> Plan:
        """See `ports.Journal.plan_of`."""
        with self._database.read() as connection:
            body = connection.execute(
                text(
                    "SELECT p.body FROM run r JOIN plan p ON p.digest = r.digest WHERE r.id = :run"
                ),
                {"run": run},
            ).scalar_one_or_none()
        if body is None:
            raise _no_run(run)
        return msgspec.json.decode(body, type=Plan)

    def own_calls(self) -> OwnCalls:
        """The calls without a token that probes made, in all runs of this store.

        The journal is read anew only where something was written to it since the last time.
        """
        with self._database.read() as connection:
            written = int(connection.execute(_WRITTEN).scalar_one())
            if written != self._own_calls[0]:
                probes = [_entry(row) for row in connection.execute(_PROBES)]
                self._own_calls = (written, own_calls(probes))
        return self._own_calls[1]

    def lock(self) -> AbstractContextManager[None]:
        """See `ports.Journal.lock`; raised on entering the block, not on this call."""
        return self._database.lock(self._clock.now())

    def _append(
        self, connection: Connection, run: str, event: Event, subject: str, data: Mapping[str, Any]
    ) -> None:
        seq = connection.execute(_NEXT, {"run": run}).scalar_one_or_none()
        if seq is None:
            raise _no_run(run)
        connection.execute(
            _WRITE,
            {
                "run": run,
                "seq": seq,
                # Read here, so that times run with the numbers.
                "at": to_text(self._clock.now()),
                "event": event,
                "subject": subject,
                "body": msgspec.json.encode(dict(data)),
            },
        )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        seq=row.seq,
        run=row.run,
        at=to_time(row.at),
        event=row.event,
        subject=row.subject,
        data=msgspec.json.decode(row.body),
    )


def _no_run(run: str) -> UsageError:
    return UsageError(f"there is no run {run} in this store", hint="see `imdsctl runs`")
