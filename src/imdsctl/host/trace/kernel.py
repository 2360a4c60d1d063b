"""Tracing by programs in the kernel: the Python side of `trace.bpf.c`.

Programs are attached to the root of the cgroup v2 tree and hang on descriptors of this process:
however it ends, the kernel takes them away.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pkgutil
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from imdsctl.host import cgroups, sockdiag
from imdsctl.host.bpf import elf, syscalls
from imdsctl.host.bpf.btf import VMLINUX, BadBtfError, Btf
from imdsctl.host.bpf.loader import Link, Loaded, Map
from imdsctl.host.bpf.ring import Ring
from imdsctl.host.bpf.syscalls import BpfError
from imdsctl.host.trace.events import (
    CannotTraceError,
    Closed,
    Event,
    Lost,
    Opened,
    Parent,
    Received,
    Sent,
    Who,
)
from imdsctl.host.trace.processes import comm_in, kernel_exe, sees_all_pids

WHO = struct.Struct("<QQQQIIIIII16s")
"""`struct who`: cgroup, netns, started, image, pid, thread, uid, flags, –, –, comm."""

_HEAD = struct.Struct("<IIQQ")
_SENT = struct.Struct("<IIII")
_RECEIVED = struct.Struct("<I12s")
_OPENED = struct.Struct("<IIII")
_PARENT = struct.Struct("<QI16sI")
_PARENTS, _ARGS, _EXE = 6, 512, 576
OPENED_SIZE = _HEAD.size + WHO.size + _OPENED.size + _PARENTS * _PARENT.size + _ARGS + _EXE
_OPENED_KIND, _SENT_KIND, _RECEIVED_KIND, _CLOSED_KIND = 1, 2, 3, 4
_UNKNOWN, _BEFORE = 1, 4
COUNTERS = 8

OFFSETS = (
    "task_struct.mm",
    "task_struct.group_leader",
    "task_struct.real_parent",
    "task_struct.tgid",
    "task_struct.comm",
    "task_struct.start_boottime",
    "mm_struct.exe_file",
    "mm_struct.arg_start",
    "mm_struct.arg_end",
    "file.f_path.mnt",
    "file.f_path.dentry",
    "dentry.d_parent",
    "dentry.d_name.name",
    "vfsmount.mnt_root",
    "mount.mnt",
    "mount.mnt_parent",
    "mount.mnt_mountpoint",
)
"""`struct offsets`, in its order."""

BUFFER = 4 << 20
"""Bytes of the ring; it holds some 4,000 requests that nobody has read yet."""

_IMDS_PORT = 80
_V4 = socket.inet_pton(socket.AF_INET, "169.254.169.254")
IMDS = {
    _V4: socket.AF_INET,
    b"\0" * 10 + b"\xff\xff" + _V4: socket.AF_INET,
    socket.inet_pton(socket.AF_INET6, "fd00:ec2::254"): socket.AF_INET6,
}
"""The metadata service's addresses, packed, and the family that each speaks on the wire."""

_BATCH = 512
_RESOLVE_EVERY = 1_000_000_000
_SHARE = 20
"""Nanoseconds between looks at all sockets, and how many times as long as a look they take."""

_RICH = ("rich_connect4", "rich_connect6")
_PLAIN = ("plain_connect4", "plain_connect6")
_BARE = ("bare_connect4", "bare_connect6")
_PACKETS = ("trace_egress", "trace_ingress")
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CONFIG_CREATE = 6


