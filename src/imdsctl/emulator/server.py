"""The emulator: its listening sockets, its event loop, its life."""

import asyncio
import contextlib
import ipaddress
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from imdsctl.emulator.calls import Calls
from imdsctl.emulator.connection import Connection, Site
from imdsctl.emulator.control import ControlSite
from imdsctl.emulator.settings import Settings
from imdsctl.emulator.site import MetadataSite
from imdsctl.imds.defaults import DEFAULTS
from imdsctl.imds.options import Options
from imdsctl.imds.service import Service

LOOPBACK = ("127.0.0.1", "::1")
SERVICE_ADDRESSES = ("169.254.169.254", "fd00:ec2::254")
"""Where instances have the service (EC2 User Guide, "Access instance metadata")."""

IDLE = 120.0
"""Seconds after which a connection that nobody uses is closed."""

_BACKLOG = 4096
_HTTP_PORT = 80


class Emulator:
    """One instance's metadata service, listening.

    `start` and `stop` are called in an event loop; everything else from any thread.

    Raises:
        ValueError: an option or value is wrong; the message names it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = plain_address(settings.host)
        self.port = settings.port
        self.control_port: int | None = None
        values = dict(settings.values)
        options = settings.options
        if settings.ipv6 or ":" in self.address:
            options = options.replace(http_protocol_ipv6="enabled")
        self.instance_id = str(values.get("instance_id") or DEFAULTS["instance_id"])
        self.started = time.time()
        self.service = Service(
            values,
            options,
            self.instance_id,
            secrets.token_bytes(32),
            started=self.started,
            redirect_directories=settings.redirect_directories,
            keep_alive=settings.keep_alive,
        )
        self._values = values
        self._log, self._owns_log = _opened(settings.access_log)
        self.calls = Calls(settings.remember, self._log)
        self.site = MetadataSite(self.service, settings.behaviour, self.calls, settings.seed)
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it answers over the address it was told to listen on."""
        return _url(self.address, self.port)

    @property
    def ipv6_url(self) -> str | None:
        """Where it answers over IPv6, None if it does not."""
        if ":" in self.address:
            return self.url
        return _url(sibling(self.address), self.port) if self.settings.ipv6 else None

    @property
    def control_url(self) -> str | None:
        """Where the control endpoint answers, None without one."""
        return None if self.control_port is None else _url("127.0.0.1", self.control_port)

    def set_options(self, **members: Any) -> Options:
        """Change some of the metadata options, as ModifyInstanceMetadataOptions does.

        Raises:
            ValueError: an unknown member or value; nothing was changed.
        """
        options = self.service.options.replace(**members)
        if options.ipv6_enabled and self.ipv6_url is None:
            raise ValueError("it does not listen on IPv6: start it with --ipv6")
        self.service.replace_options(options)
        return options

    def set_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change some of the instance's values, and return all that were ever given.

        Raises:
            ValueError: an unknown name or a wrong value; nothing was changed.
        """
        merged = {**self._values, **values}
        if merged.get("instance_id", self.instance_id) != self.instance_id:
            raise ValueError("instance_id cannot change: tokens and credentials belong to it")
        self.service.replace_values(merged)
        self._values = merged
        return dict(merged)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: an address or port cannot be used.
        """
        try:
            self.port = await self._listen(self.address, self.settings.port, self.site)
            if self.settings.ipv6 and ":" not in self.address:
                await self._listen(sibling(self.address), self.port, self.site)
            if self.settings.control_port is not None:
                control = ControlSite(self)
                self.control_port = await self._listen(
                    "127.0.0.1", self.settings.control_port, control
                )
        except BaseException:
            await self.stop()
            raise
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Hang up on everyone and listen no more."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        if self._owns_log and self._log is not None:
            self._log.close()

    async def _listen(self, address: str, port: int, site: Site) -> int:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # One socket a family, so that each knows how its hop limit is set.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind((address, port))
            except OSError as error:
                where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
                raise OSError(error.errno, error.strerror, where) from error
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            server = await asyncio.get_running_loop().create_server(
                lambda: Connection(site, self._connections), sock=sock, backlog=_BACKLOG
            )
        except BaseException:
            sock.close()
            raise
        self._servers.append(server)
        return int(sock.getsockname()[1])

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(IDLE / 4)
            oldest = asyncio.get_running_loop().time() - IDLE
            for connection in list(self._connections):
                if connection.active < oldest:
                    connection.close()


def plain_address(host: str) -> str:
    """An IP address as text; `localhost` is 127.0.0.1. Names are not looked up: no DNS is needed.

    Raises:
        ValueError: it is no address.
    """
    if host == "localhost":
        return LOOPBACK[0]
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        raise ValueError(f"{host!r} is no IP address (names are not looked up)") from None


def sibling(address: str) -> str:
    """The IPv6 address that goes with an IPv4 one."""
    known = {LOOPBACK[0]: LOOPBACK[1], "0.0.0.0": "::"}  # noqa: S104 - only translated
    known[SERVICE_ADDRESSES[0]] = SERVICE_ADDRESSES[1]
    return known.get(address, LOOPBACK[1])


def is_local(address: str) -> bool:
    """Whether only this machine can reach the address (or it is the service's own)."""
    return ipaddress.ip_address(address).is_loopback or address in SERVICE_ADDRESSES


def _url(address: str, port: int) -> str:
    if address in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        address = LOOPBACK[0] if address == "0.0.0.0" else LOOPBACK[1]  # noqa: S104 - same
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}" if port == _HTTP_PORT else f"http://{host}:{port}"


def _opened(log: TextIO | Path | None) -> tuple[TextIO | None, bool]:
    """The access log, and whether it is ours to close. A file is only for its owner to read."""
    if not isinstance(log, Path):
        return log, False
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8"), True


def run(settings: Settings, ready: Callable[[Emulator], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: what to serve.
        ready: called once it listens.

    Raises:
        OSError: an address or port cannot be used.
        ValueError: an option or value is wrong.
    """
    import signal  # noqa: PLC0415 - a thread's emulator has no use for it

    _raise_file_limit()

    async def serve() -> None:
        emulator = Emulator(settings)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, stopped.set)
        await emulator.start()
        try:
            ready(emulator)
            await stopped.wait()
        finally:
            await emulator.stop()

    asyncio.run(serve())


def _raise_file_limit() -> None:
    """Every connection is a file descriptor, and the usual soft limit is 1,024."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not everywhere

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
