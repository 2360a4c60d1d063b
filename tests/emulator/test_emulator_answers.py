"""What a client sees on the wire."""

import http.client
import socket
import time

import pytest
from emulator_client import (
    INSTANCE_ID,
    TOKEN,
    TOKEN_HEADER,
    TTL,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

DEFAULT_ID = "i-1234567890abcdef0"
LAST = f"GET {INSTANCE_ID} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
GET = f"GET {INSTANCE_ID} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
PUT = f"PUT {TOKEN} HTTP/1.1\r\nHost: x\r\n{TTL}: 60\r\n\r\n".encode()


def test_optional_mode_answers_v1_and_v2(emulator: StartEmulator) -> None:
    client = emulator({"http_tokens": "optional"})
    v1, v2 = client.get(INSTANCE_ID), client.get_v2(INSTANCE_ID)
    assert (v1.status, v1.body) == (v2.status, v2.body) == (200, DEFAULT_ID)
    assert "X-Aws-Ec2-Metadata-Token-Ttl-Seconds" not in v1.headers
    assert v2.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == "60"
    assert v1.headers["Server"] == v2.headers["Server"] == "EC2ws"


def test_required_mode_refuses_v1_and_answers_v2(emulator: StartEmulator) -> None:
    client = emulator({"http_tokens": "required"})
    v1 = client.get(INSTANCE_ID)
    assert (v1.status, len(v1.body)) == (401, 343)
    assert "401 - Unauthorized" in v1.body
    assert client.get_v2(INSTANCE_ID).body == DEFAULT_ID


def test_a_bogus_token_is_refused_in_optional_mode_too(emulator: StartEmulator) -> None:
    client = emulator()
    other = emulator()
    assert client.get(INSTANCE_ID, {TOKEN_HEADER: "bogus"}).status == 401
    assert client.get(INSTANCE_ID, {TOKEN_HEADER: ""}).status == 401
    assert client.get(INSTANCE_ID, {TOKEN_HEADER: other.token()}).status == 401


def test_a_service_that_is_turned_off_refuses_everything(emulator: StartEmulator) -> None:
    client = emulator({"http_endpoint": "disabled"})
    assert client.get(INSTANCE_ID).status == 403
    assert client.call("PUT", TOKEN, {TTL: "60"}).status == 403


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("PUT", TOKEN, {}, 400),
        ("PUT", TOKEN, {TTL: "0"}, 400),
        ("PUT", TOKEN, {TTL: "21601"}, 400),
        ("PUT", TOKEN, {TTL: "60", "X-Forwarded-For": "10.0.0.1"}, 403),
        ("PUT", "/2021-03-23/api/token", {TTL: "60"}, 403),
        ("PUT", TOKEN + "/", {TTL: "60"}, 403),
        ("GET", TOKEN, {}, 405),
        ("DELETE", TOKEN, {}, 405),
        ("GET", "/latest/meta-data/no-such-thing", {}, 404),
    ],
)
def test_refusals_have_the_documented_status(
    emulator: StartEmulator, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert emulator().call(method, path, headers).status == status


def test_a_wrong_method_on_the_token_path_is_told_what_is_allowed(emulator: StartEmulator) -> None:
    answer = emulator().get(TOKEN)
    assert answer.headers["Allow"] == "OPTIONS, PUT"
    assert answer.headers["Connection"] == "close"
    assert answer.body == ""


def test_head_has_the_headers_of_get_and_no_body(emulator: StartEmulator) -> None:
    client = emulator()
    head = client.call("HEAD", INSTANCE_ID)
    assert head.headers["Content-Length"] == str(len(DEFAULT_ID))
    assert head.body == ""


def test_a_connection_is_kept_alive(emulator: StartEmulator) -> None:
    client = emulator()
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=5)
    ports = set()
    for _ in range(20):
        assert client.on(connection, "GET", INSTANCE_ID, {}).body == DEFAULT_ID
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_connections_can_be_closed_after_each_answer(emulator: StartEmulator) -> None:
    received = emulator(keep_alive=False).raw(GET + GET)
    assert received.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close" in received


def test_pipelined_requests_are_answered_in_order(emulator: StartEmulator) -> None:
    client = emulator()
    paths = ["instance-id", "ami-id", "no-such-thing", "mac", "instance-type"]
    sent = b"".join(
        f"GET /latest/meta-data/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths
    )
    received = client.raw(sent + LAST).decode()
    bodies = [DEFAULT_ID, "ami-0abcdef1234567890", "404 - Not Found", "0e:49:61:0f:c3:11"]
    positions = [received.index(body) for body in [*bodies, "m5.large"]]
    assert positions == sorted(positions)
    assert received.count("HTTP/1.1 ") == 6


