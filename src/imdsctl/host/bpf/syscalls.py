"""The bpf(2) system call by ctypes: plain values come in, file descriptors and bytes go out.

Command numbers and attribute layouts are the kernel's stable user interface (linux/bpf.h, and
bpf(2) of the Linux man-pages). Every descriptor that the kernel makes here is close-on-exec.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
import sys

_NUMBERS = {
    "x86_64": 321,
    "aarch64": 280,
    "riscv64": 280,
    "loongarch64": 280,
    "ppc64le": 361,
}
"""The number of bpf(2) by machine: the 64-bit little-endian ones, which the objects are for."""

_MAP_CREATE = 0
_MAP_LOOKUP = 1
_MAP_UPDATE = 2
_MAP_DELETE = 3
_MAP_NEXT_KEY = 4
_PROG_LOAD = 5
_PROG_NEXT_ID = 11
_MAP_NEXT_ID = 12
_INFO_BY_FD = 15
_PROG_QUERY = 16
_LINK_CREATE = 28
_LINK_NEXT_ID = 31

_LOG_BYTES = 1 << 20
_LOG_LINES = 12
_INFO_BYTES = 256
_MOST_ATTACHED = 64

IDS = {"prog": _PROG_NEXT_ID, "map": _MAP_NEXT_ID, "link": _LINK_NEXT_ID}
"""What the kernel numbers: the words for `ids`."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class BpfError(OSError):
    """The kernel refused a bpf(2) call; the message says which, and its verifier's last words."""


def number() -> int:
    """The number of bpf(2) on this machine.

    Raises:
        BpfError: the machine is not one that the objects are for.
    """
    found = _NUMBERS.get(platform.machine())
    if found is None or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:  # noqa: PLR2004 - bytes of a 64-bit pointer
        raise BpfError(errno.ENOSYS, f"no BPF programs for {platform.machine()} here")
    return found


def _call(what: str, command: int, attributes: bytearray) -> int:
    """One bpf(2) call; what the kernel writes back is in `attributes` afterwards."""
    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    while True:
        result = int(
            _libc.syscall(
                ctypes.c_long(number()),
                ctypes.c_int(command),
                ctypes.byref(buffer),
                ctypes.c_uint(len(attributes)),
            )
        )
        if result >= 0:
            return result
        code = ctypes.get_errno()
        # EAGAIN: the verifier was interrupted by a signal.
        if code not in (errno.EINTR, errno.EAGAIN):
            raise BpfError(code, f"bpf({what}): {os.strerror(code)}")


def _pointer(data: bytes | bytearray | ctypes.Array[ctypes.c_char]) -> int:
    """The address of bytes that their owner keeps alive over the call."""
    if isinstance(data, ctypes.Array):
        return ctypes.addressof(data)
    if isinstance(data, bytearray):
        return ctypes.addressof((ctypes.c_char * len(data)).from_buffer(data))
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def allow_locked_memory() -> None:
    """Raise RLIMIT_MEMLOCK as far as it goes: before Linux 5.11, maps and programs count in it."""
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    for limit in ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (most, most)):
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, limit)
        except (OSError, ValueError):
            continue
        return


def map_create(
    kind: int, key_size: int, value_size: int, max_entries: int, flags: int, name: str
) -> int:
    """A new map's descriptor; sizes in bytes."""
    attributes = bytearray(
        struct.pack(
            "<7I16s", kind, key_size, value_size, max_entries, flags, 0, 0, _kernel_name(name)
        )
    )
    return _call(f"map create {name}", _MAP_CREATE, attributes)


def _element(descriptor: int, key: bytes | None, value: int, flags: int = 0) -> bytearray:
    return bytearray(
        struct.pack("<IxxxxQQQ", descriptor, _pointer(key) if key else 0, value, flags)
    )


def map_lookup(descriptor: int, key: bytes, value_size: int) -> bytes | None:
    """The value at a key, None where there is none."""
    value = bytearray(value_size)
    try:
        _call("map lookup", _MAP_LOOKUP, _element(descriptor, key, _pointer(value)))
    except BpfError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return bytes(value)


def map_update(descriptor: int, key: bytes, value: bytes) -> None:
    """Set the value at a key."""
    _call("map update", _MAP_UPDATE, _element(descriptor, key, _pointer(value)))


