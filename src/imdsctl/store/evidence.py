"""The evidence side of the store: scans, readings, and the current view over them."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from imdsctl.model.evidence import ITEM_OF, Cell, Item, Reading, Recorded
from imdsctl.ports import Posture, ScanRecord
from imdsctl.store.database import Database, to_text, to_time
from imdsctl.store.rows import EVIDENCE, distinct, to_days, to_recorded, to_row

_CHUNK = 500
"""Rows held in memory at a time while a view is read."""

_KINDS = list(ITEM_OF)

_INTO = f"INSERT INTO evidence ({', '.join(EVIDENCE)})"
_LAST_WORD = "ON CONFLICT (reading, subject) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in EVIDENCE[2:]
)
_ADD = text(f"{_INTO} VALUES ({', '.join(f':{name}' for name in EVIDENCE)}) {_LAST_WORD}")
_ADD_TUPLES = f"{_INTO} VALUES ({', '.join('?' * len(EVIDENCE))}) {_LAST_WORD}"
_NEW_BASE = text("""
    INSERT INTO view_base (what, account, region, reading)
    VALUES (:what, :account, :region, :reading)
    ON CONFLICT (what, account, region) DO UPDATE SET reading = excluded.reading
    WHERE view_base.reading < excluded.reading
""")
_DROP_PATCHES = text("""
    DELETE FROM view_patch
    WHERE what = :what AND account = :account AND region = :region AND reading < :reading
""")
# One that is older than the base by now does no harm: the view passes it over.
_PATCH = text("""
    INSERT INTO view_patch (what, account, region, subject, reading, evidence)
    SELECT :what, :account, :region, e.subject, e.reading, e.id
    FROM evidence e
    WHERE e.reading = :reading
    ON CONFLICT (what, account, region, subject)
    DO UPDATE SET reading = excluded.reading, evidence = excluded.evidence
    WHERE view_patch.reading < excluded.reading
""")

_VIEW = text("""
    SELECT id, what, source, observed_at, body FROM current_evidence WHERE what = :what
""")
_VIEW_OF_CELL = text("""
    SELECT id, what, source, observed_at, body FROM current_evidence
    WHERE what = :what AND account = :account AND region = :region
""")
# A name leads to everything about what bears it: an instance's Name to its calls as well.
_FIND = text("""
    WITH named AS (
        SELECT DISTINCT account, region, subject FROM current_evidence
        WHERE subject = :resource OR name = :resource OR parent = :resource
    )
    SELECT c.id, c.what, c.account, c.region, c.source, c.observed_at, c.subject, c.body
    FROM named n
    JOIN current_evidence c
        ON c.account = n.account AND c.region = n.region AND c.subject = n.subject
""")
# Materialised, as SQLite would else carry every column of the view, bodies too, into the join.
_POSTURE = text("""
    WITH calls AS MATERIALIZED (
        SELECT account, region, subject, 1 AS watched, v1_total
        FROM current_evidence WHERE what = 'calls'
    ), instances AS MATERIALIZED (
        SELECT account, region, subject, posture, pending
        FROM current_evidence
        WHERE what = 'instances' AND state NOT IN ('terminated', 'shutting-down')
    ), fleet AS (
        SELECT i.posture, i.pending, c.watched, c.v1_total
        FROM instances i
        LEFT JOIN calls c
            ON c.subject = i.subject AND c.region = i.region AND c.account = i.account
    )
    SELECT
        COUNT(*) AS total,
        COUNT(CASE WHEN posture = 'v1-allowed' THEN 1 END) AS v1_allowed,
        COUNT(CASE WHEN posture = 'v2-only' THEN 1 END) AS v2_only,
        COUNT(CASE WHEN posture = 'imds-off' THEN 1 END) AS imds_off,
        COUNT(CASE WHEN pending = 1 THEN 1 END) AS pending,
        COUNT(CASE WHEN posture = 'v1-allowed' AND v1_total > 0 THEN 1 END) AS v1_called,
        COUNT(CASE WHEN posture = 'v1-allowed' AND v1_total = 0 THEN 1 END) AS v1_quiet,
        COUNT(CASE WHEN posture = 'v1-allowed' AND watched = 1 AND v1_total IS NULL THEN 1 END)
            AS v1_no_data,
        COUNT(CASE WHEN posture = 'v1-allowed' AND watched IS NULL THEN 1 END) AS v1_not_watched
    FROM fleet
""")
_SPAN = text("""
    SELECT MIN(first_day) AS first, MAX(last_day) AS last
    FROM current_evidence WHERE what = 'calls'
