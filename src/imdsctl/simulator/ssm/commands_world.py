"""The host that a simulated command runs on: `python -m imdsctl.simulator.ssm.commands_world`.

An order comes on stdin as JSON, the outcome goes to stdout. The script really runs in a shell, as
the root user of a user namespace that has no privilege outside:

- in the instance's own network, where 169.254.169.254 is that instance's metadata service one hop
  away, a container one or two hops further, and the simulated AWS the only way out;
- in a process namespace of its own: when the script has ended, or time is up, nothing is left;
- on the machine's files, read-only; /tmp, /run and the user's home are empty and fresh.

Kill this process and everything is gone: nothing outside of the namespaces was changed.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, NoReturn

from imdsctl.emulator.calls import Call, Calls
from imdsctl.emulator.server import Emulator
from imdsctl.emulator.settings import Settings
from imdsctl.imds.decide import NO_TOKEN
from imdsctl.imds.options import Options
from imdsctl.rehearse import namespaces, topology

_NEW_PROCESSES, _NEW_IPC, _NEW_NAMES = 0x2000_0000, 0x0800_0000, 0x0400_0000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 0x1000, 0x4000, 0x4_0000
_MOUNT_SETATTR: Final = 442  # the same on every architecture (mount_setattr(2), Linux 5.12)
_HERE, _AT_RECURSIVE = -100, 0x8000

KEPT: Final = 1_000_000
"""Characters of each stream that are kept; AWS shows the first 24,000 of them."""

AWS_PORT: Final = 4599
"""Where the simulated AWS is reached from the host."""

ECS_AGENT: Final = 51678
KUBELET: Final = 10248
"""The ports of the ECS agent's introspection and of the kubelet's health check, on loopback."""

_GRACE: Final = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Order:
    """What is to be run, and on what kind of host.

    Attributes:
        script: the text for `sh`.
        seconds: how long it may take, in real time.
        folder: the working directory.
        options: the instance's five metadata options.
        values: its metadata, as `imdsctl.imds.defaults.DEFAULTS` names it.
        hops: how many more hops there are to its containers: 0 for no container.
        services: what answers on loopback: a port, the path and the body of its answer.
        aws: host and port of the simulated AWS.
        environment: variables of the script, beside those that every script has.
        keep: folders that stay visible though they are inside of a covered one.
    """

    script: str
    seconds: float
    folder: str
    options: dict[str, Any]
    values: dict[str, Any]
    hops: int
    services: list[tuple[int, str, str]]
    aws: tuple[str, int]
    environment: dict[str, str] = field(default_factory=dict)
    keep: list[str] = field(default_factory=list)


def main() -> None:
    """Carry out the order on stdin; the outcome, or why there is none, is one JSON object."""
    order = Order(**json.loads(sys.stdin.buffer.read()))
    try:
        answer = run(order)
    except (OSError, AttributeError) as error:
        # AttributeError: a C library that knows no namespaces, because the kernel is no Linux.
        answer = {"impossible": str(error)}
    sys.stdout.write(json.dumps(answer))


def run(order: Order) -> dict[str, Any]:
    """Build the host, run the script on it, take it down.

    Raises:
        OSError: the kernel does not let us make the namespaces; says which step.
    """
    outside, inside = socket.socketpair()
    me = os.getpid()
    if not os.fork():
        _as_child(me, lambda: _gateway(outside, order.aws))
    outside.close()
    uid, gid = os.geteuid(), os.getegid()
    namespaces.unshare(namespaces.NEW_USER)
    _be_root_for(uid, gid)
    namespaces.unshare(namespaces.NEW_MOUNTS | _NEW_IPC | _NEW_NAMES)
    network = topology.build(container=order.hops > 0, kept=False, overlay=order.hops > 1)
    heard, said = os.pipe()
    if not os.fork():
        os.close(heard)
        _as_child(me, lambda: _metadata_service(order, network, said))
    os.close(said)
    counted = os.fdopen(heard, "rb", buffering=0)
    if (first := counted.read(1)) != b"+":
        raise OSError((first + counted.read()).decode() or "the metadata service did not start")
    namespaces.enter(network.instance)
    with socket.create_server(("127.0.0.1", AWS_PORT)) as way_out:
        socket.send_fds(inside, [b"!"], [way_out.fileno()])
    ready, listening = os.pipe()
    if not os.fork():
        os.close(ready)
        _as_child(me, lambda: _services(order, listening))
    os.close(listening)
    os.read(ready, 1)
    result = _script(order, network)
    os.set_blocking(counted.fileno(), False)
    metrics = counted.read() or b""
    return {**result, "no_token": metrics.count(b"n"), "rejected": metrics.count(b"r")}


def _as_child(parent: int, job: Callable[[], None]) -> NoReturn:
    """Do one job in a forked process that ends with its parent."""
    try:
        namespaces.die_with_parent(signal.SIGKILL, parent)
        job()
    finally:
        os._exit(0)


def _be_root_for(uid: int, gid: int) -> None:
    """In a fresh user namespace: root, standing for the user outside."""
    here = Path("/proc/self")
    (here / "setgroups").write_text("deny", encoding="ascii")
    (here / "uid_map").write_text(f"0 {uid} 1", encoding="ascii")
    (here / "gid_map").write_text(f"0 {gid} 1", encoding="ascii")


def _gateway(channel: socket.socket, target: tuple[str, int]) -> None:
    """In the machine's own network: carry the host's connections to the simulated AWS."""
    _, (descriptor, *_), _, _ = socket.recv_fds(channel, 1, 1)
    with socket.socket(fileno=descriptor) as listener:
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(target)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


class _Counting(Calls):
    """Tells of each call that CloudWatch would count, by a letter."""

    def __init__(self, said: int) -> None:
        super().__init__(remember=0, log=None)
        self._said = said

    def add(self, call: Call, counted: str | None) -> None:
        super().add(call, counted)
        if counted is not None:
            os.write(self._said, b"n" if counted == NO_TOKEN else b"r")


def _metadata_service(order: Order, network: topology.Network, said: int) -> None:
    """In the service's own network: the instance's metadata, until killed."""
    namespaces.enter(network.imds)
    settings = Settings(
        host=topology.IMDS_IPV4,
        port=80,
        ipv6=network.ipv6,
        options=Options.from_mapping(order.options),
        values=order.values,
        keep_alive=False,
        remember=0,
    )

    async def serve() -> None:
        emulator = Emulator(settings)
        # Listening on IPv6 is one thing, the instance's own setting another.
        emulator.service.replace_options(settings.options)
        emulator.site.calls = _Counting(said)
        await emulator.start()
        os.write(said, b"+")
        await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except (OSError, ValueError) as error:
        os.write(said, str(error).encode() or b"?")


def _services(order: Order, ready: int) -> None:
    """In the instance's network: the agents that answer on loopback."""
    for port, path, body in order.services:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", port), _answering(path, body))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    os.write(ready, b"+")
    signal.pause()


