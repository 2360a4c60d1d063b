"""The store as one object: both ports over one database."""

from pathlib import Path
from types import TracebackType
from typing import Self

from imdsctl.ports import Clock
from imdsctl.store.conclusions import ConclusionStore
from imdsctl.store.database import Database
from imdsctl.store.evidence import EvidenceStore
from imdsctl.store.journal import SqlJournal
from imdsctl.store.migrate import known_migrations, migrate


class SqlStore(EvidenceStore, ConclusionStore, SqlJournal):
    """`ports.Store` and `ports.Journal`; safe to use from several threads at once.

    Close it, or use it as a context manager.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    def open(cls, path_or_url: str, *, create: bool, clock: Clock) -> "SqlStore":
        """See `imdsctl.store.open_store`, which has looked at the path already."""
        database = _connect(path_or_url)
        try:
            migrate(database, known_migrations(), create=create)
        except BaseException:
            database.close()
            raise
        return cls(database, clock)

    @property
    def where(self) -> str:
        """The store as a person would name it; never holds a password."""
        return self._database.where

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _connect(path_or_url: str) -> Database:
    # Only the one in use is imported.
    if "://" in path_or_url:
        from imdsctl.store.postgres import PostgresDatabase  # noqa: PLC0415 (see above)

        return PostgresDatabase(path_or_url)
    from imdsctl.store.sqlite import SqliteDatabase  # noqa: PLC0415 (see above)

    return SqliteDatabase(Path(path_or_url))
