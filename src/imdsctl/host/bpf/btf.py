"""The running kernel's type information comes in; where members stand in its structures goes out.

BTF is what `/sys/kernel/btf/vmlinux` holds on kernels built with CONFIG_DEBUG_INFO_BTF (Debian
since 5.10, Amazon Linux since 2 with 5.10). Format: the kernel's documentation, "BPF Type Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

VMLINUX = Path("/sys/kernel/btf/vmlinux")

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_MAGIC = 0xEB9F

_STRUCT, _UNION, _TYPEDEF, _VOLATILE, _CONST = 4, 5, 8, 9, 10
_TYPE_TAG = 18
# Bytes after the common part, by kind: fixed, and for each of `vlen` entries.
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
_KINDS = 20
_THROUGH = (_TYPEDEF, _VOLATILE, _CONST, _TYPE_TAG)


class BadBtfError(ValueError):
    """Type information that cannot be read, or lacks what was asked for; says what."""


class Btf:
    """Structures of one kernel, of which only those that are wanted are looked at.

    Raises:
        BadBtfError: this is no BTF.
    """

    def __init__(self, data: bytes) -> None:
        try:
            magic, _, _, size, at, length, names, names_length = _HEADER.unpack_from(data)
        except struct.error as error:
            raise BadBtfError("the kernel's type information is cut off") from error
        if magic != _MAGIC:
            raise BadBtfError("this is no type information of a little-endian kernel")
        self._types = data[size + at : size + at + length]
        self._names = data[size + names : size + names + names_length]
        self._places: list[int] = [0]
        try:
            self._walk()
        except (struct.error, IndexError) as error:
            raise BadBtfError("the kernel's type information is damaged") from error

    def _walk(self) -> None:
        """Where each type stands; its number is its place in the order."""
        types, places, unpack = self._types, self._places, struct.Struct("<I").unpack_from
        at, end = 0, len(types)
        while at < end:
            places.append(at)
            info = unpack(types, at + 4)[0]
            kind = (info >> 24) & 31
            if not 0 < kind < _KINDS:
                raise BadBtfError(f"a kind of type that is not known: {kind}")
            at += 12 + _FIXED.get(kind, 0) + (info & 0xFFFF) * _EACH.get(kind, 0)

    def offsets(self, wanted: Iterable[str]) -> list[int]:
        """The offset in bytes of each `structure.member[.member…]`, in order.

        Members of structures without a name count as their owner's, as in C.

        Raises:
            BadBtfError: one is not there.
        """
        asked = [one.split(".") for one in wanted]
        structures = self._structures({one[0] for one in asked})
        return [self._offset(structures, path) for path in asked]

    def _structures(self, names: set[str]) -> dict[str, int]:
        wanted = {}
        for name in names:
            # A name may be the end of another, and stands once.
            start = self._names.find(b"\0" + name.encode("ascii") + b"\0")
            if start >= 0:
                wanted[start + 1] = name
        found: dict[str, int] = {}
        unpack = _TYPE.unpack_from
        for number, at in enumerate(self._places[1:], start=1):
            name_at, info, size = unpack(self._types, at)
            if name_at in wanted and (info >> 24) & 31 == _STRUCT and size:
                found.setdefault(wanted[name_at], number)
        missing = names - set(found)
        if missing:
            raise BadBtfError(f"this kernel has no structure {', '.join(sorted(missing))}")
        return found

    def _offset(self, structures: dict[str, int], path: list[str]) -> int:
        number, total = structures[path[0]], 0
        for name in path[1:]:
            found = self._member(number, name)
            if found is None:
                raise BadBtfError(f"this kernel has no {'.'.join(path)}")
            total += found[0]
            number = found[1]
        return total

    def _member(self, number: int, wanted: str) -> tuple[int, int] | None:
        """Offset in bytes and type of a member."""
        number = self._through(number)
        at = self._places[number]
        _, info, _ = _TYPE.unpack_from(self._types, at)
        if (info >> 24) & 31 not in (_STRUCT, _UNION):
            return None
        bit_fields = info >> 31
        for index in range(info & 0xFFFF):
            name_at, kind, bits = _MEMBER.unpack_from(self._types, at + 12 + index * 12)
            offset = (bits & 0xFFFFFF if bit_fields else bits) // 8
            if not name_at:
                inside = self._member(kind, wanted)
                if inside is not None:
                    return offset + inside[0], inside[1]
            elif self._name(name_at) == wanted:
                return offset, kind
        return None

    def _through(self, number: int) -> int:
        """The type behind names and qualifiers."""
        while True:
            _, info, behind = _TYPE.unpack_from(self._types, self._places[number])
            if (info >> 24) & 31 not in _THROUGH:
                return number
            number = behind

    def _name(self, at: int) -> str:
        return self._names[at : self._names.index(b"\0", at)].decode("ascii", "replace")
