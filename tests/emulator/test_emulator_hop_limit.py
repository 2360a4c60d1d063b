"""The hop limit is the time to live of the token response's packets, and of nothing else's."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imdsctl.emulator.hops import Hops

SNIFFER = Path(__file__).with_name("sniff_hops.py")
FAR_CLIENT = Path(__file__).with_name("far_client.py")


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        with client, served:
            yield client, served


def test_a_limit_is_set_and_the_usual_one_restored(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    _, served = connected
    usual = served.getsockopt(socket.IPPROTO_IP, socket.IP_TTL)
    hops = Hops(served)
    hops.set(3)
    assert served.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 3
    assert hops.is_set_to(3)
    hops.set(None)
    assert served.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == usual


def test_what_the_client_has_received_is_not_under_way(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    client, served = connected
    hops = Hops(served)
    # More than a receive buffer that nobody empties can take.
    served.settimeout(0)
    while True:
        try:
            served.send(b"x" * 65536)
        except BlockingIOError:
            break
    assert hops.unacknowledged() > 0
    served.settimeout(None)
    served.shutdown(socket.SHUT_WR)
    while client.recv(1 << 20):
        pass
    # The client's kernel may take 40 ms to say that it has received the last of it.
    for _ in range(200):
        if not hops.unacknowledged():
            break
        time.sleep(0.01)
    assert hops.unacknowledged() == 0


def test_a_dead_socket_has_nothing_under_way() -> None:
    with socket.socket() as sock:
        hops = Hops(sock)
    assert hops.unacknowledged() == 0


def _namespaces_work() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    )


namespaces = pytest.mark.skipif(
    not _namespaces_work(), reason="no unprivileged network namespaces here"
)


def in_a_namespace(script: Path, *arguments: str) -> dict[str, Any]:
    ran = subprocess.run(
        ["unshare", "-rn", sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@namespaces
@pytest.mark.parametrize(
    ("address", "limit"), [("169.254.169.254", 1), ("169.254.169.254", 7), ("fd00:ec2::254", 2)]
)
def test_on_the_wire_only_the_token_response_has_the_limit(address: str, limit: int) -> None:
    seen = in_a_namespace(SNIFFER, address, str(limit))
    assert set(seen["token"]) == {limit}
    assert seen["metadata"]
    assert set(seen["metadata"]) == {64}


@namespaces
@pytest.mark.parametrize(
    ("limit", "seen"),
    [
        ("1", {"put": "no answer", "get": 200, "lost": 1}),
        ("2", {"put": 200, "get": 200, "lost": 0}),
    ],
)
def test_a_client_one_hop_away_needs_a_limit_of_two(limit: str, seen: dict[str, Any]) -> None:
    assert in_a_namespace(FAR_CLIENT, limit) == seen
