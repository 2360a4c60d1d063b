"""Fixtures that run a test on SQLite and on PostgreSQL alike."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from store_things import (
    SteppingClock,
)

from imdsctl.store import open_store
from imdsctl.store.store import SqlStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a throw-away PostgreSQL that listens on a private socket only."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(places[-1]) if places else None)
    if found is None:
        pytest.skip("no PostgreSQL server is installed here (looked for initdb)")
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    owner = user or pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="imdsctl-pg-"))
    if user:
        shutil.chown(folder, user)
    try:
        subprocess.run(
            [found, "-D", folder / "data", "-A", "trust", "-N", "-E", "UTF8", "--locale", "C"],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        program = Path(found).with_name("postgres")
        command: list[str | Path] = [program, "-D", folder / "data", "-k", folder, "-h", "", "-F"]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(command, user=user, cwd=folder, stderr=log, stdout=log)
        try:
            deadline = time.monotonic() + 30
            while not list(folder.glob(".s.PGSQL.*[0-9]")) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"postgresql://{owner}@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def empty_postgres(postgres: str) -> str:
    """The same, with no store in it."""
    engine = create_engine(postgres.replace("://", "+psycopg://", 1))
    deadline = time.monotonic() + 30
    while True:
        try:
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA IF EXISTS imdsctl CASCADE"))
        except OperationalError:  # the server is still coming up
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            engine.dispose()
            return postgres


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store can be made."""
    if request.param == "sqlite":
        return str(tmp_path / "imdsctl.db")
    url: str = request.getfixturevalue("empty_postgres")
    return url


@pytest.fixture
def store(address: str) -> Iterator[SqlStore]:
    with open_store(address, clock=SteppingClock()) as opened:
        yield opened
