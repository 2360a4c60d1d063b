"""Files that mean harm to whoever looks at them, as root, on every host."""

import io
import os
import resource
import sqlite3
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from host_audit.audited import archive, found, look, put
from imdsctl.host.audit import progress_on
from imdsctl.host.audit.finders import golang, rpmdb
from imdsctl.host.audit.found import NotReadError
from imdsctl.host.audit.walk import Walk

FOR_EVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"


def database(path: Path, *statements: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    one = sqlite3.connect(path)
    with one:
        for statement in statements:
            one.execute(statement)
    one.close()


def not_read(root: Path) -> dict[str, str]:
    return {row["where"]: row["why"] for row in look(root)["not_read"]}


def test_a_write_ahead_log_that_leads_out_of_the_root_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A log with one good frame, made by SQLite itself.
    made, table = tmp_path / "made", "CREATE TABLE Packages (hnum INTEGER, blob BLOB)"
    writer = sqlite3.connect(made, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute(table)
    log = Path(f"{made}-wal").read_bytes()
    writer.close()
    outside = put(tmp_path, "outside", log)
    place = tmp_path / "root/var/lib/rpm/rpmdb.sqlite"
    database(place, table)
    Path(f"{place}-wal").symlink_to(outside)
    given: list[bool] = []
    rows = rpmdb._rows

    def spy(path: str, *, immutable: bool = True) -> Iterator[bytes]:
        given.append(immutable)
        return rows(path, immutable=immutable)

    monkeypatch.setattr(rpmdb, "_rows", spy)
    assert look(tmp_path / "root")["complete"]
    assert outside.read_bytes() == log
    assert given == [True]


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE VIEW Packages AS {FOR_EVER} SELECT zeroblob(1000) AS blob FROM c",
        "CREATE VIRTUAL TABLE Packages USING fts5(blob)",
    ],
)
def test_packages_that_are_made_up_while_they_are_read_are_refused(
    statement: str, tmp_path: Path
) -> None:
    database(tmp_path / "rpm/rpmdb.sqlite", statement)
    assert not_read(tmp_path) == {
        "/rpm/rpmdb.sqlite": "not a database of rpm: it has no table of packages"
    }


def test_a_database_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpmdb, "_SECONDS", -1.0)
    monkeypatch.setattr(rpmdb, "_STEPS", 10)
    rows = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000)"
    database(
        tmp_path / "rpm/rpmdb.sqlite",
        "CREATE TABLE Packages (blob BLOB)",
        f"INSERT INTO Packages {rows} SELECT zeroblob(1) FROM c",
    )
    assert "interrupted" in not_read(tmp_path)["/rpm/rpmdb.sqlite"]


def test_a_header_larger_than_any_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpmdb, "LARGEST_HEADER", 1000)
    database(
        tmp_path / "rpm/rpmdb.sqlite",
        "CREATE TABLE Packages (blob BLOB)",
        "INSERT INTO Packages VALUES (zeroblob(1001))",
    )
    assert "larger than rpm allows" in not_read(tmp_path)["/rpm/rpmdb.sqlite"]


def test_an_index_that_names_one_package_again_and_again_ends(tmp_path: Path) -> None:
    page, size = 4096, 1 << 20
    slot = struct.pack("<4sIII", b"Slot", 1, page // 16, 1)
    head = struct.pack("<4sIIIIIII", b"RpmP", 0, 1, 1, 2, 0, 0, 0)
    blob = struct.pack("<4sIII", b"BlbS", 1, 1, size) + bytes(size)
    put(tmp_path, "rpm/Packages.db", head + slot * 254 + blob)
    assert "again and again" in not_read(tmp_path)["/rpm/Packages.db"]


def test_a_database_that_is_mostly_holes_is_not_loaded(tmp_path: Path) -> None:
    for name in ("Packages", "Packages.db", "rpmdb.sqlite"):
        os.truncate(put(tmp_path, f"rpm/{name}", "x"), 1 << 40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert set(not_read(tmp_path).values()) == {"larger than 512 MiB"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_400_000


def test_an_archive_with_an_index_of_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    path = put(tmp_path, "lib/big.jar", "PK")
    size = 3 << 30
    os.truncate(path, size)
    with path.open("ab") as file:
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0))
    assert not_read(tmp_path) == {"/lib/big.jar": "has an index larger than 128 MiB"}


def test_an_archive_with_too_many_entries_is_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(zipfile.ZipFile, "infolist")
    index = (b"PK\1\2" + bytes(42)) * 600_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(index), 0, 0)
    put(tmp_path, "lib/many.jar", index + end)
    assert not_read(tmp_path) == {"/lib/many.jar": "has more than 500,000 entries"}


def test_an_archive_with_something_behind_it_is_still_read(tmp_path: Path) -> None:
    inside = {"META-INF/maven/com.amazonaws/aws-java-sdk-core/pom.properties": "version=1.11.1\n"}
    put(tmp_path, "lib/x.jar", archive(inside) + b"signed by somebody")
    assert found(look(tmp_path)) == {"com.amazonaws:aws-java-sdk-core": {"1.11.1"}}


def test_a_program_of_terabytes_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golang, "_LARGEST_PROGRAM", 1 << 20)
    path = put(tmp_path, "a", "x")
    os.truncate(path, 1 << 40)
    with path.open("rb") as file, pytest.raises(NotReadError, match="larger than"):
        golang._which(file, (b"needle",))


def test_a_pipe_that_passes_for_a_jar_does_not_keep_the_audit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jar")
    pipe = os.open(tmp_path / "x.jar", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "x.jar").unlink()
    script = (
        "from imdsctl.host.audit.processes import Looked, _one\n"
        f"looked = Looked([], [], [], [])\n_one({os.getpid()}, '/proc/{os.getpid()}', 'x', '', "
        "looked)\nprint(looked.not_read)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
        )
    finally:
        os.close(pipe)
    assert "no longer a regular file" in done.stdout


def test_beside_the_root_nothing_is_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "botocore/__init__.py", "__version__ = '1.12.0'\n")
    put(tmp_path, "botocore-1.12.0.dist-info/METADATA", "x")
    assert found(look(tmp_path / "botocore")) == {"botocore": {"1.12.0"}}


def test_a_folder_of_millions_is_not_listed_before_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        put(tmp_path, f"{number}/status", "x")
        put(tmp_path, f"status{number}", "x")
    listed, scandir = [0], os.scandir

    class Counting:
        def __init__(self, folder: str) -> None:
            self._inside = scandir(folder)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._inside.close()

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> os.DirEntry[str]:
            listed[0] += 1
            return next(self._inside)

    monkeypatch.setattr(os, "scandir", Counting)
    walk = Walk(str(tmp_path))
    next(walk.each(lambda entry, _: entry.name.startswith("status")))
    assert listed[0] <= 101  # the folders among them come first, at worst


def test_names_of_folders_do_not_steer_the_terminal_that_shows_how_far_it_is() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    show = progress_on(stream)
    assert show is not None
    show(3, "/a/\x1b]0;mine\x07\x9b2J\nb\udcff")
    assert stream.getvalue().removeprefix("\r").isprintable()
    assert "/a/?]0;mine??2J?b?" in stream.getvalue()
