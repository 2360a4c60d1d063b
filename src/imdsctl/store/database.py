"""Connections and transactions, the same for both databases."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from imdsctl.model.diagnostics import RefusedError, StoreError


class Database(Protocol):
    """What SQLite and PostgreSQL have to offer to the rest of this room."""

    where: str
    """The store as a person would name it; never holds a password."""

    spelling: Mapping[str, str]
    """What the migrations' placeholders stand for."""

    def read(self) -> AbstractContextManager[Connection]:
        """A connection that sees one moment of the store per statement."""
        ...

    def write(
        self, *, durable: bool = False, exclusive: bool = False
    ) -> AbstractContextManager[Connection]:
        """A transaction, committed at the end unless something is raised.

        Args:
            durable: On disk when the block ends, even if the power fails right after.
            exclusive: To change the schema; no other process does meanwhile.
        """
        ...

    def lock(self, at: datetime) -> AbstractContextManager[None]:
        """Hold the store's one lock for changes; `at` is told to whoever is refused."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


@contextmanager
def reading(engine: Engine, where: str) -> Iterator[Connection]:
    """A connection for reading, with the database's errors as ours."""
    with explaining(where), engine.connect() as connection:
        yield connection


@contextmanager
def explaining(where: str) -> Iterator[None]:
    """Turn the database's errors into a `StoreError` that says what to do.

    SQLAlchemy's own text, which quotes statements and values, is left out.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        detail = next(iter(str(getattr(error, "orig", error)).splitlines()), "")
        summary, hint = _explain(detail.lower())
        raise StoreError(f"the store {where} {summary}", detail=detail, hint=hint) from error


def refused(holder: str) -> RefusedError:
    """What a second run is told."""
    return RefusedError(
        "another run is making changes from this store",
        detail=f"the lock is held by {holder or 'another process'}",
        hint="wait until it ends (`imdsctl runs`), or stop that process; it can be resumed",
    )


_EXPLANATIONS = (
    ("not a database", "is not an imdsctl store", "name another store with --db"),
    ("malformed", "is damaged", "restore it from a copy, or scan into a new one: --db PATH"),
    ("readonly", "may not be written", "make it and its folder writable, or name another: --db"),
    ("read-only", "may not be written", "make it and its folder writable, or name another: --db"),
    (
        "unable to open",
        "cannot be opened",
        "make it and its folder writable, or name another: --db",
    ),
    ("disk is full", "cannot grow: the disk is full", "make room, then run the command again"),
    ("locked", "is busy with another imdsctl", "wait until that is done, then try again"),
    ("permission denied", "refuses this user", "ask for the right to use the schema imdsctl"),
    ("connection", "cannot be reached", "check the URL given with --db, and the server"),
)


def _explain(detail: str) -> tuple[str, str]:
    for sign, summary, hint in _EXPLANATIONS:
        if sign in detail:
            return summary, hint
    return "could not do what was asked", "name another store with --db, or report this as a bug"


def to_text(at: datetime) -> str:
    """A time as it is stored: RFC 3339 in UTC, microseconds, so that text sorts as time does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@lru_cache(maxsize=1024)
def to_time(stored: str) -> datetime:
    """The time that `to_text` stored."""
    return datetime.fromisoformat(stored)
