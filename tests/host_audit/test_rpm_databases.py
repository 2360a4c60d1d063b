"""rpm's databases in all three formats, each written by a real tool."""

import sqlite3
import struct
import subprocess
from pathlib import Path

import pytest

from host_audit.audited import found, look, put, run, there
from host_audit.managers import NotHereError, build_rpm
from imdsctl.host.audit.finders.rpmdb import package_in

OLD = "ec2-net-utils"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An old one, and enough others for headers on several pages."""
    folder = tmp_path_factory.mktemp("rpms")
    try:
        return [build_rpm(folder, OLD, "1.2"), build_rpm(folder, "other", "1.0~rc1")]
    except NotHereError as error:
        pytest.skip(str(error))


def installed(root: Path, packages: list[Path], backend: str) -> Path:
    place = root / "var/lib/rpm"
    words: list[str | Path] = ["rpm", "--root", root, "--dbpath", "/var/lib/rpm"]
    run(*words, "--define", f"_db_backend {backend}", "-i", "--nodeps", *packages)
    return place


def test_a_database_that_rpm_wrote_is_read(packages: list[Path], tmp_path: Path) -> None:
    place = installed(tmp_path, packages, "sqlite")
    assert (place / "rpmdb.sqlite").exists()
    answer = look(tmp_path)
    assert found(answer) == {OLD: {"1.2-1.amzn2"}}
    assert answer["summary"]["packages"]["rpm"] == 2
    assert answer["findings"][0]["where"] == "/var/lib/rpm/rpmdb.sqlite"


def as_ndb(blobs: list[bytes]) -> bytes:
    """As lib/backend/ndb/rpmpkg.c of rpm lays it out; Debian's rpm cannot write it."""
    page, block = 4096, 16
    slots, body = b"", b""
    for number, blob in enumerate(blobs, 1):
        whole = struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        whole += b"\0" * (-len(whole) % block) + struct.pack("<III4s", 0, len(blob), 0, b"BlbE")
        offset = (page + len(body)) // block
        slots += struct.pack("<4sIII", b"Slot", number, offset, len(whole) // block)
        body += whole
    # A slot that was given up stays in the table with index 0.
    slots += struct.pack("<4sIII", b"Slot", 0, 0, 0)
    head = struct.pack("<4sIIII12x", b"RpmP", 0, 1, 1, len(blobs) + 1)
    return (head + slots).ljust(page, b"\0") + body


def test_an_ndb_of_headers_that_rpm_wrote_is_read(packages: list[Path], tmp_path: Path) -> None:
    blobs = headers(installed(tmp_path / "made", packages, "sqlite"))
    put(tmp_path, "root/usr/lib/sysimage/rpm/Packages.db", as_ndb(blobs))
    answer = look(tmp_path / "root")
    assert found(answer) == {OLD: {"1.2-1.amzn2"}}
    assert answer["summary"]["packages"]["rpm"] == 2


def headers(place: Path) -> list[bytes]:
    with sqlite3.connect(place / "rpmdb.sqlite") as database:
        return [blob for (blob,) in database.execute("SELECT blob FROM Packages")]


def as_berkeley_db(blobs: list[bytes], target: Path, page_size: int) -> None:
    """The old format, by Berkeley DB's own tool: record numbers, and headers."""
    lines = ["VERSION=3", "format=bytevalue", "type=hash", f"db_pagesize={page_size}", "HEADER=END"]
    for number, blob in enumerate(blobs):
        value = blob if number else b"\x02\0\0\0"  # record 0 counts
        lines += [" " + number.to_bytes(4, "little").hex(), " " + value.hex()]
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["db5.3_load", str(target)],
        input="\n".join([*lines, "DATA=END", ""]),
        text=True,
        check=True,
    )


@pytest.mark.parametrize("page_size", [512, 4096])
def test_a_berkeley_db_is_read_and_rpm_itself_agrees(
    page_size: int, packages: list[Path], tmp_path: Path
) -> None:
    if not there("db5.3_load"):
        pytest.skip("no db5.3_load on this machine")
    blobs = headers(installed(tmp_path / "made", packages, "sqlite"))
    target = tmp_path / "root/var/lib/rpm/Packages"
    as_berkeley_db([b"", *blobs], target, page_size)
    answer = look(tmp_path / "root")
    assert found(answer) == {OLD: {"1.2-1.amzn2"}}
    assert answer["summary"]["packages"]["rpm"] == 2
    assert answer["complete"]
    words: list[str | Path] = [
        "rpm",
        "--dbpath",
        target.parent,
        "--define",
        "_db_backend bdb_ro",
        "-qa",
    ]
    theirs = run(*words).stdout.split()
    assert sorted(theirs) == ["ec2-net-utils-1.2-1.amzn2.noarch", "other-1.0~rc1-1.amzn2.noarch"]


def test_what_is_in_the_write_ahead_log_only_is_read_too(
    packages: list[Path], tmp_path: Path
) -> None:
    blobs = headers(installed(tmp_path / "made", packages, "sqlite"))
    place = tmp_path / "root/usr/lib/sysimage/rpm"
    place.mkdir(parents=True)
    writer = sqlite3.connect(place / "rpmdb.sqlite")
    try:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        writer.commit()
        writer.executemany("INSERT INTO Packages (blob) VALUES (?)", [(b,) for b in blobs])
        writer.commit()
        before = sorted(p.name for p in place.iterdir())
        assert "rpmdb.sqlite-wal" in before
        assert found(look(tmp_path / "root")) == {OLD: {"1.2-1.amzn2"}}
        assert sorted(p.name for p in place.iterdir()) == before
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("rpmdb.sqlite", b"SQLite format 3\0" + b"\xff" * 5000, "SQLite"),
        ("Packages", b"\0" * 4096, "not a hash of Berkeley DB"),
        ("Packages.db", b"RpmX" + b"\0" * 4096, "not an ndb database"),
    ],
)
def test_a_database_that_cannot_be_read_is_named_and_never_silently_nothing(
    name: str, content: bytes, why: str, tmp_path: Path
) -> None:
    put(tmp_path, f"var/lib/rpm/{name}", content)
    answer = look(tmp_path)
    (missed,) = answer["not_read"]
    assert missed["where"] == f"/var/lib/rpm/{name}"
    assert why in missed["why"]
    assert not answer["complete"]


def test_a_header_has_its_epoch() -> None:
    data = b"salt\0" + b"3005\0" + b"1\0" + b"\0\0\0\x02"
    index = [(1000, 6, 0), (1001, 6, 5), (1002, 6, 10), (1003, 4, 12)]
    blob = (4).to_bytes(4, "big") + len(data).to_bytes(4, "big")
    for tag, kind, offset in index:
        blob += b"".join(n.to_bytes(4, "big") for n in (tag, kind, offset, 1))
    assert package_in(blob + data) == ("salt", "2:3005-1")
