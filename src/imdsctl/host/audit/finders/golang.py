"""Go programs: the modules that they were built from, and what is really linked in."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from imdsctl.host.audit.found import NotReadError, Package
from imdsctl.software import software

MAGIC = b"\xff Go buildinf:"
_ALIGNED, _HEADER = 16, 32
_CHUNK = 4 * 1024 * 1024
_LARGEST_LIST = 16 * 1024 * 1024
_MOST_SECTIONS = 10_000
_FARTHEST = 1 << 62
_LARGEST_PROGRAM = 4 * 1024 * 1024 * 1024
_NOT_LINKED = "named among the program's modules, but its metadata client is not linked in"

_CLIENTS = {
    "github.com/aws/aws-sdk-go": (
        b"github.com/aws/aws-sdk-go/aws/ec2metadata.",
        b"github.com/aws/aws-sdk-go/aws/ec2metadata.(*tokenProvider)",
    ),
    "github.com/aws/aws-sdk-go-v2": (
        b"github.com/aws/aws-sdk-go-v2/aws/ec2metadata.",
        b"github.com/aws/aws-sdk-go-v2/aws/ec2metadata.(*tokenProvider)",
    ),
}
"""The metadata client of each SDK and its request for a token, as the names of functions in a
program's line table; they are there in stripped programs, too (Go source, `debug/gosym`)."""


class _Segment(NamedTuple):
    address: int
    offset: int
    size: int
    writable: bool


def look_at_program(file: BinaryIO, where: str) -> Iterator[Package]:
    """The modules in a Go program; nothing for other programs.

    Raises:
        NotReadError: it is a Go program whose list of modules is damaged.
    """
    try:
        listed = build_information(file)
    except struct.error as error:
        raise NotReadError("an ELF program that is damaged") from error
    if listed is None:
        return
    modules = modules_in(listed)
    if not any(name != "" for name, _ in modules[1:]) or not modules:
        # Built without modules: only the code itself can tell.
        for name, (client, token) in _CLIENTS.items():
            if client in (seen := _which(file, (client, token))):
                yield Package("go", name, "", where, "code in the program", speaks_v2=token in seen)
        return
    for name, version in modules:
        if not software("go", name):
            continue
        needles = _CLIENTS.get(name)
        if needles is None:
            yield Package("go", name, version, where, "Go build information")
            continue
        seen = _which(file, needles)
        yield Package(
            "go", name, version, where, "Go build information",
            speaks_v2=needles[1] in seen if needles[0] in seen else None,
            aside="" if needles[0] in seen else _NOT_LINKED,
        )  # fmt: skip


def modules_in(listed: str) -> list[tuple[str, str]]:
    """Module paths and versions; the main module first, replacements under the replaced name.

    Go source, `debug/buildinfo` and `runtime/debug.ParseBuildInfo`.
    """
    found: list[tuple[str, str]] = []
    for line in listed.splitlines():
        word, *rest = line.split("\t")
        if word in ("mod", "dep") and rest:
            found.append((rest[0], rest[1] if len(rest) > 1 else ""))
        elif word == "=>" and found and rest:
            found[-1] = (found[-1][0], rest[1] if len(rest) > 1 else "")
    return found


def build_information(file: BinaryIO) -> str | None:
    """The text that the linker left, empty if there is none in it; None for no Go program."""
    head = _read(file, 0, 64)
    if head[:4] != b"\x7fELF" or head[4:5] not in (b"\1", b"\2") or head[5:6] not in (b"\1", b"\2"):
        return None
    order = "<" if head[5] == 1 else ">"
    wide = head[4] == 2  # noqa: PLR2004 - ELFCLASS64
    segments = _segments(file, head, order, wide=wide)
    place = _section(file, head, order, wide=wide)
    if place is None:
        place = next((_search(file, s) for s in segments if s.writable), None)
    if place is None:
        return None
    header = _read(file, place, _HEADER)
    if header[:14] != MAGIC:
        return None
    if header[15] & 2:
        # Go 1.18 and newer: the texts themselves follow, each after its length.
        _, start = _counted(file, place + _HEADER)
        text, _ = _counted(file, start)
    else:
        text = _pointed(file, segments, header)
    return _without_marks(text).decode("utf-8", "replace")