class KernelSource:
    """The tracer in the kernel; nothing is seen before `start`.

    Args:
        buffer: bytes of the ring, a power of two and at least a page.
        cgroup: only processes in this cgroup, or below it.

    Raises:
        NoSuchTargetError: there is no such cgroup.
        CannotTraceError: it does not work here; says why.
    """

    name = "bpf"

    def __init__(self, buffer: int = BUFFER, cgroup: str | None = None) -> None:
        self._links: list[Link] = []
        self._cgroup_descriptors: list[int] = []
        self._ring: Ring | None = None
        tree = self._find_tree()
        self.tree: Path | None = tree
        self._root = cgroups.of_path(cgroup).path if cgroup else tree
        self._whole_tree = self._root.stat().st_ino == 1
        # Who asks for one cgroup gets all of it.
        self.partial = not self._whole_tree and cgroup is None
        self._why_plain = ""
        try:
            self._loaded = self._load(buffer)
            self._ring = Ring(self._loaded.maps["events"].descriptor, buffer)
        except BpfError as error:
            self.close()
            raise CannotTraceError(_why(error)) from error
        except OSError as error:
            self.close()
            raise CannotTraceError(f"the ring could not be mapped: {error.strerror}") from error
        self._last_look = 0
        self._before: list[Event] = []
        self._read = dict.fromkeys((_OPENED_KIND, _SENT_KIND, _RECEIVED_KIND, _CLOSED_KIND), 0)

    def _load(self, buffer: int) -> Loaded:
        """With all that this kernel allows."""
        offsets = None
        try:
            offsets = Btf(VMLINUX.read_bytes()).offsets(OFFSETS)
        except OSError:
            self._why_plain = "the kernel has no type information (BTF)"
        except BadBtfError as error:
            self._why_plain = str(error)
        refused: BpfError | None = None
        for connect in (_PLAIN, _BARE) if offsets is None else (_RICH, _PLAIN, _BARE):
            try:
                loaded = Loaded(
                    kernel_object(), programs=(*connect, *_PACKETS), max_entries={"events": buffer}
                )
            except BpfError as error:
                # No CAP_PERFMON, or a kernel in lockdown for confidentiality.
                refused = refused or error
                self._why_plain = self._why_plain or (
                    "the kernel does not let its memory be read: CAP_PERFMON is missing, or it is "
                    "locked down"
                )
                continue
            if offsets is not None and connect is _RICH:
                loaded.maps["offsets"].put(bytes(4), struct.pack(f"<{len(OFFSETS)}I", *offsets))
            self._connect = connect
            return loaded
        raise refused or BpfError(errno.ENOSYS, "there are no programs")

    def _find_tree(self) -> Path:
        """The root of the cgroup v2 tree; mounted nowhere, it is opened without a mount."""
        try:
            return cgroups.mount()
        except (cgroups.NoSuchTargetError, OSError):
            pass
        try:
            descriptor = open_tree()
        except OSError as error:
            raise CannotTraceError(
                f"the cgroup v2 tree is not mounted here, and cannot be opened: {error.strerror}"
            ) from error
        self._cgroup_descriptors.append(descriptor)
        return Path(f"/proc/self/fd/{descriptor}")

    def start(self) -> None:
        """Attach, then look who is connected already.

        Raises:
            CannotTraceError: the kernel refuses.
        """
        try:
            for name in (*self._connect, *_PACKETS):
                self._links.append(self._loaded.attach(name, self._root))
        except OSError as error:
            self.stop()
            raise CannotTraceError(_why(error)) from error
        for one, pid in _connected():
            key = struct.pack("<Q", one.cookie)
            owners = self._loaded.maps["owners"]
            if owners.get(key) is None:
                comm = comm_in(Path(f"/proc/{pid}"))
                owners.put(
                    key, WHO.pack(0, 0, 0, 0, pid, pid, one.uid, _BEFORE, 0, 0, comm.encode()[:15])
                )
                now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                # As if it connected now, so that it is looked at while it is there.
                who = Who(pid, one.uid, comm, open_before=True)
                self._before.append(Opened(now, one.cookie, who))

    def limits(self) -> list[str]:
        """What it cannot see here."""
        found = ["virtual machines", "network stacks in user space"]
        if not self._whole_tree:
            found.insert(0, "processes in other cgroups")
        if not sees_all_pids():
            found.append("the files and parents of processes (not in the first pid namespace)")
        if self._connect is not _RICH:
            found.append(
                "program and arguments of processes that end at once, which /proc tells only "
                f"while they live ({self._why_plain})"
            )
        return found

    def sees(self) -> str:
        """What it sees here, in words."""
        whose = "every process" if self._whole_tree else "every process of a part of the cgroups"
        return f"{whose} in every network namespace, IPv4 and IPv6"

    def events(self, seconds: float) -> Iterator[Event]:
        """What has happened, after waiting for it this long at most."""
        while self._before:
            yield self._before.pop()
        if self._ring is None:
            return
        self._ring.wait(seconds)
        # A batch, so that the rest of the tracer has its turn under any load.
        for record in self._ring.records(_BATCH):
            event = self._event(record)
            if event is not None:
                yield event

    @property
    def behind(self) -> bool:
        """Whether there is more to read right now."""
        return self._ring is not None and self._ring.waiting > 0

    def _event(self, record: bytes) -> Event | None:
        kind, family, at, cookie = _HEAD.unpack_from(record)
        self._read[kind] += 1
        if kind == _RECEIVED_KIND:
            seq, data = _RECEIVED.unpack_from(record, _HEAD.size)
            return Received(at, cookie, seq, data)
        if kind == _CLOSED_KIND:
            return Closed(at, cookie)
        who = self._who(record, cookie, at)
        if kind == _OPENED_KIND:
            return _opened(record, at, cookie, who)
        seq, size, kept, _ = _SENT.unpack_from(record, _HEAD.size + WHO.size)
        start = _HEAD.size + WHO.size + _SENT.size
        return Sent(at, cookie, who, seq, size, record[start : start + kept], family)

    def _who(self, record: bytes, cookie: int, at: int) -> Who:
        cgroup, _, started, image, pid, _, uid, flags, _, _, comm = WHO.unpack_from(
            record, _HEAD.size
        )
        if flags & _UNKNOWN and at - self._last_look > _RESOLVE_EVERY:
            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            found = next((one for one in _connected() if one[0].cookie == cookie), None)
            # With thousands of containers a look takes seconds, in which nobody reads the ring.
            took = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - began
            self._last_look = at + _SHARE * took
            if found is not None:
                one, holder = found
                return Who(holder, one.uid, comm_in(Path(f"/proc/{holder}")), open_before=True)
        return Who(
            pid,
            uid,
            comm.split(b"\0", 1)[0].decode("utf-8", "replace"),
            cgroup,
            started,
            image,
            bool(flags & (_UNKNOWN | _BEFORE)),
        )

    def lost(self) -> Lost:
        """What there was no room for, up to now."""
        counts = per_cpu(self._loaded.maps["counters"], COUNTERS)
        return Lost(*counts[4:8])

    def seen(self) -> tuple[int, int]:
        """Pieces of requests that were sent, and those of them that were read here."""
        return per_cpu(self._loaded.maps["counters"], COUNTERS)[1], self._read[_SENT_KIND]

    def ids(self) -> dict[str, list[int]]:
        """The kernel's numbers of what this holds: `prog`, `map`, `link`."""
        return {**self._loaded.ids(), "link": [one.id for one in self._links]}

    def stop(self) -> None:
        """Detach; what is in the ring can still be read."""
        while self._links:
            self._links.pop().close()

    def close(self) -> None:
        """Give up everything."""
        self.stop()
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        if hasattr(self, "_loaded"):
            self._loaded.close()
        for descriptor in self._cgroup_descriptors:
            os.close(descriptor)
        self._cgroup_descriptors.clear()


