"""One proxied connection, without the kernel's part: what passes, what is refused, what is kept."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from imdsctl.imds.pages import error_page
from imdsctl.rehearse.refusing import Passed, Refusals, RefusingConnection
from imdsctl.rehearse.wire import body_of_answer, goes_on

TOKEN = b"X-aws-ec2-metadata-token: secret-of-the-test"
GET = b"GET /latest/meta-data/ami-id HTTP/1.1\r\nHost: imds\r\n"
V1 = GET + b"\r\n"
V2 = GET + TOKEN + b"\r\n\r\n"
PUT = b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nami-1"


class Served:
    """A client's end and the service's end of a proxied connection."""

    def __init__(self) -> None:
        self.client, inside = socket.socketpair()
        self.client.settimeout(5)
        self.opened: list[socket.socket] = []
        self.told: list[Passed] = []
        self.stopping = threading.Event()
        connection = RefusingConnection(
            inside, self._connect, Refusals(), self.told.append, self.stopping.is_set
        )
        self._thread = threading.Thread(target=connection.serve)
        self._thread.start()

    def _connect(self) -> socket.socket:
        inside, service = socket.socketpair()
        service.settimeout(5)
        self.opened.append(service)
        return inside

    def service(self) -> socket.socket:
        """The service's end, once it has been connected to."""
        wait_until(lambda: bool(self.opened))
        return self.opened[-1]

    def close(self) -> None:
        for one in (self.client, *self.opened):
            one.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come true in 5 seconds")


@pytest.fixture
def served() -> Iterator[Served]:
    with contextlib.closing(Served()) as one:
        yield one


def read_to_end(one: socket.socket) -> bytes:
    found = bytearray()
    while data := one.recv(65536):
        found += data
    return bytes(found)


def read(one: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        data = one.recv(length - len(found))
        assert data, f"ended after {bytes(found)!r}"
        found += data
    return bytes(found)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_v1_hears_the_services_own_refusal_and_the_service_hears_nothing(
    step: int, served: Served
) -> None:
    for at in range(0, len(V1), step):
        served.client.sendall(V1[at : at + step])
    answer = read_to_end(served.client)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\n")
    assert head.endswith(b"Server: EC2ws\r\nConnection: close")
    assert body == error_page(401)
    assert served.opened == []
    assert [(one.request.version, one.status, one.refused) for one in served.told] == [
        ("v1", 401, True)
    ]


def test_a_refused_head_has_no_body(served: Served) -> None:
    served.client.sendall(V1.replace(b"GET", b"HEAD"))
    assert read_to_end(served.client).endswith(b"Connection: close\r\n\r\n")


def test_what_has_a_token_reaches_the_service_byte_for_byte_and_so_does_the_answer(
    served: Served,
) -> None:
    for request in (PUT, V2, V2):
        served.client.sendall(request)
        assert read(served.service(), len(request)) == request
        served.service().sendall(ANSWER)
        assert read(served.client, len(ANSWER)) == ANSWER
    assert len(served.opened) == 1
    assert [one.request.version for one in served.told] == ["token", "v2", "v2"]
    assert "secret-of-the-test" not in repr(served.told)


def test_pipelined_requests_are_answered_in_order_until_v1_ends_it(served: Served) -> None:
    served.client.sendall(V2 + V1 + V2)
    assert read(served.service(), len(V2)) == V2
    served.service().sendall(ANSWER)
    answer = read_to_end(served.client)
    assert answer.startswith(ANSWER + b"HTTP/1.1 401 ")
    assert answer.endswith(error_page(401))
    assert [one.request.version for one in served.told] == ["v2", "v1"]


def test_a_chunked_request_and_a_chunked_answer_pass_whole(served: Served) -> None:
    request = PUT[:-2] + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n"
    for _ in range(2):
        served.client.sendall(request)
        assert read(served.service(), len(request)) == request
        served.service().sendall(answer)
        assert read(served.client, len(answer)) == answer


def test_an_answer_that_ends_with_its_connection_passes_whole(served: Served) -> None:
    answer = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 200_000
    served.client.sendall(V2)
    assert read(served.service(), len(V2)) == V2
    served.service().sendall(answer)
    served.service().close()
    assert read_to_end(served.client) == answer


def test_an_interim_answer_is_passed_on_and_the_real_one_awaited(served: Served) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    served.client.sendall(V2)
    read(served.service(), len(V2))
    served.service().sendall(interim + ANSWER)
    assert read(served.client, len(interim + ANSWER)) == interim + ANSWER
    assert [one.status for one in served.told] == [200]


def test_a_connection_that_the_service_closed_is_opened_again(served: Served) -> None:
    served.client.sendall(V2)
    first = served.service()
    read(first, len(V2))
    first.sendall(ANSWER)
    assert read(served.client, len(ANSWER)) == ANSWER
    first.close()
    served.client.sendall(V2)
    wait_until(lambda: len(served.opened) == 2)
    assert read(served.service(), len(V2)) == V2
    served.service().sendall(ANSWER)
    assert read(served.client, len(ANSWER)) == ANSWER


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELLO there\r\n\r\n",
        b"GET " + b"/x" * 40_000,
    ],
    ids=["tls", "no http", "no end"],
)
def test_what_is_no_request_is_the_services_to_answer(bytes_sent: bytes, served: Served) -> None:
    served.client.sendall(bytes_sent)
    assert read(served.service(), len(bytes_sent)) == bytes_sent
    served.service().sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    served.service().shutdown(socket.SHUT_WR)
    assert read_to_end(served.client) == b"HTTP/1.1 400 Bad Request\r\n\r\n"
    assert served.told == []


def test_a_client_that_gives_up_without_an_answer_is_told_as_unanswered(served: Served) -> None:
    served.client.sendall(PUT)
    read(served.service(), len(PUT))
    served.client.close()
    wait_until(lambda: bool(served.told))
    (told,) = served.told
    assert (told.request.version, told.status, told.refused) == ("token", None, False)
    assert told.waited > 1


def test_a_client_that_closed_only_its_half_still_gets_its_answer(served: Served) -> None:
    served.client.sendall(V2)
    served.client.shutdown(socket.SHUT_WR)
    read(served.service(), len(V2))
    served.service().sendall(ANSWER)
    assert read_to_end(served.client) == ANSWER


def test_at_the_end_what_was_asked_is_answered_and_idle_connections_close(served: Served) -> None:
    served.client.sendall(V2)
    read(served.service(), len(V2))
    served.stopping.set()
    served.service().sendall(ANSWER)
    assert read_to_end(served.client) == ANSWER


def test_the_body_and_the_end_of_an_answer_are_read_as_http_has_them() -> None:
    assert body_of_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 200, "GET") == 7
    assert body_of_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 200, "HEAD") == 0
    assert body_of_answer(b"HTTP/1.1 304 X\r\n\r\n", 304, "GET") == 0
    assert body_of_answer(b"HTTP/1.1 200 OK\r\n\r\n", 200, "GET") == "to the end"
    assert goes_on(b"HTTP/1.1 200 OK\r\n\r\n")
    assert not goes_on(b"HTTP/1.1 200 OK\r\nconnection: Close\r\n\r\n")
    assert not goes_on(b"HTTP/1.0 200 OK\r\n\r\n")
    assert goes_on(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n")
    assert not goes_on(b"GET / HTTP/1.0\r\n\r\n")
