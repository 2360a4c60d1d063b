"""A compiled BPF object comes in; its programs, its maps and where they meet go out.

It reads what `clang -target bpfel` writes from our own sources: 64-bit little-endian ELF, programs
in sections named after their attach point, maps declared in a section `maps` (`kernel.h`), and one
kind of relocation, a program's reference to a map. Anything else is refused by name, so that a new
source that needs more fails when it is built and never on a host.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_REL = struct.Struct("<QQ")
_MAP = struct.Struct("<5I")

_EM_BPF = 247
_PROGBITS = 1
_SYMTAB = 2
_RELA = 4
_REL_TYPE = 9
_EXECUTABLE = 4
_FUNCTION = 2
_MAP_REFERENCE = 1
INSTRUCTION = 8
"""Bytes of one instruction."""

_LOAD_64 = 0x18


class BadObjectError(ValueError):
    """An object that this loader cannot read; the message says what is in the way."""


@dataclass(frozen=True)
class MapSpec:
    """A map that the object declares; sizes in bytes, `kind` as the kernel numbers map types."""

    name: str
    kind: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int


@dataclass(frozen=True)
class ProgramSpec:
    """A program: its function's name, its section, its instructions.

    Attributes:
        references: offset in `code` (bytes) of each instruction that names a map, and the map.
    """

    name: str
    section: str
    code: bytes
    references: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class BpfObject:
    """What a compiled object holds, by name."""

    programs: dict[str, ProgramSpec]
    maps: dict[str, MapSpec]
    license: str


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    flags: int
    link: int
    info: int
    data: bytes


@dataclass(frozen=True)
class _Symbol:
    name: str
    kind: int
    section: int
    value: int
    size: int


def read(data: bytes) -> BpfObject:
    """The programs and maps of an object file.

    Raises:
        BadObjectError: it is no BPF object, or uses what this loader does not know.
    """
    try:
        return _read(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadObjectError("the BPF object is damaged") from error


def _read(data: bytes) -> BpfObject:
    sections = _sections(data)
    symbols = _symbols(sections)
    maps = _maps(sections, symbols)
    programs: dict[str, ProgramSpec] = {}
    for number, section in enumerate(sections):
        if section.kind != _PROGBITS or not section.flags & _EXECUTABLE:
            continue
        if section.name == ".text":
            if section.data:
                raise BadObjectError("functions that programs call have to be inlined")
            continue
        references = _references(sections, symbols, number)
        for symbol in symbols:
            if symbol.kind == _FUNCTION and symbol.section == number:
                programs[symbol.name] = _program(symbol, section, references)
    license_text = next((one.data for one in sections if one.name == "license"), b"")
    return BpfObject(programs, maps, license_text.rstrip(b"\0").decode("ascii"))


def _sections(data: bytes) -> list[_Section]:
    if len(data) < _HEADER.size or data[:6] != b"\x7fELF\x02\x01":
        raise BadObjectError("this is no 64-bit little-endian ELF file")
    head = _HEADER.unpack_from(data)
    machine, offset, size, count, names = head[2], head[6], head[11], head[12], head[13]
    if machine != _EM_BPF or size != _SECTION.size:
        raise BadObjectError(f"this ELF file is for machine {machine}, not for BPF")
    raw = [_SECTION.unpack_from(data, offset + number * size) for number in range(count)]
    text = data[raw[names][4] : raw[names][4] + raw[names][5]]
    return [
        _Section(
            _text(text, one[0]), one[1], one[2], one[6], one[7], data[one[4] : one[4] + one[5]]
        )
        for one in raw
    ]


def _symbols(sections: list[_Section]) -> list[_Symbol]:
    table = next((one for one in sections if one.kind == _SYMTAB), None)
    if table is None:
        raise BadObjectError("the object has no symbols")
    names = sections[table.link].data
    return [
        _Symbol(_text(names, name), info & 0xF, section, value, size)
        for name, info, _, section, value, size in _SYMBOL.iter_unpack(table.data)
    ]


def _maps(sections: list[_Section], symbols: list[_Symbol]) -> dict[str, MapSpec]:
    number = next((n for n, one in enumerate(sections) if one.name == "maps"), None)
    if number is None:
        return {}
    data = sections[number].data
    found = [one for one in symbols if one.section == number and one.size == _MAP.size]
    if len(found) * _MAP.size != len(data):
        raise BadObjectError("the section `maps` holds something else than maps")
    return {one.name: MapSpec(one.name, *_MAP.unpack_from(data, one.value)) for one in found}


def _references(
    sections: list[_Section], symbols: list[_Symbol], number: int
) -> list[tuple[int, str]]:
    """Where the code of a section names a map: byte offsets and names."""
    found: list[tuple[int, str]] = []
    for section in sections:
        if section.kind == _RELA and section.info == number:
            raise BadObjectError("relocations with addends are not known to this loader")
        if section.kind != _REL_TYPE or section.info != number:
            continue
        for offset, info in _REL.iter_unpack(section.data):
            symbol = symbols[info >> 32]
            target = sections[symbol.section].name if symbol.section < len(sections) else "?"
            kind = info & 0xFFFFFFFF
            if kind != _MAP_REFERENCE or target != "maps" or not symbol.name:
                raise BadObjectError(
                    f"{sections[number].name} refers to {symbol.name or target!r} "
                    f"(relocation {kind}); only maps can be referred to"
                )
            found.append((offset, symbol.name))
    return found


def _program(symbol: _Symbol, section: _Section, references: list[tuple[int, str]]) -> ProgramSpec:
    start, end = symbol.value, symbol.value + symbol.size
    code = section.data[start:end]
    own = tuple((at - start, name) for at, name in references if start <= at < end)
    for at, _ in own:
        if code[at] != _LOAD_64:
            raise BadObjectError(f"{symbol.name} uses a map in an instruction that is no load")
    return ProgramSpec(symbol.name, section.name, code, own)


def _text(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode("ascii")