def _without_marks(text: bytes) -> bytes:
    """The list is between two marks of 16 bytes."""
    if len(text) >= 33 and text[-17:-16] == b"\n":  # noqa: PLR2004 - as runtime/debug does
        return text[16:-16]
    return b""


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    # Offsets are whatever a damaged file says.
    return os.pread(file.fileno(), size, offset) if offset < _FARTHEST else b""


def _segments(file: BinaryIO, head: bytes, order: str, *, wide: bool) -> list[_Segment]:
    start = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    table = _read(file, start, min(size * count, 1024 * 1024))
    found = []
    for at in range(0, len(table) - size + 1, size or 1):
        if wide:
            kind, flags, offset, address, _, length = struct.unpack_from(
                order + "IIQQQQ", table, at
            )
        else:
            kind, offset, address, _, length, _, flags = struct.unpack_from(order + "7I", table, at)
        if kind == 1:
            found.append(_Segment(address, offset, length, bool(flags & 2)))
    return found


def _section(file: BinaryIO, head: bytes, order: str, *, wide: bool) -> int | None:
    """Where `.go.buildinfo` is."""
    start = struct.unpack_from(order + ("Q" if wide else "I"), head, 40 if wide else 32)[0]
    size, count, names_at = struct.unpack_from(order + "HHH", head, 58 if wide else 46)
    if not start or count > _MOST_SECTIONS or names_at >= count or size < 40:  # noqa: PLR2004
        return None
    table = _read(file, start, size * count)
    if len(table) < size * count:
        return None
    form, address_at = ("QQ", 24) if wide else ("II", 16)
    offset, length = struct.unpack_from(order + form, table, names_at * size + address_at)
    names = _read(file, offset, min(length, 1024 * 1024))
    wanted = names.find(b".go.buildinfo\0")
    if wanted < 0:
        return None
    for at in range(0, len(table), size):
        if struct.unpack_from(order + "I", table, at)[0] == wanted:
            return int(struct.unpack_from(order + form, table, at + address_at)[0])
    return None


def _search(file: BinaryIO, segment: _Segment) -> int | None:
    """Where the linker's mark is, in a program without sections."""
    data = _read(file, segment.offset, min(segment.size, 1024 * 1024))
    at = data.find(MAGIC)
    while at >= 0:
        if at % _ALIGNED == 0:
            return segment.offset + at
        at = data.find(MAGIC, at + 1)
    return None


def _counted(file: BinaryIO, start: int) -> tuple[bytes, int]:
    """A text after its length, which is in groups of seven bits; and where it ends."""
    head = _read(file, start, 10)
    length = shift = 0
    for used, byte in enumerate(head, 1):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last group
            if length > _LARGEST_LIST:
                break
            return _read(file, start + used, length), start + used + length
    raise NotReadError("damaged Go build information")


def _pointed(file: BinaryIO, segments: list[_Segment], header: bytes) -> bytes:
    """Before Go 1.18: a pointer to a pointer and a length."""
    size = header[14]
    if size not in (4, 8):
        raise NotReadError("damaged Go build information")
    form = (">" if header[15] & 1 else "<") + ("I" if size == 4 else "Q")  # noqa: PLR2004
    (at,) = struct.unpack_from(form, header, 16 + size)
    pointer = _at_address(file, segments, at, size * 2)
    if len(pointer) < size * 2:
        return b""
    (text,) = struct.unpack_from(form, pointer)
    (length,) = struct.unpack_from(form, pointer, size)
    return _at_address(file, segments, text, min(length, _LARGEST_LIST))


def _at_address(file: BinaryIO, segments: list[_Segment], address: int, size: int) -> bytes:
    for one in segments:
        if one.address <= address < one.address + one.size:
            return _read(file, one.offset + address - one.address, size)
    return b""


def _which(file: BinaryIO, needles: tuple[bytes, ...]) -> set[bytes]:
    """Which of these are anywhere in the file."""
    found: set[bytes] = set()
    overlap = max(map(len, needles))
    offset, tail = 0, b""
    while True:
        chunk = _read(file, offset, _CHUNK)
        if not chunk:
            return found
        if offset > _LARGEST_PROGRAM:
            raise NotReadError(f"a program larger than {_LARGEST_PROGRAM >> 30} GiB")
        data = tail + chunk
        found.update(needle for needle in needles if needle in data)
        if len(found) == len(needles):
            return found
        offset += len(chunk)
        tail = data[-overlap:]
