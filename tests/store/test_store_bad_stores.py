"""Stores that cannot be opened, written or trusted are said to be so, with what to do next."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import traceback
import tracemalloc
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from store_things import (
    IRELAND,
    NOON,
    SteppingClock,
    instance,
    look,
    reopened,
    sealed_plan,
    seen,
)

from imdsctl.model.diagnostics import ImdsctlError, RefusedError, StoreError, UsageError
from imdsctl.store import open_store
from imdsctl.store.database import Database
from imdsctl.store.migrate import Migration, known_migrations, migrate
from imdsctl.store.postgres import PostgresDatabase
from imdsctl.store.sqlite import SqliteDatabase
from imdsctl.store.store import SqlStore

pytest_plugins = ["store_backends"]


def refusal(address: str | Path, *, create: bool = True) -> ImdsctlError:
    with pytest.raises(ImdsctlError) as caught:
        open_store(str(address), create=create, clock=SteppingClock())
    assert caught.value.exit_code == 2
    assert caught.value.diagnostic.hint
    return caught.value


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert str(error) == f"{tmp_path} is a folder, not a store"
    assert f"--db {tmp_path}/imdsctl.db" in error.diagnostic.hint


def test_a_store_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in str(refusal(tmp_path / "nowhere" / "imdsctl.db"))
    assert "no store at" in str(refusal(tmp_path / "nowhere" / "imdsctl.db", create=False))
    assert list(tmp_path.iterdir()) == []


def test_looking_for_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    refusal(tmp_path / "imdsctl.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"# notes\n" * 1000, b"x"])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    error = refusal(path)
    assert isinstance(error, StoreError)
    assert "is not an imdsctl store" in str(error)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cookies.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")
    connection.close()
    error = refusal(path)
    assert "is a database of something else" in str(error)
    assert "cookies" in error.diagnostic.detail
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("cookies",)]
    connection.close()


def test_looking_for_a_store_on_a_server_makes_none(empty_postgres: str) -> None:
    assert "no store at postgresql:///" in str(refusal(empty_postgres, create=False))
    engine = create_engine(empty_postgres.replace("://", "+psycopg://", 1))
    with engine.connect() as connection:
        found = connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = 'imdsctl'"))
        assert found.first() is None
    engine.dispose()


def test_an_empty_file_becomes_a_store_only_when_one_is_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "imdsctl.db"
    path.touch()
    assert "no store at" in str(refusal(path, create=False))
    open_store(str(path), clock=SteppingClock()).close()
    reopened(str(path)).close()


@pytest.mark.parametrize("url", ["mysql://ada:secret@host/db", "https://example.com/imdsctl.db"])
def test_other_kinds_of_url_are_not_understood(url: str) -> None:
    error = refusal(url)
    assert isinstance(error, UsageError)
    assert "secret" not in str(error.diagnostic)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    error = refusal("postgresql://ada:hunter2@127.0.0.1:1/fleet?password=hunter2")
    assert "postgresql://127.0.0.1:1/fleet cannot be reached" in str(error)
    assert "hunter2" not in "".join(traceback.format_exception(error))


UNPRIVILEGED = """
import os, pathlib, sys
from store_things import SteppingClock, look, instance
from imdsctl.model.diagnostics import StoreError
from imdsctl.store import open_store
import imdsctl.store.store, imdsctl.store.sqlite, sqlalchemy.dialects.sqlite.pysqlite
if os.geteuid() == 0:
    os.setuid(65534)
try:
    look(open_store(sys.argv[1], clock=SteppingClock()), "instances", [instance(1)])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("modes", "said"),
    [
        ({"folder": 0o555}, "the folder {folder} may not be written"),
        ({"folder": 0o555, "store": 0o444}, "the store {folder}/imdsctl.db may not be written"),
        ({"folder": 0o777, "store": 0o444}, "the store {folder}/imdsctl.db may not be written"),
        ({"folder": 0o777, "store": 0o000}, "the store {folder}/imdsctl.db may not be read"),
        ({"folder": 0o000}, "the store {folder}/imdsctl.db cannot be opened"),
    ],
)
def test_a_store_that_may_not_be_written_is_named(modes: dict[str, int], said: str) -> None:
    """Run as a user without privileges, to whom modes apply."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "stores"
        folder.mkdir()
        store = folder / "imdsctl.db"
        if "store" in modes:
            open_store(str(store), clock=SteppingClock()).close()
            store.chmod(modes["store"])
        folder.chmod(modes["folder"])
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, store],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )
        folder.chmod(0o755)
    assert done.stdout.strip() == said.format(folder=folder)


def test_a_full_disk_is_said_to_be_full_and_nothing_is_half_there(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "imdsctl.db"), clock=SteppingClock()) as store:
        look(store, "instances", [instance(1, name="kept")])
        with store._database.read() as connection:
            # What SQLite does at this limit is what it does on a full disk.
            connection.exec_driver_sql("PRAGMA max_page_count = 60")
        with pytest.raises(StoreError, match="the disk is full") as caught:
            look(store, "instances", [instance(n, name="x" * 500) for n in range(1000)])
        assert "make room" in caught.value.diagnostic.hint
        assert seen(store) == {"kept"}


def test_an_error_shows_none_of_the_values_that_were_to_be_stored(store: SqlStore) -> None:
    secret = f"hunter{len('xx')}"  # in one piece the traceback's source line would show it
    with pytest.raises(StoreError) as caught:
        store.begin_reading(77, IRELAND, "instances", secret, NOON)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_store_is_reported_without_loading_the_database_library(tmp_path: Path) -> None:
    script = """
