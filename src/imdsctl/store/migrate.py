"""Bringing a store's schema up to date, one numbered step at a time."""

import re
from collections.abc import Iterator
from importlib import resources
from string import Template
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

from imdsctl.model.diagnostics import StoreError
from imdsctl.store import no_store
from imdsctl.store.database import Database

_TABLE = "imdsctl_migration"


class Migration(NamedTuple):
    """One step: its number, its name and its SQL."""

    number: int
    name: str
    sql: str


def known_migrations() -> list[Migration]:
    """The steps that this version of imdsctl knows, oldest first."""
    files = resources.files("imdsctl.store.migrations").iterdir()
    named = ((re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name), file) for file in files)
    found = [
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for match, file in named
        if match
    ]
    return sorted(found)


def migrate(database: Database, migrations: list[Migration], *, create: bool) -> None:
    """Take the steps that the store has not taken yet.

    Raises:
        UsageError: the store is empty and `create` is False.
        StoreError: it is newer than `migrations`, or it is a database of something else.
    """
    if _check(database, migrations, create=create) == migrations[-1].number:
        return
    for migration in migrations:
        with database.write(durable=True, exclusive=True) as connection:
            # Asked again under the write lock: another process may have been faster.
            if migration.number > _version(connection):
                _take(connection, migration, database)


def _check(database: Database, migrations: list[Migration], *, create: bool) -> int:
    """The number of the last step taken, 0 for a new store."""
    with database.read() as connection:
        version = _version(connection)
        tables = [] if version else inspect(connection).get_table_names()
    if version > migrations[-1].number:
        raise StoreError(
            f"the store {database.where} was written by a newer imdsctl",
            detail=f"its schema is number {version}, this version knows {migrations[-1].number}",
            hint="update imdsctl, or name another store with --db",
        )
    if tables:
        raise StoreError(
            f"{database.where} is a database of something else",
            detail=f"it has tables that are not imdsctl's ({', '.join(sorted(tables)[:3])})",
            hint="name another store with --db",
        )
    if not version and not create:
        raise no_store(database.where)
    return version


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(_TABLE):
        return 0
    return int(connection.scalar(text("SELECT COALESCE(MAX(number), 0) FROM imdsctl_migration")))


def _take(connection: Connection, migration: Migration, database: Database) -> None:
    spelling = database.spelling
    if not inspect(connection).has_table(_TABLE):
        connection.exec_driver_sql(
            "CREATE TABLE imdsctl_migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL)"
        )
    for statement in _statements(Template(migration.sql).substitute(spelling)):
        connection.exec_driver_sql(statement)
    connection.execute(
        text("INSERT INTO imdsctl_migration (number, name) VALUES (:number, :name)"),
        {"number": migration.number, "name": migration.name},
    )


def _statements(sql: str) -> Iterator[str]:
    """The statements of a step; each ends with a semicolon at the end of a line."""
    for statement in re.split(r";[ \t]*(?:\n|$)", sql):
        bare = re.sub(r"^\s*--.*$", "", statement, flags=re.MULTILINE).strip()
        if bare:
            yield bare