""")
# Few instances call at all, and their days are in their bodies: rows of their own would be many.
_CALLERS = text("""
    SELECT body FROM current_evidence
    WHERE what = 'calls' AND (v1_total > 0 OR rejected_total > 0)
""")
_OLD = """
    FROM reading
    WHERE scan NOT IN (SELECT id FROM scan ORDER BY id DESC LIMIT :keep)
        AND id NOT IN (SELECT reading FROM view_base)
        AND id NOT IN (SELECT reading FROM view_patch)
"""
_PRUNE = (
    text(f"DELETE FROM evidence WHERE reading IN (SELECT id {_OLD})"),  # noqa: S608 (constant)
    text(f"DELETE {_OLD}"),
    text("""
        DELETE FROM scan
        WHERE id NOT IN (SELECT id FROM scan ORDER BY id DESC LIMIT :keep)
            AND id NOT IN (SELECT scan FROM reading)
    """),
)


def _insert(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """Append evidence; in SQLite the rows go to the driver as they are.

    Passing each through SQLAlchemy's parameter processing would be most of what a scan spends on
    its store.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_ADD_TUPLES, rows)
    else:
        connection.execute(_ADD, [dict(zip(EVIDENCE, row, strict=True)) for row in rows])


class EvidenceStore:
    """`ports.Store`, the part about evidence.

    Readings count in the order in which they were begun, not by their clocks: clocks of several
    machines differ, and a simulated one can be set back.
    """

    _database: Database

    def begin_scan(self, at: datetime, caller: str, days: int, role_name: str | None = None) -> int:
        """See `ports.Store.begin_scan`."""
        with self._database.write() as connection:
            return _number(
                connection,
                "INSERT INTO scan (started_at, caller, days, role_name)"
                " VALUES (:at, :caller, :days, :role_name) RETURNING id",
                {"at": to_text(at), "caller": caller, "days": days, "role_name": role_name},
            )

    def end_scan(self, scan: int, at: datetime) -> None:
        """See `ports.Store.end_scan`."""
        with self._database.write(durable=True) as connection:
            connection.execute(
                text("UPDATE scan SET finished_at = :at WHERE id = :scan"),
                {"at": to_text(at), "scan": scan},
            )

    def begin_reading(
        self, scan: int, cell: Cell, what: str, source: str, at: datetime, *, whole: bool = True
    ) -> int:
        """See `ports.Store.begin_reading`.

        Raises:
            ValueError: `what` is no kind of evidence.
        """
        if what not in ITEM_OF:
            raise ValueError(f"no kind of evidence: {what}")
        with self._database.write() as connection:
            return _number(
                connection,
                "INSERT INTO reading (scan, account, region, what, source, observed_at, whole)"
                " VALUES (:scan, :account, :region, :what, :source, :at, :whole) RETURNING id",
                {
                    "scan": scan,
                    "account": cell.account,
                    "region": cell.region,
                    "what": what,
                    "source": source,
                    "at": to_text(at),
                    "whole": int(whole),
                },
            )

    def add(self, reading: int, items: Sequence[Item]) -> None:
        """See `ports.Store.add`; an item that comes again in one reading replaces the first.

        Raises:
            ValueError: the reading is not open, or an item is of another kind than it.
        """
        if not items:
            return
        items = distinct(items)
        rows = [to_row(reading, item) for item in items]
        with self._database.write() as connection:
            what = _open_reading(connection, reading).what
            if not all(isinstance(item, ITEM_OF[what]) for item in items):
                raise ValueError(f"reading {reading} takes {what} only")
            _insert(connection, rows)

    def end_reading(self, reading: int, *, complete: bool, why: str | None = None) -> None:
        """See `ports.Store.end_reading`; from here on it counts.

        Raises:
            ValueError: the reading is not open.
        """
        with self._database.write() as connection:
            row = _open_reading(connection, reading)
            connection.execute(
                text("""
                    UPDATE reading SET ended = 1, complete = :complete, why = :why,
                        items = (SELECT COUNT(*) FROM evidence WHERE reading = :reading)
                    WHERE id = :reading
                """),
                {"reading": reading, "complete": int(complete), "why": why},
            )
            place = {
                "what": row.what,
                "account": row.account,
                "region": row.region,
                "reading": reading,
            }
            if row.whole:
                connection.execute(_NEW_BASE, place)
                connection.execute(_DROP_PATCHES, place)
            else:
                connection.execute(_PATCH, place)

    def scans(self) -> list[ScanRecord]:
        """See `ports.Store.scans`."""
        with self._database.read() as connection:
            rows = connection.execute(text("SELECT * FROM scan ORDER BY id DESC"))
            return [
                ScanRecord(
                    id=row.id,
                    started_at=to_time(row.started_at),
                    finished_at=to_time(row.finished_at) if row.finished_at else None,
                    caller=row.caller,
                    days=row.days,
                    role_name=row.role_name,
                )
                for row in rows
            ]

    def readings(self) -> list[Reading]:
        """The newest whole reading of each kind in each cell, by account, region and kind.

        Looks at single resources are left out: they cannot say what could not be read.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                text("""
                    SELECT r.* FROM view_base b JOIN reading r ON r.id = b.reading
                    ORDER BY r.account, r.region
                """)
            ).all()
        return [
            Reading(
                scan=row.scan,
                account=row.account,
                region=row.region,
                what=row.what,
                observed_at=to_time(row.observed_at),
                complete=bool(row.complete),
                count=row.items,
                why=row.why,
            )
            for row in sorted(rows, key=lambda r: (r.account, r.region, _KINDS.index(r.what)))
        ]

    def cells(self) -> list[Cell]:
        """See `ports.Store.cells`; by account and region."""
        with self._database.read() as connection:
            rows = connection.execute(
                text("""
                    SELECT account, region FROM view_base
                    UNION SELECT account, region FROM view_patch
                    UNION SELECT account, region FROM reading WHERE ended = 1
                """)
            )
            return sorted(Cell(row.account, row.region) for row in rows)

    def view(self, what: str, cell: Cell | None = None) -> Iterator[Recorded[Any]]:
        """See `ports.Store.view`: one moment of the store, read a few hundred rows at a time."""
        place = {"account": cell.account, "region": cell.region} if cell else {}
        with self._database.read() as connection:
            rows = connection.execution_options(yield_per=_CHUNK).execute(
                _VIEW_OF_CELL if cell else _VIEW, {"what": what, **place}
            )
            for part in rows.partitions():
                for row in part:
                    yield to_recorded(*row)

    def find(self, resource: str) -> list[Recorded[Any]]:
        """See `ports.Store.find`.

        `resource` is an id (instance, image, `lt-…:5`, `account/region`), a name (group, launch
        configuration, template, image, an instance's Name) or a template's id.
        """
        with self._database.read() as connection:
            rows = connection.execute(_FIND, {"resource": resource}).all()
        rows = sorted(rows, key=lambda r: (_KINDS.index(r.what), r.account, r.region, r.id))
        return [to_recorded(r.id, r.what, r.source, r.observed_at, r.body) for r in rows]

    def posture(self) -> Posture:
        """See `ports.Store.posture`."""
        with self._database.read() as connection:
            return Posture(**connection.execute(_POSTURE).mappings().one())

    def calls_per_day(self) -> list[tuple[str, int, int]]:
        """See `ports.Store.calls_per_day`.

        Days run from the first to the last that any instance with data was watched; without any
        data there are none, rather than days of zero.
        """
        with self._database.read() as connection:
            span = connection.execute(_SPAN).one()
            sums: dict[str, tuple[int, int]] = {}
            rows = connection.execution_options(yield_per=_CHUNK).execute(_CALLERS)
            for (body,) in rows:
                for day, v1, rejected in to_days(body):
                    before = sums.get(day, (0, 0))
                    sums[day] = (before[0] + v1, before[1] + rejected)
        if span.first is None:
            return []
        first, last = date.fromisoformat(span.first), date.fromisoformat(span.last)
        dates = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
        return [(day, *sums.get(day, (0, 0))) for day in dates]

    def prune(self, keep_scans: int) -> int:
        """Forget what only scans older than the newest `keep_scans` saw.

        What is part of the current view stays, however old. Readings that were never ended go too,
        as their scans age. Returns the number of pieces of evidence forgotten.
        """
        with self._database.write() as connection:
            gone = [connection.execute(sql, {"keep": keep_scans}).rowcount for sql in _PRUNE]
        return gone[0]


def _number(connection: Connection, sql: str, values: dict[str, Any]) -> int:
    return int(connection.execute(text(sql), values).scalar_one())


def _open_reading(connection: Connection, reading: int) -> Any:
    row = connection.execute(
        text("SELECT what, account, region, whole FROM reading WHERE id = :id AND ended = 0"),
        {"id": reading},
    ).one_or_none()
    if row is None:
        raise ValueError(f"reading {reading} is not open")
    return row