def _answering(path: str, body: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == path
            self.send_response(200 if found else 404)
            content = body.encode() if found else b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Ears:
    """What comes out of some pipes, each up to its end or to `KEPT` bytes."""

    def __init__(self, *names: str) -> None:
        self.said: dict[str, int] = {}
        self.heard = {name: bytearray() for name in names}
        self._selector = selectors.DefaultSelector()
        for name in names:
            heard, self.said[name] = os.pipe()
            self._selector.register(heard, selectors.EVENT_READ, name)

    def close_ends(self) -> None:
        """Let go of the ends that are spoken into."""
        for descriptor in self.said.values():
            os.close(descriptor)

    def listen(self, seconds: float) -> bool:
        """Read all pipes to their ends; False if that takes too long."""
        deadline = time.monotonic() + seconds
        while self._selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                data = os.read(key.fd, 65_536)
                kept = self.heard[key.data]
                kept += data[: max(0, KEPT - len(kept))]
                if not data:
                    self._selector.unregister(key.fd)
        return True


def _script(order: Order, network: topology.Network) -> dict[str, Any]:
    """Run the script in a process namespace of its own, with all that it says and how it ends."""
    ears = _Ears("out", "err", "end")
    namespaces.unshare(_NEW_PROCESSES)
    first = os.fork()
    if not first:
        _first_process(order, network, ears.said)
    ears.close_ends()
    in_time = ears.listen(order.seconds)
    if not in_time:
        os.kill(first, signal.SIGKILL)
        ears.listen(_GRACE)
    os.waitpid(first, 0)
    out, err, end = (ears.heard[name].decode("utf-8", "replace") for name in ("out", "err", "end"))
    if end and not end.lstrip("-").isdecimal():
        raise OSError(end)
    return {"code": int(end) if end and in_time else None, "out": out, "err": err}


def _first_process(order: Order, network: topology.Network, said: dict[str, int]) -> NoReturn:
    """The host's process 1: sets its files up, starts a container, runs the script, buries."""
    out, err, end = said["out"], said["err"], said["end"]
    try:
        # Its parent is in another process namespace, and shows as 0.
        namespaces.die_with_parent(signal.SIGKILL, 0)
        _files(order)
        if order.hops:
            _container(network)
        child = os.fork()
        if not child:
            _become_script(order, out, err, end)
        os.close(out)
        os.close(err)
        while True:
            pid, status = os.wait()
            if pid == child:
                os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
                break
    except OSError as error:
        os.write(end, f"{error.strerror or error}".encode())
    finally:
        os._exit(0)


def _container(network: topology.Network) -> None:
    """A process in the container's network, for whoever looks for one."""
    child = os.fork()
    if child:
        return
    try:
        namespaces.enter(network.command)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.closerange(3, 256)
        os.execlp("sleep", "sleep", "infinity")  # noqa: S606, S607 - whatever the machine has
    finally:
        os._exit(1)


def _become_script(order: Order, out: int, err: int, end: int) -> NoReturn:
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        script = Path("/tmp/_script.sh")  # noqa: S108 - a fresh file system of our own
        script.write_text(order.script, encoding="utf-8")
        with contextlib.suppress(OSError):
            os.chdir(order.folder)
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.set_inheritable(end, False)  # noqa: FBT003 - the standard library's signature
        os.execve("/bin/sh", ["sh", str(script)], order.environment)  # noqa: S606 - that is the job
    except OSError as error:
        os.write(2, str(error).encode())
    finally:
        os._exit(127)


def _files(order: Order) -> None:
    """The machine's files, read-only, with fresh folders where scripts write and people live."""
    _mount(None, "/", None, _PRIVATE | _RECURSIVE)
    kept = {
        folder: os.open(folder, os.O_PATH | os.O_CLOEXEC)
        for folder in order.keep
        if Path(folder).is_dir()
    }
    _read_only("/")
    covered = ["/tmp", "/run", "/var/tmp", order.environment["HOME"]]  # noqa: S108 - made fresh
    covered = sorted({str(Path(one).resolve()) for one in covered if Path(one).is_dir()})
    for folder in covered:
        _mount("none", folder, "tmpfs", _NO_SUID | _NO_DEVICES)
    for folder, descriptor in kept.items():
        if any(Path(folder).is_relative_to(one) for one in covered):
            Path(folder).mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{descriptor}", folder, None, _BIND | _RECURSIVE)
        os.close(descriptor)
    _mount("proc", "/proc", "proc", _NO_SUID | _NO_DEVICES)


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    if _libc.mount(*texts, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise OSError(
            code, f"cannot mount {kind or source or 'privately'} on {target}: {os.strerror(code)}"
        )


def _read_only(target: str) -> None:
    """Make all mounts from `target` down read-only, for this side."""
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_HERE),
        target.encode(),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot make the files read-only: {os.strerror(code)}")


if __name__ == "__main__":
    main()
