"""What was sent on a connection, told from its bytes, however they were cut."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imdsctl.imds.classify import (
    MAX_LINE,
    NEXT,
    RequestDecoder,
    SeenRequest,
    requests_in,
    status_of,
)

GET_V1 = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: old/1.0\r\n\r\n"
PUT = (
    b"PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
    b"User-Agent: new/2.0\r\nContent-Length: 0\r\n\r\n"
)
GET_V2 = b"GET /latest/meta-data/ HTTP/1.1\r\nX-AWS-EC2-Metadata-Token: AQAEAsecret==\r\n\r\n"

V1 = SeenRequest("GET", "/latest/meta-data/", "v1", "old/1.0", complete=True)
TOKEN = SeenRequest("PUT", "/latest/api/token", "token", "new/2.0", complete=True)
V2 = SeenRequest("GET", "/latest/meta-data/", "v2", "", complete=True)


def test_the_three_kinds_are_told_apart() -> None:
    assert requests_in(GET_V1) == [V1]
    assert requests_in(PUT) == [TOKEN]
    assert requests_in(GET_V2) == [V2]


def test_a_request_is_told_with_the_last_byte_of_its_header_and_not_before() -> None:
    decoder = RequestDecoder()
    assert decoder.feed(GET_V1[:-1]) == []
    assert decoder.feed(GET_V1[-1:]) == [V1]


def test_requests_follow_each_other_on_one_connection() -> None:
    assert requests_in(PUT + GET_V2 + GET_V1) == [TOKEN, V2, V1]


def test_lines_may_end_without_a_carriage_return() -> None:
    assert requests_in(GET_V2.replace(b"\r\n", b"\n")) == [V2]


def test_a_body_with_a_length_is_no_request_even_if_it_looks_like_one() -> None:
    sent = b"PUT /latest/api/token HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(GET_V1)
    assert [seen.version for seen in requests_in(sent + GET_V1 + GET_V2)] == ["token", "v2"]


def test_a_chunked_body_is_no_request_even_if_it_looks_like_one() -> None:
    body = b"%x;name=value\r\n%b\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n" % (len(GET_V1), GET_V1)
    sent = b"POST /a HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 9\r\n\r\n"
    assert [seen.version for seen in requests_in(sent + body + GET_V2)] == ["v1", "v2"]


def test_reading_goes_on_after_garbage() -> None:
    garbage = b"\x16\x03\x01\x00\xff\r\n\x00\n: \r\n"
    assert requests_in(garbage + GET_V2 + garbage + PUT) == [V2, TOKEN]


def test_reading_goes_on_after_a_broken_chunk() -> None:
    sent = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"
    assert requests_in(sent + GET_V2)[1:] == [V2]
    assert requests_in(sent.replace(b"no size", b"3\r\nabcd") + GET_V2)[1:] == [V2]


def test_a_token_in_another_place_is_no_token() -> None:
    sent = (
        b"GET /?x-aws-ec2-metadata-token: HTTP/1.1\r\nX-Other: x-aws-ec2-metadata-token: a\r\n"
        b"X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
    )
    assert requests_in(sent) == [SeenRequest("GET", "/", "v1", "", complete=True)]


def test_an_empty_token_is_a_token() -> None:
    assert requests_in(b"GET / HTTP/1.0\r\nX-aws-ec2-metadata-token:\r\n\r\n")[0].version == "v2"


def test_what_a_proxy_client_sends_has_the_same_path() -> None:
    seen = requests_in(b"GET http://169.254.169.254/latest/user-data?a=b HTTP/1.1\r\n\r\n")
    assert seen == [SeenRequest("GET", "/latest/user-data", "v1", "", complete=True)]


def test_a_header_that_ends_early_is_told_as_incomplete() -> None:
    assert requests_in(GET_V2[:-2]) == [
        SeenRequest("GET", "/latest/meta-data/", "v2", "", complete=False)
    ]
    assert requests_in(GET_V2[:60]) == [
        SeenRequest("GET", "/latest/meta-data/", "v2", "", complete=False)
    ]
    assert requests_in(b"GET /latest/meta") == [
        SeenRequest("GET", "/latest/meta", "v1", "", complete=False)
    ]


def test_lost_bytes_end_a_header_and_the_next_request_is_found() -> None:
    decoder = RequestDecoder()
    assert decoder.feed(GET_V1[:40]) == []
    assert [seen.complete for seen in decoder.lost()] == [False]
    assert decoder.feed(b"est of a line\r\n\r\n" + GET_V2) == [V2]


def test_a_request_line_amid_a_header_shows_that_its_rest_was_lost() -> None:
    seen = requests_in(GET_V1[:-2] + PUT)
    assert [(one.version, one.complete) for one in seen] == [("v1", False), ("token", True)]


def test_a_line_beyond_all_bounds_takes_no_memory() -> None:
    decoder = RequestDecoder()
    piece = b"x" * 65536
    decoder.feed(b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nX-Long: ")
    tracemalloc.start()
    for _ in range(500):
        decoder.feed(piece)
    grown, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 4 * MAX_LINE
    (seen,) = decoder.feed(b"\r\nx-aws-ec2-metadata-token: a\r\n\r\n")
    assert (seen.version, len(seen.path), seen.complete) == ("v2", 2048, True)


def test_a_request_line_beyond_all_bounds_is_still_a_request() -> None:
    (seen,) = requests_in(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")
    assert (seen.method, seen.version, len(seen.path)) == ("GET", "v1", 2048)


def test_a_name_with_control_characters_cannot_reach_a_terminal() -> None:
    (seen,) = requests_in(b"GET /\xff HTTP/1.1\r\nUser-Agent: a\x1b[31mb\r\n\r\n")
    assert (seen.path, seen.user_agent) == ("/?", "a?[31mb")


def test_no_token_is_kept() -> None:
    decoder = RequestDecoder()
    decoder.feed(GET_V2)
    assert "secret" not in repr(vars(decoder))


_WORDS = [
    GET_V1, PUT, GET_V2, b"\r\n", b"\n", b"\r", b"GET ", b"/latest/api/token", b" HTTP/1.1",
    b"X-aws-ec2-metadata-token: abc\r\n", b"Content-Length: 7\r\n", b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n", b"0\r\n\r\n", b"User-Agent: x\r\n",
    b"User-Agent\r\n", b" folded\r\n", b"a" * (MAX_LINE - 3), b"\x00\xff",
]  # fmt: skip
streams = st.lists(st.sampled_from(_WORDS) | st.binary(max_size=20), max_size=12).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The pieces of `data` between the places, taken modulo its length."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@settings(max_examples=400)
@given(data=streams, places=st.lists(st.integers(0, 10**6), max_size=12))
def test_any_cut_of_the_same_bytes_gives_the_same_requests(data: bytes, places: list[int]) -> None:
    decoder = RequestDecoder()
    seen = [one for piece in cut(data, places) for one in decoder.feed(piece)]
    assert seen + decoder.finish() == requests_in(data)


@given(data=streams)
def test_byte_by_byte_is_the_same_as_at_once(data: bytes) -> None:
    decoder = RequestDecoder()
    seen = [one for i in range(len(data)) for one in decoder.feed(data[i : i + 1])]
    assert seen + decoder.finish() == requests_in(data)


@given(data=st.binary(max_size=400))
def test_garbage_never_raises_and_hides_no_request_on_a_line_of_its_own(data: bytes) -> None:
    assert requests_in(data + b"\n" + GET_V2)[-1:] == [V2]


POST = SeenRequest("POST", "/a", "v1", "", complete=True)
WITH_LENGTH = b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(GET_V2 * 3), GET_V2 * 3)
CHUNKED = (
    b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n"
    % (len(GET_V2 * 3), GET_V2 * 3)
)
requests = st.sampled_from(
    [(GET_V1, V1), (PUT, TOKEN), (GET_V2, V2), (WITH_LENGTH, POST), (CHUNKED, POST)]
)


@given(sent=st.lists(requests, max_size=20), places=st.lists(st.integers(0, 10**6), max_size=9))
def test_every_request_of_a_pipeline_is_seen_once_and_in_order(
    sent: list[tuple[bytes, SeenRequest]], places: list[int]
) -> None:
    decoder = RequestDecoder()
    pieces = cut(b"".join(raw for raw, _ in sent), places)
    seen = [one for piece in pieces for one in decoder.feed(piece)]
    assert seen == [wanted for _, wanted in sent]
    assert decoder.state == "start"


@pytest.mark.parametrize("sent", [WITH_LENGTH, CHUNKED], ids=["with a length", "chunked"])
def test_requests_in_a_body_that_comes_byte_by_byte_are_no_requests(sent: bytes) -> None:
    decoder = RequestDecoder()
    assert [one for i in range(len(sent)) for one in decoder.feed(sent[i : i + 1])] == [POST]
    assert decoder.feed(GET_V1) == [V1]


def test_every_state_can_be_reached_and_left() -> None:
    left = {state for state, _ in NEXT}
    assert left == set(NEXT.values())


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"HTTP/1.1 200 OK", 200), (b"HTTP/1.0 401", 401), (b"HTTP/1.1 40", None),
        (b"HTTP/1.1 4010", None), (b"HTTP/2 200", None), (b"", None), (b"\xff" * 12, None),
        (b"HTTP/1.1 999", None),
    ],
)  # fmt: skip
def test_a_status_is_told_from_twelve_bytes(first: bytes, status: int | None) -> None:
    assert status_of(first) == status