def map_delete(descriptor: int, key: bytes) -> bool:
    """Remove a key; False where it was not there."""
    try:
        _call("map delete", _MAP_DELETE, _element(descriptor, key, 0))
    except BpfError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True


def map_next_key(descriptor: int, key: bytes | None, key_size: int) -> bytes | None:
    """The key after `key` (None: the first), None at the end. Keys that vanish restart the walk."""
    following = bytearray(key_size)
    try:
        _call("map next key", _MAP_NEXT_KEY, _element(descriptor, key, _pointer(following)))
    except BpfError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return bytes(following)


def prog_load(kind: int, attach_type: int, code: bytes, license_text: str, name: str) -> int:
    """A verified program's descriptor.

    Raises:
        BpfError: the kernel refused it; the message ends with the verifier's last lines.
    """
    license_bytes = license_text.encode("ascii") + b"\0"

    def attributes(log: bytearray | None) -> bytearray:
        return bytearray(
            struct.pack(
                "<IIQQIIQII16sII",
                kind,
                len(code) // 8,
                _pointer(code),
                _pointer(license_bytes),
                0 if log is None else 1,
                0 if log is None else len(log),
                0 if log is None else _pointer(log),
                0,
                0,
                _kernel_name(name),
                0,
                attach_type,
            )
        )

    what = f"load {name}"
    try:
        return _call(what, _PROG_LOAD, attributes(None))
    except BpfError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS):
            raise
        refused = error
    # The log costs time, so the kernel is asked for it only where it has something to say.
    log = bytearray(_LOG_BYTES)
    try:
        return _call(what, _PROG_LOAD, attributes(log))
    except BpfError:
        lines = bytes(log).split(b"\0", 1)[0].decode("utf-8", "replace").splitlines()
        tail = "\n".join(lines[-_LOG_LINES:])
        raise BpfError(refused.errno, f"{refused.strerror}\n{tail}".rstrip()) from None


def link_create(program: int, target: int, attach_type: int) -> int:
    """Attach a program to a cgroup (`target`, a descriptor of its directory).

    The link's descriptor is returned; when the last copy of it is closed, on any exit of its
    holder, the kernel detaches the program.
    """
    attributes = bytearray(struct.pack("<IIIIQQ", program, target, attach_type, 0, 0, 0))
    return _call("link create", _LINK_CREATE, attributes)


def attached(target: int, attach_type: int) -> list[int]:
    """The ids of the programs of one attach type at a cgroup (a descriptor of its directory)."""
    found = bytearray(4 * _MOST_ATTACHED)
    attributes = bytearray(
        struct.pack(
            "<IIIIQIIQQQ", target, attach_type, 0, 0, _pointer(found), _MOST_ATTACHED, 0, 0, 0, 0
        )
    )
    _call("query", _PROG_QUERY, attributes)
    count = struct.unpack_from("<I", attributes, 24)[0]
    return list(struct.unpack_from(f"<{count}I", found))


def ids(kind: str) -> list[int]:
    """The ids of all programs, maps or links in the kernel: `prog`, `map` or `link`."""
    found: list[int] = []
    attributes = bytearray(12)
    while True:
        try:
            _call(f"next {kind} id", IDS[kind], attributes)
        except BpfError as error:
            if error.errno == errno.ENOENT:
                return found
            raise
        following = struct.unpack_from("<I", attributes, 4)[0]
        found.append(following)
        attributes = bytearray(struct.pack("<III", following, 0, 0))


def info(descriptor: int) -> bytes:
    """What the kernel tells of a program, map or link: its structure of linux/bpf.h, raw."""
    answer = bytearray(_INFO_BYTES)
    attributes = bytearray(struct.pack("<IIQ", descriptor, len(answer), _pointer(answer)))
    _call("object info", _INFO_BY_FD, attributes)
    return bytes(answer[: struct.unpack_from("<I", attributes, 4)[0]])


def object_id(kind: str, descriptor: int) -> int:
    """The kernel's number of a program, map or link, as `ids` lists it."""
    if kind not in IDS:
        raise ValueError(f"no such kind: {kind}")
    found: int = struct.unpack_from("<I", info(descriptor), 4)[0]
    return found


def _kernel_name(name: str) -> bytes:
    """A name as the kernel takes it: 15 letters, digits, dots and underscores."""
    return "".join(one if one.isalnum() or one in "._" else "_" for one in name)[:15].encode(
        "ascii"
    )
