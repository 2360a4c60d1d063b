"""The three formats of rpm's database: SQLite, ndb, and Berkeley DB; all hold package headers."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import struct
import tempfile
import time
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from imdsctl.host.audit.found import File, NotReadError, open_regular

LARGEST_HEADER = 256 * 1024 * 1024
LARGEST_DATABASE = 512 * 1024 * 1024
"""rpm's own limit for a header's data, and above any database: 3,000 packages take 150 MB."""

_SECONDS = 60.0
_STEPS = 100_000
_PLAIN_TABLE = re.compile(r"\s*CREATE\s+TABLE\b", re.IGNORECASE)
_QUERY = "SELECT length(blob), CASE WHEN length(blob) <= ? THEN blob END FROM Packages"


def blobs_of_sqlite(file: File) -> Iterator[bytes]:
    """The headers in `rpmdb.sqlite`; a write-ahead log beside it is read, too, in a copy.

    Raises:
        NotReadError: it is no such database, or too large or too slow for one.
    """
    path, log = file.path, file.path + "-wal"
    try:
        if os.lstat(path).st_size > LARGEST_DATABASE:
            raise NotReadError(f"larger than {LARGEST_DATABASE >> 20} MiB")
        if not _is_log(log):
            yield from _rows(path)
            return
        with tempfile.TemporaryDirectory(prefix="imdsctl-") as folder:
            copy = os.path.join(folder, "rpmdb.sqlite")
            for source, target in ((path, copy), (log, copy + "-wal")):
                with open_regular(source) as here, open(target, "xb") as there:
                    _copy(here, there)
            yield from _rows(copy, immutable=False)
    except sqlite3.Error as error:
        raise NotReadError(f"not readable as SQLite: {error}") from error


def _is_log(path: str) -> bool:
    """Whether there is a write-ahead log with anything in it; a link could lead anywhere."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _copy(here: BinaryIO, there: BinaryIO) -> None:
    left = LARGEST_DATABASE
    while data := here.read(min(1 << 20, left + 1)):
        left -= len(data)
        if left < 0:
            raise NotReadError(f"larger than {LARGEST_DATABASE >> 20} MiB")
        there.write(data)


def _rows(path: str, *, immutable: bool = True) -> Iterator[bytes]:
    options = "mode=ro&immutable=1" if immutable else "mode=rw"
    with_options = f"file:{quote(os.fsencode(path))}?{options}"
    database = sqlite3.connect(with_options, uri=True)
    until = time.monotonic() + _SECONDS
    try:
        # A view, or a table that a program makes up, could go on for ever.
        database.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
        kind = database.execute("SELECT type, sql FROM sqlite_master WHERE name = 'Packages'")
        found = kind.fetchone()
        if found is None or found[0] != "table" or not _PLAIN_TABLE.match(str(found[1])):
            raise NotReadError("not a database of rpm: it has no table of packages")
        for size, blob in database.execute(_QUERY, (LARGEST_HEADER,)):
            if blob is None and size:
                raise NotReadError("damaged: a header larger than rpm allows")
            yield bytes(blob) if isinstance(blob, (bytes, memoryview)) else b""
    finally:
        database.close()


