"""A compiled object comes in; its maps and programs in the kernel go out, and links to cgroups.

Nothing is pinned: all that is here lives as long as the process that holds the descriptors, so
the kernel cleans up after any exit, SIGKILL included.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from imdsctl.host.bpf import elf, syscalls
from imdsctl.host.bpf.elf import BpfObject, MapSpec, ProgramSpec
from imdsctl.host.bpf.syscalls import BpfError

_SOCK_ADDR = 18
_SKB = 8
_SOCK = 9
_SOCK_OPS = 13

ATTACH = {
    "cgroup_skb/ingress": (_SKB, 0),
    "cgroup_skb/egress": (_SKB, 1),
    "cgroup/sock_create": (_SOCK, 2),
    "sockops": (_SOCK_OPS, 3),
    "cgroup/connect4": (_SOCK_ADDR, 10),
    "cgroup/connect6": (_SOCK_ADDR, 11),
    "cgroup/sendmsg4": (_SOCK_ADDR, 14),
    "cgroup/sendmsg6": (_SOCK_ADDR, 15),
    "cgroup/getpeername4": (_SOCK_ADDR, 29),
    "cgroup/getpeername6": (_SOCK_ADDR, 30),
    "cgroup/sock_release": (_SOCK, 34),
}
"""Sections by name: the kernel's program type and attach type."""

_PSEUDO_MAP_FD = 1
_IMMEDIATE = struct.Struct("<BBhi")


class Map:
    """One map in the kernel; keys and values are bytes of its sizes."""

    def __init__(self, spec: MapSpec, descriptor: int) -> None:
        self.spec = spec
        self.descriptor = descriptor

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, None where there is none."""
        return syscalls.map_lookup(self.descriptor, self._sized(key), self.spec.value_size)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value at a key."""
        if len(value) != self.spec.value_size:
            raise ValueError(f"a value of {self.spec.name} has {self.spec.value_size} bytes")
        syscalls.map_update(self.descriptor, self._sized(key), value)

    def remove(self, key: bytes) -> bool:
        """Remove a key; False where it was not there."""
        return syscalls.map_delete(self.descriptor, self._sized(key))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values as they are now; what changes meanwhile may be missed."""
        # The keys first: removing the key one stands at would start the kernel's walk again.
        keys: list[bytes] = []
        key: bytes | None = None
        while len(keys) < self.spec.max_entries:
            key = syscalls.map_next_key(self.descriptor, key, self.spec.key_size)
            if key is None:
                break
            keys.append(key)
        for one in dict.fromkeys(keys):
            value = self.get(one)
            if value is not None:
                yield one, value

    def _sized(self, key: bytes) -> bytes:
        if len(key) != self.spec.key_size:
            raise ValueError(f"a key of {self.spec.name} has {self.spec.key_size} bytes")
        return key


class Link:
    """One program at one cgroup; closing it takes the program away."""

    def __init__(self, program: str, descriptor: int) -> None:
        self.program = program
        self._descriptor = descriptor

    @property
    def id(self) -> int:
        """The kernel's number of the link."""
        return syscalls.object_id("link", self._descriptor)

    def close(self) -> None:
        """Detach; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Loaded:
    """An object's maps and programs in the kernel, until it is closed.

    Args:
        source: the object, or the file it is in.
        programs: the names of those to load; all where none are given.
        max_entries: other sizes for maps, by name.

    Raises:
        BadObjectError: the object cannot be read.
        BpfError: the kernel refused a map or a program; nothing is left of the others.
    """

    def __init__(
        self,
        source: BpfObject | Path,
        *,
        programs: Iterable[str] | None = None,
        max_entries: Mapping[str, int] | None = None,
    ) -> None:
        self.object = elf.read(source.read_bytes()) if isinstance(source, Path) else source
        self.maps: dict[str, Map] = {}
        self._programs: dict[str, int] = {}
        syscalls.allow_locked_memory()
        try:
            for spec in self.object.maps.values():
                entries = (max_entries or {}).get(spec.name, spec.max_entries)
                self._make_map(spec, entries)
            for name in self.object.programs if programs is None else programs:
                self.load(name)
        except BaseException:
            self.close()
            raise

    def _make_map(self, spec: MapSpec, entries: int) -> None:
        sized = MapSpec(spec.name, spec.kind, spec.key_size, spec.value_size, entries, spec.flags)
        descriptor = syscalls.map_create(
            spec.kind, spec.key_size, spec.value_size, entries, spec.flags, spec.name
        )
        self.maps[spec.name] = Map(sized, descriptor)

    def load(self, name: str) -> None:
        """Load one program more; one that is loaded stays.

        Raises:
            BpfError: the kernel refused it.
        """
        if name in self._programs:
            return
        spec = self.object.programs[name]
        kind, attach_type = ATTACH[spec.section]
        self._programs[name] = syscalls.prog_load(
            kind, attach_type, self._linked(spec), self.object.license, name
        )

    def _linked(self, spec: ProgramSpec) -> bytes:
        """The code with each map's name replaced by its descriptor here."""
        code = bytearray(spec.code)
        for at, name in spec.references:
            operation, registers, offset, _ = _IMMEDIATE.unpack_from(code, at)
            registers = (registers & 0x0F) | (_PSEUDO_MAP_FD << 4)
            _IMMEDIATE.pack_into(code, at, operation, registers, offset, self.maps[name].descriptor)
        return bytes(code)

    def attach(self, name: str, cgroup: Path) -> Link:
        """Attach a program to a cgroup of the v2 hierarchy, beside whatever is attached there.

        Raises:
            OSError: there is no such cgroup, or the kernel refused.
        """
        attach_type = ATTACH[self.object.programs[name].section][1]
        target = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return Link(name, syscalls.link_create(self._programs[name], target, attach_type))
        except BpfError as error:
            if error.errno == errno.EBADF:
                raise BpfError(error.errno, f"{cgroup} is no cgroup of the v2 hierarchy") from None
            raise
        finally:
            os.close(target)

    def ids(self) -> dict[str, list[int]]:
        """The kernel's numbers of what this holds: `prog` and `map`."""
        return {
            "prog": [syscalls.object_id("prog", one) for one in self._programs.values()],
            "map": [syscalls.object_id("map", one.descriptor) for one in self.maps.values()],
        }

    def close(self) -> None:
        """Give up programs and maps; links that are still open keep theirs."""
        for descriptor in self._programs.values():
            os.close(descriptor)
        for one in self.maps.values():
            os.close(one.descriptor)
        self._programs.clear()
        self.maps.clear()


def attached(cgroup: Path) -> dict[str, list[int]]:
    """The ids of the programs that are at a cgroup, anybody's, by section name.

    Raises:
        OSError: there is no such cgroup, or the caller may not ask.
    """
    target = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    found: dict[str, list[int]] = {}
    try:
        for section, (_, attach_type) in ATTACH.items():
            try:
                here = syscalls.attached(target, attach_type)
            except BpfError as error:
                if error.errno == errno.EINVAL:
                    continue  # a kernel that does not know this attach type
                raise
            if here:
                found[section] = here
    finally:
        os.close(target)
    return found
