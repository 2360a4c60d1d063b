"""The live rehearsal's proxy: connections come in on loopback, by network namespace; requests out.

One listener for each address family in each network namespace of the target, so that it is on the
same loopback as the client that is sent to it.
"""

import contextlib
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from imdsctl.host.bpf.redirect import Caller
from imdsctl.host.netns import NetworkNamespace
from imdsctl.rehearse.caller import described
from imdsctl.rehearse.refusing import Passed, Refusals, RefusingConnection, connect
from imdsctl.rehearse.whose import Process

ADDRESSES: Final[Mapping[int, tuple[str, int]]] = {
    socket.AF_INET: ("169.254.169.254", 80),
    socket.AF_INET6: ("fd00:ec2::254", 80),
}
"""The real service (EC2 User Guide, "Access instance metadata")."""

_LOOPBACK: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
_BACKLOG: Final = 1024
_MOST_CONNECTIONS: Final = 512
_TICK: Final = 0.2
_PROOF: Final = 1.0


class Kernel(Protocol):
    """What the proxy asks of the programs in the kernel."""

    def netns_of(self, listener: socket.socket) -> int:
        """The kernel's number of a listener's network namespace."""
        ...

    def take_caller(self, netns: int, family: int, port: int) -> Caller | None:
        """Who opened the connection that came from this port."""
        ...

    def exempt(self, one: socket.socket) -> None:
        """Let a socket of the proxy itself through."""
        ...


@dataclass(frozen=True)
class Door:
    """The listeners in one network namespace.

    Attributes:
        namespace: the namespace, held open.
        cookie: the kernel's number of it.
        ports: of the listeners, by address family; a family that does not work there is missing.
    """

    namespace: NetworkNamespace
    cookie: int
    ports: Mapping[int, int]


@dataclass(frozen=True)
class Heard:
    """One request, its fate, and who made it.

    Attributes:
        passed: the request and its answer.
        caller: who connected, as the kernel saw it; None where it could not tell.
        process: the same process as /proc showed it; None where it was gone by then.
        family: the address family of the connection.
    """

    passed: Passed
    caller: Caller | None
    process: Process | None
    family: int


class Proxy:
    """Accepts, and serves each connection in a thread of its own.

    Args:
        kernel: names the callers.
        tell: gets each request; called from many threads, one at a time.
        addresses: where the real service is, by address family.
    """

    def __init__(
        self,
        kernel: Kernel,
        tell: Callable[[Heard], None],
        addresses: Mapping[int, tuple[str, int]] = ADDRESSES,
    ) -> None:
        self._kernel = kernel
        self._tell = tell
        self._addresses = addresses
        self._refusals = Refusals()
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._doors: dict[int, Door] = {}
        self._connections: dict[threading.Thread, RefusingConnection] = {}
        self._room = threading.Semaphore(_MOST_CONNECTIONS)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept_all, name="imdsctl-proxy", daemon=True)
        self._wake_in, self._wake_out = os.pipe()
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._thread.start()

    def open_door(self, namespace: NetworkNamespace) -> Door:
        """Listen on the loopback of a network namespace; the namespace is ours from now on.

        Raises:
            OSError: it cannot be entered, or nothing can listen there.
        """
        listeners, cookie = namespace.call(self._listen)
        ports = {int(one.family): int(one.getsockname()[1]) for one in listeners}
        door = Door(namespace, cookie, ports)
        with self._lock:
            self._doors[namespace.ino] = door
            for one in listeners:
                self._selector.register(one, selectors.EVENT_READ, door)
        os.write(self._wake_out, b".")
        return door

    def _listen(self) -> tuple[list[socket.socket], int]:
        """Inside the namespace: the listeners, and the namespace's number."""
        listeners: list[socket.socket] = []
        trouble: OSError | None = None
        for family, loopback in _LOOPBACK.items():
            one: socket.socket | None = None
            try:
                one = socket.socket(family, socket.SOCK_STREAM)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((loopback, 0))
                one.listen(_BACKLOG)
                _prove(one)
                one.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            except OSError as error:
                # No such family here: its clients cannot reach the service that way either.
                trouble = error
                if one is not None:
                    one.close()
                continue
            listeners.append(one)
        if not listeners:
            raise trouble or OSError("nothing to listen on")
        try:
            return listeners, self._kernel.netns_of(listeners[0])
        except BaseException:
            for one in listeners:
                one.close()
            raise

    def _accept_all(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(_TICK):
                if key.data is None:
                    os.read(self._wake_in, 64)
                else:
                    self._accept(key.fileobj, key.data)

    def _accept(self, listener: object, door: Door) -> bool:
        """Take one connection; False where none waits."""
        assert isinstance(listener, socket.socket)
        if not self._room.acquire(timeout=_TICK):
            return False
        try:
            client, peer = listener.accept()
        except OSError:
            self._room.release()
            return False
        family = int(listener.family)
        try:
            caller = self._kernel.take_caller(door.cookie, family, int(peer[1]))
        except OSError:
            caller = None
        # Looked at now: a client that ends without waiting for its answer is still there.
        process = None if caller is None else described(caller.pid)
        connection = RefusingConnection(
            client,
            lambda: connect(self._addresses[family], family, self._kernel.exempt),
            self._refusals,
            lambda passed: self._heard(Heard(passed, caller, process, family)),
            self._stopping.is_set,
        )
        thread = threading.Thread(
            target=self._serve, args=(door, connection), name="imdsctl-client", daemon=True
        )
        with self._lock:
            self._connections[thread] = connection
        thread.start()
        return True

    def _serve(self, door: Door, connection: RefusingConnection) -> None:
        try:
            # What this thread opens from here on, it opens where the client is.
            door.namespace.enter()
            connection.serve()
        except OSError:
            connection.abort()
        finally:
            with self._lock:
                self._connections.pop(threading.current_thread(), None)
            self._room.release()

    def _heard(self, heard: Heard) -> None:
        with self._telling:
            self._tell(heard)

    def close(self, grace: float) -> int:
        """Take no more connections, and let those under way come to their end.

        Args:
            grace: seconds that they have.

        Returns:
            How many had to be cut.
        """
        if self._stopping.is_set():
            return 0
        self._stopping.set()
        self._thread.join()
        listeners = [key for key in self._selector.get_map().values() if key.data is not None]
        for key in listeners:
            # Whoever is connected already waits for an answer.
            while self._accept(key.fileobj, key.data):
                pass
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        deadline = time.monotonic() + grace
        for thread in self._running():
            thread.join(max(0.0, deadline - time.monotonic()))
        late = self._running()
        for thread in late:
            with self._lock:
                connection = self._connections.get(thread)
            if connection is not None:
                connection.abort()
        for thread in late:
            thread.join(_TICK)
        self._selector.close()
        for door in self._doors.values():
            door.namespace.close()
        for one in (self._wake_in, self._wake_out):
            with contextlib.suppress(OSError):
                os.close(one)
        return len(late)

    def _running(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._connections)


def _prove(listener: socket.socket) -> None:
    """Connect to a listener, so that nobody is sent to one that cannot be reached.

    Raises:
        OSError: it cannot be, because loopback is down, say.
    """
    listener.settimeout(_PROOF)
    with socket.socket(listener.family, socket.SOCK_STREAM) as asking:
        asking.settimeout(_PROOF)
        asking.connect(listener.getsockname())
        listener.accept()[0].close()
