"""Emulators on free ports, and ways to call them.

Test modules import `emulator_fixture`; their tests ask for it as `emulator`.
"""

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from imdsctl.emulator.background import Background
from imdsctl.emulator.server import Emulator
from imdsctl.emulator.settings import Behaviour, Fault, Settings
from imdsctl.imds.options import Options

TOKEN = "/latest/api/token"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
INSTANCE_ID = "/latest/meta-data/instance-id"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Client:
    """Calls an emulator over HTTP, one connection a call unless told to keep it."""

    def __init__(self, emulator: Emulator, host: str = "127.0.0.1") -> None:
        self.emulator = emulator
        self.host = host
        self.port = emulator.port

    def call(
        self, method: str, path: str, headers: dict[str, str] | None = None, timeout: float = 5
    ) -> Answer:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            return self.on(connection, method, path, headers or {})
        finally:
            connection.close()

    @staticmethod
    def on(
        connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]
    ) -> Answer:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers.items()), answer.read().decode())

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.call("GET", path, headers)

    def token(self, ttl: int = 60) -> str:
        answer = self.call("PUT", TOKEN, {TTL: str(ttl)})
        assert answer.status == 200
        return answer.body

    def get_v2(self, path: str) -> Answer:
        return self.call("GET", path, {TOKEN_HEADER: self.token()})

    def raw(self, *parts: bytes, half_close: bool = False, timeout: float = 5) -> bytes:
        """Sends bytes, in as many pieces as given, and returns all that comes until the end."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                sock.sendall(part)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
            return received


StartEmulator = Callable[..., Client]


@pytest.fixture(name="emulator")
def emulator_fixture() -> Iterator[StartEmulator]:
    """Starts an emulator: metadata options by AWS's names, the rest as Settings has it."""
    with ExitStack() as stack:

        def start(
            options: dict[str, Any] | None = None,
            faults: tuple[str, ...] = (),
            latency: float = 0,
            packets_per_second: int | None = None,
            **settings: Any,
        ) -> Client:
            behaviour = Behaviour(
                latency, packets_per_second, tuple(Fault.parse(one) for one in faults)
            )
            background = Background(
                Settings(
                    port=0,
                    options=Options.from_mapping(options or {}),
                    behaviour=behaviour,
                    **settings,
                )
            )
            return Client(stack.enter_context(background).emulator)

        yield start
