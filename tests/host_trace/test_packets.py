"""Where BPF programs are not allowed: the same by packets, and what it cannot see said first."""

import ipaddress
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host_bpf.instances import Unit, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_trace.tracers import Tracer
from imdsctl.host.trace import packets
from imdsctl.host.trace.events import CannotTraceError, Who
from imdsctl.host.trace.packets import PacketSource
from imdsctl.host.trace.segments import Segment, kernel_filter, read_segment

TALK = Path(__file__).with_name("talk.py")
GET = b"GET /latest/meta-data/ HTTP/1.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\nSecretAccessKey"
V4, V6, US4, US6 = "169.254.169.254", "fd00:ec2::254", "192.0.2.7", "2001:db8::7"
# However busy the machine is.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def packet(
    source: str, destination: str, ports: tuple[int, int], data: bytes, options: int = 0
) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", *ports, 1000, 0, (5 + options) << 4, 0x18, 512, 0, 0)
    tcp += bytes(4 * options) + data
    addresses = [ipaddress.ip_address(one).packed for one in (source, destination)]
    if len(addresses[0]) == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64)
    return head + b"".join(addresses) + tcp


@pytest.fixture
def filtered() -> Iterator[Callable[[bytes], bytes | None]]:
    """What the kernel's filter lets through of a packet: as it does for any socket."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.settimeout(0)
    PacketSource._attach(type("Holder", (), {"_socket": receiver}), kernel_filter())  # type: ignore[arg-type]

    def passed(data: bytes) -> bytes | None:
        sender.send(data)
        try:
            return receiver.recv(1 << 16)
        except BlockingIOError:
            return None

    yield passed
    sender.close()
    receiver.close()


@pytest.mark.parametrize(("us", "imds"), [(US4, V4), (US6, V6)])
@pytest.mark.parametrize("options", [0, 3, 10])
def test_requests_pass_and_of_answers_the_status_line_only(
    us: str, imds: str, options: int, filtered: Callable[[bytes], bytes | None]
) -> None:
    request = packet(us, imds, (40000, 80), GET, options)
    assert filtered(request) == request
    answer = packet(imds, us, (80, 40000), ANSWER, options)
    kept = filtered(answer)
    assert kept is not None
    assert kept.endswith(b"HTTP/1.1 200")
    found = read_segment(kept)
    assert found is not None
    assert (found.outgoing, found.port, found.payload) == (False, 40000, b"HTTP/1.1 200")
    assert found.size == len(ANSWER)


@pytest.mark.parametrize(
    "data",
    [
        packet(US4, "169.254.169.253", (40000, 80), GET),
        packet(US4, V4, (40000, 53), GET),
        packet(US4, V4, (80, 40000), GET),
        packet(US6, "fd00:ec2::253", (40000, 80), GET),
        packet(US6, "fd01:ec2::254", (40000, 80), GET),
        packet(US6, V6, (40000, 443), GET),
        b"\x45" + bytes(60),
        b"",
    ],
)
def test_nothing_else_passes(data: bytes, filtered: Callable[[bytes], bytes | None]) -> None:
    assert filtered(data) is None


@unhurried
@given(st.binary(max_size=120))
def test_no_bytes_make_the_reading_of_packets_fail(data: bytes) -> None:
    read_segment(data)


def test_the_callers_of_its_own_network_are_named(
    tracer: Callable[..., Tracer], unit: Unit, world: World
) -> None:
    inside = ["nsenter", f"--net=/proc/{world.network}/ns/net", sys.executable, "-m", "imdsctl"]
    trace = tracer("--method", "packet", command=[*inside, "host", "trace"])
    assert "other network namespaces" in trace.start["limits"][0]
    client = subprocess.Popen(
        unit.command(
            *(sys.executable, "-S", TALK, "keep", "token", "v2", "v1", "forwarded", "v1", "line"),
            network=world.network,
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    trace.wait_for(lambda lines: len(lines) >= 5)
    client.communicate("go\n", timeout=10)
    summary = trace.end()
    assert [(line["version"], line["status"]) for line in trace.lines] == [
        ("token", 200),
        ("v2", 200),
        ("v1", 200),
        ("token", 403),
        ("v1", 200),
    ]
    assert {line["pid"] for line in trace.lines} == {client.pid}
    assert {line["exe"] for line in trace.lines} == {str(Path(sys.executable).resolve())}
    assert {line["unit"] for line in trace.lines} == {unit.path.name}
    assert summary["partial"]
    assert not summary["proves_silence"]


def test_its_silence_proves_nothing(tracer: Callable[..., Tracer], world: World) -> None:
    inside = ["nsenter", f"--net=/proc/{world.network}/ns/net", sys.executable, "-m", "imdsctl"]
    trace = tracer("--method", "packet", "--for", "1s", command=[*inside, "host", "trace"])
    trace.process.wait(20)
    assert trace.process.returncode == 3
    assert not trace.records[-1]["proves_silence"]


def test_connections_whose_answers_were_lost_are_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        source = PacketSource()
    except CannotTraceError as error:
        pytest.skip(str(error))
    try:
        monkeypatch.setattr(packets, "_MOST", 10)
        monkeypatch.setattr(source, "_find", lambda _: Who())
        for port in range(1000, 1100):
            one = Segment(
                socket.AF_INET,
                outgoing=True,
                client=bytes(4),
                port=port,
                seq=1,
                flags=0x18,
                size=3,
                payload=b"GET",
            )
            assert list(source._outgoing(one))
        assert len(source._awaiting) == len(source._keys) == 10
    finally:
        source.close()
