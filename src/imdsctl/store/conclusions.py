"""The conclusions kept in the store: verdicts under a key, plans under their digest."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

import msgspec
from sqlalchemy import Connection, text

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.plan import Plan
from imdsctl.model.verdict import Verdict
from imdsctl.ports import Clock
from imdsctl.store.database import Database, to_text

_KEPT_SETS = 5
"""How many keys' verdicts are kept; they can always be judged again from the evidence."""

_CHUNK = 1000

_SET_OF = "SELECT id FROM verdict_set WHERE key = :key AND ready = 1"
_ADD = text("""
    INSERT INTO verdict (verdict_set, number, resource, status, body)
    VALUES (:set, :number, :resource, :status, :body)
""")
# Sets that a killed process left unready are swept up when they are a day old.
_STALE = """
    SELECT id FROM verdict_set WHERE id <> :set AND (
        (ready = 1 AND key = :key)
        OR (ready = 1 AND id NOT IN (
            SELECT id FROM verdict_set WHERE ready = 1 ORDER BY id DESC LIMIT :kept
        ))
        OR (ready = 0 AND saved_at < :stale)
    )
"""
_COUNTS = text("""
    SELECT v.status, COUNT(*) AS number
    FROM verdict v WHERE v.verdict_set = :set GROUP BY v.status
""")
_BODIES = text("SELECT body FROM verdict WHERE verdict_set = :set ORDER BY number")


class ConclusionStore:
    """`ports.Store`, the part about verdicts and plans."""

    _database: Database
    _clock: Clock

    def save_verdicts(self, key: str, verdicts: Iterable[Verdict]) -> None:
        """See `ports.Store.save_verdicts`; they replace what was kept under the key.

        They show all at once, when the last one is in. `verdicts` may itself read from this store
        while it is consumed.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            number = int(
                connection.execute(
                    text("INSERT INTO verdict_set (key, saved_at) VALUES (:key, :at) RETURNING id"),
                    {"key": key, "at": to_text(now)},
                ).scalar_one()
            )
        rows = (
            {
                "set": number,
                "number": position,
                "resource": verdict.resource,
                "status": verdict.status,
                "body": msgspec.json.encode(verdict),
            }
            for position, verdict in enumerate(verdicts)
        )
        while chunk := list(islice(rows, _CHUNK)):
            with self._database.write() as connection:
                connection.execute(_ADD, chunk)
        with self._database.write() as connection:
            connection.execute(
                text("UPDATE verdict_set SET ready = 1 WHERE id = :set"), {"set": number}
            )
            _sweep(
                connection,
                {
                    "set": number,
                    "key": key,
                    "kept": _KEPT_SETS,
                    "stale": to_text(now - timedelta(days=1)),
                },
            )

    def verdict_counts(self, key: str) -> dict[str, int] | None:
        """See `ports.Store.verdict_counts`; a status that nothing has is absent."""
        with self._database.read() as connection:
            number = connection.execute(text(_SET_OF), {"key": key}).scalar_one_or_none()
            if number is None:
                return None
            rows = connection.execute(_COUNTS, {"set": number})
            return {row.status: row.number for row in rows}

    def verdicts(self, key: str) -> Iterator[Verdict]:
        """The verdicts kept under a key, in the order in which they were saved; maybe none."""
        decoder = msgspec.json.Decoder(Verdict)
        with self._database.read() as connection:
            number = connection.execute(text(_SET_OF), {"key": key}).scalar_one_or_none()
            bodies = connection.execution_options(yield_per=_CHUNK).execute(
                _BODIES, {"set": number}
            )
            for row in bodies:
                yield decoder.decode(row.body)

    def save_plan(self, plan: Plan) -> None:
        """See `ports.Store.save_plan`; keeping it twice is keeping it once.

        Raises:
            UsageError: the plan is not sealed.
        """
        with self._database.write(durable=True) as connection:
            keep_plan(connection, plan)

    def plan(self, digest: str) -> Plan | None:
        """See `ports.Store.plan`."""
        with self._database.read() as connection:
            body = connection.execute(
                text("SELECT body FROM plan WHERE digest = :digest"), {"digest": digest}
            ).scalar_one_or_none()
        return None if body is None else msgspec.json.decode(body, type=Plan)


def keep_plan(connection: Connection, plan: Plan) -> None:
    """Keep a plan, inside a transaction of the caller's."""
    if not plan.digest:
        raise UsageError("the plan is not sealed", hint="build it with `imdsctl plan -f plan.json`")
    connection.execute(
        text("""
            INSERT INTO plan (digest, created_at, body) VALUES (:digest, :at, :body)
            ON CONFLICT (digest) DO NOTHING
        """),
        {
            "digest": plan.digest,
            "at": to_text(plan.created_at),
            "body": msgspec.json.encode(plan),
        },
    )


def _sweep(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(
        text(f"DELETE FROM verdict WHERE verdict_set IN ({_STALE})"),  # noqa: S608 (constant)
        values,
    )
    connection.execute(
        text(f"DELETE FROM verdict_set WHERE id IN ({_STALE})"),  # noqa: S608 (constant)
        values,
    )