def kernel_object() -> elf.BpfObject:
    """The compiled programs; from the package, which may be inside a zip file."""
    return elf.read(pkgutil.get_data("imdsctl.host.bpf", "trace.bpf.o") or b"")


def open_tree() -> int:
    """A descriptor of the cgroup v2 tree's root, of a mount that stands nowhere (Linux 5.2).

    It vanishes with the descriptor.

    Raises:
        OSError: not allowed, or no cgroup v2 in this kernel.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: ctypes.c_int | ctypes.c_char_p | None) -> int:
        result = int(libc.syscall(ctypes.c_long(number), *arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    none = ctypes.c_char_p(None)
    opened = call(_FSOPEN, ctypes.c_char_p(b"cgroup2"), ctypes.c_int(1))
    try:
        call(_FSCONFIG, ctypes.c_int(opened), ctypes.c_int(_CONFIG_CREATE), none, none,
             ctypes.c_int(0))  # fmt: skip
        mounted = call(_FSMOUNT, ctypes.c_int(opened), ctypes.c_int(1), ctypes.c_int(0))
    finally:
        os.close(opened)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mounted)
    finally:
        os.close(mounted)


def per_cpu(counters: Map, count: int) -> list[int]:
    """The sums over all processors of a per-CPU array of numbers."""
    processors = _possible_processors()
    found = []
    for index in range(count):
        raw = syscalls.map_lookup(counters.descriptor, struct.pack("<I", index), 8 * processors)
        found.append(sum(struct.unpack(f"<{processors}Q", raw or bytes(8 * processors))))
    return found


def _possible_processors() -> int:
    """How many values a per-CPU map has for each key: for every processor that there could be."""
    text = Path("/sys/devices/system/cpu/possible").read_text(encoding="ascii").strip()
    return max(int(one.split("-")[-1]) for one in text.split(",")) + 1


def _opened(record: bytes, at: int, cookie: int, who: Who) -> Opened:
    if len(record) < OPENED_SIZE:
        return Opened(at, cookie, who)
    start = _HEAD.size + WHO.size
    args_size, exe_size, whole, count = _OPENED.unpack_from(record, start)
    start += _OPENED.size
    parents = []
    for level in range(min(count, _PARENTS)):
        started, pid, comm, _ = _PARENT.unpack_from(record, start + level * _PARENT.size)
        name = comm.split(b"\0", 1)[0].decode("utf-8", "replace")
        parents.append(Parent(pid, name, started))
    start += _PARENTS * _PARENT.size
    raw = record[start : start + min(args_size, _ARGS)]
    arguments = raw.rstrip(b"\0").split(b"\0") if raw else None
    start += _ARGS
    exe = kernel_exe(record[start : start + min(exe_size, _EXE)], whole=bool(whole))
    cut = args_size >= _ARGS and not raw.endswith(b"\0")
    return Opened(at, cookie, who, exe, arguments, parents, cut)


def _connected() -> Iterator[tuple[sockdiag.TcpSocket, int]]:
    """The sockets that are connected to the metadata service, and who holds each."""
    with contextlib.suppress(OSError):
        found = [one for one in sockdiag.sockets_everywhere(_IMDS_PORT) if one.remote in IMDS]
        pids = sockdiag.holders(one.inode for one in found)
        for one in found:
            if one.inode in pids:
                yield one, pids[one.inode]


def _why(error: OSError) -> str:
    """What an error of the kernel means to whoever started the trace."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return (
            "the kernel does not allow BPF programs here: it takes root, or CAP_BPF, CAP_PERFMON "
            "and CAP_NET_ADMIN (in a container also a seccomp profile that allows bpf)"
        )
    release = os.uname().release
    what = str(error.strerror).partition("\n")[0]
    return f"BPF does not work on this kernel (Linux {release}; it takes 5.8 or newer): {what}"