def bounded(blobs: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same, as long as there is no more in them than in the whole file.

    Raises:
        NotReadError: there is; an index that names one header again and again would never end.
    """
    for blob in blobs:
        size -= len(blob)
        if size < 0:
            raise NotReadError("damaged: its index names the same package again and again")
        yield blob


_SLOT_START, _SLOT_SIZE, _BLOCK, _NDB_PAGE = 32, 16, 16, 4096
_NDB_MAGIC, _SLOT_MAGIC, _BLOB_MAGIC = b"RpmP", b"Slot", b"BlbS"


def blobs_of_ndb(data: bytes) -> Iterator[bytes]:
    """The headers in `Packages.db` (rpm source, lib/backend/ndb/rpmpkg.c).

    Raises:
        NotReadError: it is no such database.
    """
    if data[:4] != _NDB_MAGIC or len(data) < _SLOT_START:
        raise NotReadError("not an ndb database")
    (pages,) = struct.unpack_from("<I", data, 12)
    end = min(pages * _NDB_PAGE, len(data) - _SLOT_SIZE + 1)
    for at in range(_SLOT_START, end, _SLOT_SIZE):
        magic, index, offset, _ = struct.unpack_from("<4sIII", data, at)
        if magic != _SLOT_MAGIC or not index or not offset:
            continue
        start = offset * _BLOCK
        if data[start : start + 4] != _BLOB_MAGIC:
            raise NotReadError("damaged: a package is not where the index has it")
        if start + 16 > len(data):
            raise NotReadError("damaged: ends in a package")
        (length,) = struct.unpack_from("<I", data, start + 12)
        yield data[start + 16 : start + 16 + length]


_HASH_MAGIC = 0x061561
_HEADER = 26
_KEYDATA, _OFFPAGE = 1, 3
_HASH_PAGES = (2, 13)
_OVERFLOW_PAGE = 7
_CHECKSUMS = 0x01


def blobs_of_bdb(data: bytes) -> Iterator[bytes]:
    """The headers in `Packages`, a Berkeley DB hash (Berkeley DB source, dbinc/db_page.h).

    Raises:
        NotReadError: it is no such database, or one with encryption or checksums.
    """
    if len(data) < 512:  # noqa: PLR2004 - the smallest page
        raise NotReadError("not a Berkeley DB file")
    order = next((o for o in "<>" if struct.unpack_from(o + "I", data, 12)[0] == _HASH_MAGIC), None)
    if order is None:
        raise NotReadError("not a hash of Berkeley DB")
    (size,) = struct.unpack_from(order + "I", data, 20)
    if data[24] or data[26] & _CHECKSUMS:
        raise NotReadError("a Berkeley DB file with encryption or checksums")
    if not 512 <= size <= 65536 or size & (size - 1):  # noqa: PLR2004 - what Berkeley DB allows
        raise NotReadError(f"damaged: pages of {size} bytes")
    for page in range(size, len(data) - size + 1, size):
        if data[page + 25] in _HASH_PAGES:
            yield from _values_on(data, page, size, order)


def _values_on(data: bytes, page: int, size: int, order: str) -> Iterator[bytes]:
    """Values, which alternate with keys; long ones lie on pages of their own."""
    (count,) = struct.unpack_from(order + "H", data, page + 20)
    count = min(count, (size - _HEADER) // 2)
    places = struct.unpack_from(f"{order}{count}H", data, page + _HEADER)
    for at in range(1, count, 2):
        start, end = places[at], places[at - 1]
        if not _HEADER <= start < end <= size:
            raise NotReadError("damaged: an entry lies outside its page")
        kind = data[page + start]
        if kind == _OFFPAGE and end - start >= 12:  # noqa: PLR2004 - an HOFFPAGE
            first, length = struct.unpack_from(order + "II", data, page + start + 4)
            yield _chained(data, first, length, size, order)
        elif kind == _KEYDATA:
            yield data[page + start + 1 : page + end]


def _chained(data: bytes, number: int, length: int, size: int, order: str) -> bytes:
    if length > LARGEST_HEADER:
        raise NotReadError("damaged: a header larger than rpm allows")
    parts: list[bytes] = []
    got = 0
    while number and got < length:
        page = number * size
        if page + size > len(data) or data[page + 25] != _OVERFLOW_PAGE:
            raise NotReadError("damaged: a header goes on where nothing is")
        (number,) = struct.unpack_from(order + "I", data, page + 16)
        (here,) = struct.unpack_from(order + "H", data, page + 22)
        if not here:
            raise NotReadError("damaged: an empty page in a header")
        parts.append(data[page + _HEADER : page + _HEADER + here])
        got += here
    return b"".join(parts)[:length]


_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_MOST_TAGS = 0x10000


def package_in(blob: bytes) -> tuple[str, str] | None:
    """Name and `epoch:version-release` in a header; None for what is no package.

    RPM documentation, "RPM V4 Package format": counts, an index of 16 bytes a tag, then the data.

    Raises:
        NotReadError: the header is damaged.
    """
    if len(blob) < 8:  # noqa: PLR2004 - the record that counts packages
        return None
    count, length = struct.unpack_from(">II", blob)
    start = 8 + count * 16
    if count > _MOST_TAGS or start + length > len(blob):
        raise NotReadError("damaged: a header that ends too early")
    values: dict[int, str] = {}
    for at in range(8, start, 16):
        tag, kind, offset, _ = struct.unpack_from(">IIII", blob, at)
        if tag == _EPOCH and kind == 4 and offset + 4 <= length:  # noqa: PLR2004 - INT32
            values[tag] = str(struct.unpack_from(">I", blob, start + offset)[0])
        elif tag in (_NAME, _VERSION, _RELEASE) and offset < length:
            end = blob.find(b"\0", start + offset)
            values[tag] = blob[start + offset : end if end >= 0 else None].decode(
                "utf-8", "replace"
            )
    if _NAME not in values:
        return None
    epoch = f"{values[_EPOCH]}:" if _EPOCH in values else ""
    release = f"-{values[_RELEASE]}" if values.get(_RELEASE) else ""
    return values[_NAME], f"{epoch}{values.get(_VERSION, '')}{release}"
