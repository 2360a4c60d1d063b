"""A store in one SQLite file, for one machine; write-ahead log, so readers never wait."""

import fcntl
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event

from imdsctl.model.diagnostics import StoreError
from imdsctl.store.database import explaining, reading, refused, to_text

_OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING and materialised common table expressions."""

_BUSY_SECONDS = 30
"""How long a write waits for another process's."""


class SqliteDatabase:
    """A SQLite file.

    Raises:
        StoreError: the file is no database, or cannot be opened.
    """

    spelling: Mapping[str, str] = {
        "identity": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "bytes": "BLOB",
        "clustered": "WITHOUT ROWID",
    }

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreError(
                f"this Python's SQLite {sqlite3.sqlite_version} is too old for a store",
                detail=f"it has to be {'.'.join(map(str, _OLDEST))} or newer",
                hint="use another Python, or a store in PostgreSQL: --db postgresql://…",
            )
        self.where = str(path)
        # Two names of one file must meet at one lock.
        self._lock_file = Path(f"{path.resolve()}.lock")
        self._engine = create_engine(
            URL.create("sqlite+pysqlite", database=str(path.resolve())),
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
            pool_size=8,
            max_overflow=64,
            hide_parameters=True,
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        # SQLite has one writer at a time; threads queue here instead of polling there.
        self._writing = threading.Lock()
        with explaining(self.where), self._engine.connect() as connection:
            mode = _driver(connection).execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            self.close()
            raise StoreError(
                f"the store {path} cannot keep a write-ahead log where it is",
                hint="put it on a local disk: --db PATH",
            )

    def read(self) -> AbstractContextManager[Connection]:
        """See `Database.read`."""
        return reading(self._engine, self.where)

    @contextmanager
    def write(self, *, durable: bool = False, exclusive: bool = False) -> Iterator[Connection]:
        """See `Database.write`; every write is exclusive here."""
        del exclusive
        with self._writing, explaining(self.where), self._engine.connect() as connection:
            # In WAL mode NORMAL survives a killed process, FULL a power cut as well
            # (SQLite documentation, PRAGMA synchronous).
            level = "FULL" if durable else "NORMAL"
            _driver(connection).execute(f"PRAGMA synchronous = {level}")
            writer = connection.execution_options(imdsctl_begin="BEGIN IMMEDIATE")
            with writer.begin():
                yield writer

    @contextmanager
    def lock(self, at: datetime) -> Iterator[None]:
        """See `Database.lock`; the kernel lets go of it when the process dies, however it dies."""
        try:
            handle = self._lock_file.open("a+", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"the lock {self._lock_file} cannot be opened", detail=str(error.strerror)
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                handle.seek(0)
                raise refused(handle.readline().strip()) from error
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {socket.gethostname()} since {to_text(at)}\n")
            handle.flush()
            try:
                yield
            finally:
                # The file stays: removing it could let two in, each with a file of its own.
                handle.truncate(0)

    def close(self) -> None:
        """See `Database.close`."""
        self._engine.dispose()


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _prepare(connection: sqlite3.Connection, record: object) -> None:
    """Make the driver leave transactions to us, so that a migration's DDL is part of one."""
    del record
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -8000")  # KiB


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(str(options.get("imdsctl_begin", "BEGIN")))