def test_a_token_request_and_what_follows_it_can_be_pipelined(emulator: StartEmulator) -> None:
    # The hop limit goes down for one answer and up again for the next.
    received = emulator().raw(PUT + GET + PUT + LAST)
    assert received.count(b"HTTP/1.1 200") == 4
    assert received.count(DEFAULT_ID.encode()) == 2


def test_requests_can_come_byte_by_byte(emulator: StartEmulator) -> None:
    pieces = [LAST[i : i + 1] for i in range(len(LAST))]
    assert emulator().raw(*pieces).endswith(DEFAULT_ID.encode())


def test_a_client_that_sends_no_more_still_gets_its_answer(emulator: StartEmulator) -> None:
    client = emulator(latency=0.05)
    assert client.raw(GET, half_close=True).endswith(DEFAULT_ID.encode())


def test_bodies_of_requests_are_read_over(emulator: StartEmulator) -> None:
    body = b"x" * 300_000
    head = f"PUT {TOKEN} HTTP/1.1\r\nHost: x\r\n{TTL}: 60\r\nContent-Length: {len(body)}\r\n\r\n"
    received = emulator().raw(head.encode() + body + LAST)
    assert received.count(b"HTTP/1.1 200") == 2


def test_http_1_0_is_answered_and_closed(emulator: StartEmulator) -> None:
    received = emulator().raw(f"GET {INSTANCE_ID} HTTP/1.0\r\n\r\n".encode())
    assert received.endswith(DEFAULT_ID.encode())


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n"])
def test_what_is_no_http_is_refused_and_harms_nobody(
    emulator: StartEmulator, garbage: bytes
) -> None:
    client = emulator()
    received = client.raw(garbage)
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.get(INSTANCE_ID).status == 200


def test_a_client_that_never_reads_does_not_stop_the_others(emulator: StartEmulator) -> None:
    client = emulator(values={"user_data": "x" * 500_000})
    with socket.create_connection(("127.0.0.1", client.port)) as deaf:
        deaf.settimeout(0)
        request = b"GET /latest/user-data HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(200):
            try:
                deaf.send(request)
            except BlockingIOError:
                break
        began = time.monotonic()
        assert client.get(INSTANCE_ID).status == 200
        assert time.monotonic() - began < 3
        # Answers are made only as fast as they are fetched.
        assert len(client.emulator.calls.list()) < 100


def test_ipv6_is_answered_where_the_options_say_so(emulator: StartEmulator) -> None:
    client = emulator(ipv6=True)
    client.host = "::1"
    assert client.get_v2(INSTANCE_ID).body == DEFAULT_ID
    assert client.emulator.calls.list()[-1].peer.startswith("[::1]:")
    client.emulator.set_options(http_protocol_ipv6="disabled")
    with pytest.raises(OSError):  # noqa: PT011 - reset or refused, as the kernel likes
        client.get(INSTANCE_ID)
    client.host = "127.0.0.1"
    assert client.get(INSTANCE_ID).status == 200


def test_an_ipv6_address_alone_can_be_listened_on(emulator: StartEmulator) -> None:
    client = emulator(host="::1")
    client.host = "::1"
    assert client.get(INSTANCE_ID).status == 200
    assert client.emulator.url == client.emulator.ipv6_url == f"http://[::1]:{client.port}"


def test_options_change_while_it_runs_and_tokens_survive(emulator: StartEmulator) -> None:
    client = emulator({"http_tokens": "optional"})
    token = client.token()
    client.emulator.set_options(http_tokens="required")
    assert client.get(INSTANCE_ID).status == 401
    assert client.get(INSTANCE_ID, {TOKEN_HEADER: token}).status == 200
    with pytest.raises(ValueError, match="http_tokens is 'sometimes'"):
        client.emulator.set_options(http_tokens="sometimes")
    assert client.emulator.service.options.http_tokens == "required"


def test_directories_can_redirect(emulator: StartEmulator) -> None:
    listed = emulator().get("/latest/meta-data/iam")
    moved = emulator(redirect_directories=True).get("/latest/meta-data/iam")
    assert listed.status == 200
    assert moved.status == 301
    assert moved.headers["Location"].endswith("/latest/meta-data/iam/")


def test_credentials_are_plainly_fake(emulator: StartEmulator) -> None:
    client = emulator(values={"iam": {"role": "web"}})
    assert client.get("/latest/meta-data/iam/security-credentials/").body == "web"
    body = client.get("/latest/meta-data/iam/security-credentials/web").body
    assert '"AccessKeyId" : "ASIAFAKE' in body
    assert '"SecretAccessKey" : "FAKE' in body
