"""The process around a rehearsed command: `python -m imdsctl.rehearse.world FD`.

It has one thread, so it may enter a user namespace; it builds the network, starts the metadata
service and the command, and is the foster parent of all that the command leaves running. When the
rehearsal ends, or whoever started it dies, it ends them all, and the namespaces vanish with the
last process in them: no file, mount or link remains to be cleaned up.
"""

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec

from imdsctl.rehearse import namespaces, orders, service, topology
from imdsctl.rehearse.orders import Order
from imdsctl.rehearse.seen import Ended
from imdsctl.rehearse.whose import Whose

ENDPOINT: Final = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_POLL: Final = 0.02
_GRACE: Final = 2.0
"""Seconds between two looks around, and seconds that a process gets to end by itself."""

_TRIES, _TRY = 10, 0.3
"""How often, and for how many seconds each, the way to the service is tried."""

_NOT_FOUND: Final = 127
Isolation = Literal["user-namespace", "network-namespace", "environment"]


class World:
    """One rehearsal's processes and network."""

    def __init__(self, channel: socket.socket, order: Order) -> None:
        self._channel = channel
        self._order = order
        self._group = os.getpgrp()
        self._service = 0
        self._command = 0
        self._status: int | None = None
        self._port = 0

    def run(self) -> None:
        """Build, wait for the word, run the command, tell how it ended, take everything down."""
        namespaces.adopt_orphans()
        os.setpgid(0, 0)  # the command stays in the terminal's group, this process must not
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            built = self._build()
            if built is None:
                return
            orders.send(self._channel, built)
            if not isinstance(orders.obey(self._channel), orders.Go):
                return
            if not self._start_command():
                return
            ended = self._watch()
            left = self._end_all()
            code = None if self._status is None else os.waitstatus_to_exitcode(self._status)
            at = time.monotonic()
            with contextlib.suppress(OSError):
                orders.send(self._channel, orders.CommandEnded(at, ended, code, left))
                orders.obey(self._channel)
        finally:
            self._end_all()
            if self._service:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._service, signal.SIGKILL)

    def _build(self) -> orders.Built | None:
        """The network and the metadata service in it; None if that failed, and was said."""
        try:
            isolation, network = self._isolate()
        except OSError as error:
            denied = error.errno in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EINVAL)
            what = error.strerror or str(error)
            orders.send(self._channel, orders.Failed(what, denied))
            return None
        heard, said = os.pipe()
        parent = os.getpid()
        whose = Whose(parent, everywhere=network is None)
        self._service = os.fork()
        if not self._service:
            os.close(heard)
            self._serve(network, whose, parent, said)
        os.close(said)
        with os.fdopen(heard, encoding="utf-8") as words:
            answer = words.read()
        if not answer.isdecimal():
            orders.send(self._channel, orders.Failed(answer or "the metadata service died"))
            return None
        self._port = int(answer)
        if network is not None:
            _wait_for_way(ipv6=network.ipv6)
        return orders.Built(os.getpid(), isolation, network is not None and network.ipv6)

    def _isolate(self) -> tuple[Isolation, topology.Network | None]:
        world = self._order.world
        if world.isolation == "environment":
            return "environment", None
        isolation: Isolation = "user-namespace"
        if os.geteuid() == 0:
            # Root's command may change users, which a user namespace of one user forbids.
            try:
                namespaces.unshare(namespaces.NEW_NETWORK)
                isolation = "network-namespace"
            except PermissionError:
                pass  # root of a container
        if isolation == "user-namespace":
            uid, gid = os.geteuid(), os.getegid()
            namespaces.unshare(namespaces.NEW_USER)
            namespaces.keep_own_ids(uid, gid)
        kept = world.network == "kept"
        return isolation, topology.build(container=world.container, kept=kept)

    def _serve(
        self, network: topology.Network | None, whose: Whose, parent: int, said: int
    ) -> NoReturn:
        """In the service's process: serve until killed."""

        def ready(port: int) -> None:
            os.write(said, str(port).encode())
            os.close(said)

        try:
            namespaces.die_with_parent(signal.SIGKILL, parent)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            if network is not None:
                namespaces.enter(network.imds)
            ipv6 = network is not None and network.ipv6
            service.serve(self._order, self._channel, whose, ipv6=ipv6, ready=ready)
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError):
                os.write(said, str(error).encode() or b"?")
        finally:
            os._exit(1)

    def _start_command(self) -> bool:
        """Start the command; False if there is none such, which is then said."""
        heard, said = os.pipe()
        parent = os.getpid()
        self._command = os.fork()
        if not self._command:
            os.close(heard)
            self._become_command(parent, said)
        os.close(said)
        with os.fdopen(heard, encoding="utf-8") as words:
            trouble = words.read()
        if trouble:
            orders.send(self._channel, orders.NotStarted(trouble))
            return False
        orders.send(self._channel, orders.Started(time.monotonic()))
        return True

    def _become_command(self, parent: int, said: int) -> NoReturn:
        """In the command's process: turn into it."""
        try:
            namespaces.die_with_parent(signal.SIGKILL, parent)
            with contextlib.suppress(OSError):
                os.setpgid(0, self._group)
            for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            if self._order.output == "stderr":
                os.dup2(2, 1)
            elif self._order.output == "nowhere":
                nowhere = os.open(os.devnull, os.O_RDWR)
                for descriptor in (0, 1, 2):
                    os.dup2(nowhere, descriptor)
            if self._order.resolver:
                namespaces.unshare(namespaces.NEW_MOUNTS)
                namespaces.cover("/etc/resolv.conf", self._order.resolver)
            environment = dict(os.environ)
            if self._order.world.isolation == "environment":
                environment[ENDPOINT] = f"http://127.0.0.1:{self._port}"
            command = self._order.command
            os.execvpe(command[0], command, environment)  # noqa: S606 - that is the job
        except OSError as error:
            os.write(said, (error.strerror or str(error)).encode())
        finally:
            os._exit(_NOT_FOUND)

    def _watch(self) -> Ended:
        """Until the command is over, or is to be."""
        while True:
            self._bury()
            if self._status is not None:
                return "exited" if os.WIFEXITED(self._status) else "signalled"
            if select.select([self._channel], [], [], _POLL)[0]:
                # Whether told to stop or left alone: it is over.
                orders.obey(self._channel)
                return "interrupted"

    def _bury(self) -> None:
        """Take note of the dead children, adopted ones included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._command:
                self._status = status
            elif pid == self._service:
                self._service = 0

    def _end_all(self) -> int:
        """End what still runs: first asked, then made to. Returns how many there were."""
        left = self._descendants()
        count = len(left)
        deadline = time.monotonic() + _GRACE
        asked: set[int] = set()
        while left:
            hard = time.monotonic() > deadline
            for pid in left:
                if hard or pid not in asked:
                    asked.add(pid)
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
                        os.kill(pid, signal.SIGCONT)
            time.sleep(_POLL)
            self._bury()
            left = self._descendants()
        return count

    def _descendants(self) -> list[int]:
        """All processes below this one that are alive, but for the metadata service."""
        children: dict[int, list[int]] = defaultdict(list)
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            state, ppid = text.rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children[int(ppid)].append(int(folder.name))
        found: list[int] = []
        ahead = [pid for pid in children[os.getpid()] if pid != self._service]
        while ahead:
            found.append(pid := ahead.pop())
            ahead += children[pid]
        return found


def _wait_for_way(*, ipv6: bool) -> None:
    """Until the service can be connected to: the first packets look for their neighbours."""
    ways = [(socket.AF_INET, topology.IMDS_IPV4)]
    ways += [(socket.AF_INET6, topology.IMDS_IPV6)] if ipv6 else []
    for family, address in ways:
        for _ in range(_TRIES):
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(_TRY)
                if probe.connect_ex((address, 80)) == 0:
                    break


def main(arguments: list[str]) -> None:
    """Take the order from the socket that is named, and carry it out."""
    with socket.socket(fileno=int(arguments[0])) as channel:
        channel.set_inheritable(False)
        data = channel.recv(orders.LARGEST)
        if data:
            World(channel, msgspec.json.decode(data, type=Order)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