import sys
from imdsctl.model.diagnostics import UsageError
from imdsctl.store import open_store
try:
    open_store(sys.argv[1], create=False, clock=None)
except UsageError:
    print("sqlalchemy" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "imdsctl.db"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def database_at(address: str) -> Database:
    if "://" in address:
        return PostgresDatabase(address)
    return SqliteDatabase(Path(address))


def test_a_migration_is_taken_whole_or_not_at_all(address: str) -> None:
    known = known_migrations()
    last = known[-1].number
    good = Migration(last + 1, "good", "CREATE TABLE extra (id $identity);\n")
    bad = Migration(last + 2, "bad", "CREATE TABLE more (id $identity);\nCREATE NONSENSE;\n")
    with open_store(address, clock=SteppingClock()) as store:
        look(store, "instances", [instance(1, name="kept")])
    database = database_at(address)
    with pytest.raises(StoreError):
        migrate(database, [*known, good, bad], create=False)
    with database.read() as connection:
        taken = connection.execute(text("SELECT number FROM imdsctl_migration ORDER BY number"))
        assert list(taken.scalars()) == [*range(1, last + 2)]
        assert connection.execute(text("SELECT COUNT(*) FROM extra")).scalar() == 0
    with pytest.raises(StoreError), database.read() as connection:
        connection.execute(text("SELECT COUNT(*) FROM more"))
    mended = bad._replace(sql="-- in peace;\nCREATE TABLE more (id $identity);\n")
    migrate(database, [*known, good, mended], create=False)
    with database.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM more")).scalar() == 0
        assert connection.execute(text("SELECT name FROM evidence")).scalar() == "kept"
    database.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [m.number for m in known_migrations()] == [*range(1, len(known_migrations()) + 1)]


def test_the_journal_is_written_with_full_synchronisation(tmp_path: Path) -> None:
    """Evidence can be read again after a power cut; what a run did cannot."""
    database = SqliteDatabase(tmp_path / "imdsctl.db")
    levels = []
    for durable in (True, False):
        with database.write(durable=durable) as connection:
            levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()
    assert levels == [2, 1], "FULL is 2, NORMAL is 1"


def test_two_names_of_one_file_meet_at_one_lock(tmp_path: Path) -> None:
    path, alias = tmp_path / "imdsctl.db", tmp_path / "alias.db"
    store = open_store(str(path), clock=SteppingClock())
    alias.symlink_to(path)
    other = open_store(f"sqlite:///{alias}", clock=SteppingClock())
    with store.lock(), pytest.raises(RefusedError), other.lock():
        pytest.fail("two hold the lock")
    store.close()
    other.close()


def test_a_run_whose_lock_was_lost_cannot_journal_any_more(empty_postgres: str) -> None:
    """The server was restarted, or cut the connection: another run may hold the lock by now."""
    with open_store(empty_postgres, clock=SteppingClock()) as store:
        with store.lock():
            store.start("run-1", sealed_plan(), None)
            with store._database.read() as connection:
                cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                assert connection.execute(text(cut)).scalar() is True
            with pytest.raises(StoreError, match="cannot be reached"):
                store.write("run-1", "intent", "c1")
            with pytest.raises(StoreError, match="held the lock is gone"):
                store.write("run-1", "intent", "c1")
        assert [entry.event for entry in store.entries("run-1")] == ["started"]
        with store.lock():
            store.write("run-1", "resumed")
        assert [run.state for run in store.runs()] == ["open"]


def test_a_table_of_the_same_server_that_is_not_ours_is_left_alone(empty_postgres: str) -> None:
    engine = create_engine(empty_postgres.replace("://", "+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA imdsctl CREATE TABLE diary (day DATE)"))
    engine.dispose()
    error = refusal(empty_postgres)
    assert "is a database of something else" in str(error)
    assert "diary" in error.diagnostic.detail


def test_a_large_view_is_never_held_in_memory(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "imdsctl.db"), clock=SteppingClock()) as store:
        look(store, "instances", [instance(n, name=f"web-{n}") for n in range(5000)])
        tracemalloc.start()
        assert sum(1 for _ in store.view("instances")) == 5000
        streamed = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        kept = list(store.view("instances"))
        whole = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(kept) == 5000
    assert streamed < whole / 4
