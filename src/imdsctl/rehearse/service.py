"""The metadata service of a rehearsal: the emulator, and who asked it what."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import Final

from imdsctl.emulator.calls import Call, Calls
from imdsctl.emulator.server import Emulator
from imdsctl.emulator.settings import Settings
from imdsctl.imds.options import Options
from imdsctl.rehearse.orders import Asked, Lost, Order, send
from imdsctl.rehearse.seen import Seen, Version
from imdsctl.rehearse.topology import IMDS_IPV4
from imdsctl.rehearse.whose import Whose, undelivered

_LOOK_EVERY: Final = 0.05
_LOOK_FOR: Final = 5.0
"""Seconds between two looks at the answers under way, and seconds after which one that was never
sent again counts as arrived."""

_VERSIONS: Final[dict[str, Version]] = {"v1": "v1", "v2": "v2", "token": "token"}


class _Noting(Calls):
    """Tells of each request, with its caller, before it is answered: so the caller still waits."""

    def __init__(self, channel: socket.socket, whose: Whose, address: str) -> None:
        super().__init__(remember=0, log=None)
        self._channel = channel
        self._whose = whose
        self._address = address
        self._number = 0
        self._under_way: dict[int, tuple[int, float]] = {}

    def add(self, call: Call, counted: str | None) -> None:
        """Note one request."""
        super().add(call, counted)
        address, _, port = call.peer.rpartition(":")
        address = address.strip("[]")
        process = self._whose.find(address, int(port))
        self._number += 1
        now = time.monotonic()
        if call.version == "token":
            self._under_way[int(port)] = (self._number, now)
        seen = Seen(
            at=now,
            version=_VERSIONS[call.version],
            method=call.method,
            path=call.path,
            status=call.status,
            user_agent=call.user_agent,
            dst="fd00:ec2::254" if ":" in address else self._address,
        )
        if process is not None:
            seen = Seen(
                **{name: getattr(seen, name) for name in _OWN},
                pid=process.pid,
                ppid=process.ppid,
                comm=process.comm,
                exe=process.exe,
                cmdline=process.cmdline,
                parent=process.parent,
            )
        self._tell(Asked(self._number, seen))

    async def look(self) -> None:
        """For ever: tell of the answers that do not arrive."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if not self._under_way:
                continue
            for port in undelivered(set(self._under_way)):
                number, _ = self._under_way.pop(port)
                self._tell(Lost(number))
            oldest = time.monotonic() - _LOOK_FOR
            self._under_way = {k: v for k, v in self._under_way.items() if v[1] > oldest}

    def _tell(self, message: Asked | Lost) -> None:
        try:
            send(self._channel, message)
        except OSError:
            os._exit(0)  # nobody rehearses any more


_OWN: Final = ("at", "version", "method", "path", "status", "user_agent", "dst")


def serve(
    order: Order, channel: socket.socket, whose: Whose, *, ipv6: bool, ready: Callable[[int], None]
) -> None:
    """Serve until killed.

    Args:
        order: what is rehearsed.
        channel: where the requests are told.
        whose: finds out who asks.
        ipv6: listen on the IPv6 address, too.
        ready: called with the port once it listens.

    Raises:
        OSError: the address or port cannot be used.
        ValueError: a value of the instance makes no sense.
    """
    by_environment = order.world.isolation == "environment"
    settings = Settings(
        host="127.0.0.1" if by_environment else IMDS_IPV4,
        port=0 if by_environment else 80,
        ipv6=ipv6,
        options=Options(
            http_tokens=order.world.http_tokens,
            http_put_response_hop_limit=order.world.hop_limit,
        ),
        values=order.values,
        keep_alive=False,
        remember=0,
    )

    async def run() -> None:
        emulator = Emulator(settings)
        noting = _Noting(channel, whose, emulator.address)
        emulator.site.calls = noting
        await emulator.start()
        ready(emulator.port)
        await noting.look()

    asyncio.run(run())
