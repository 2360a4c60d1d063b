"""From pieces of connections to requests with answers, without a kernel: by bytes."""

import itertools
import random
import socket
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imdsctl.host.trace.events import Closed, Event, Opened, Received, Sent, Who
from imdsctl.host.trace.flows import Call, Flows

A = Who(pid=10, image=1)
B = Who(pid=20, image=2)
SECOND, MS = 1_000_000_000, 1_000_000
GET = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: x\r\n"
V1 = GET + b"\r\n"
V2 = GET + b"x-aws-ec2-metadata-token: secret\r\n\r\n"
PUT = b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
OK, REFUSED = b"HTTP/1.1 200", b"HTTP/1.1 403"
# However busy the machine is.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sent(
    data: bytes, *, key: int = 1, at: int = 0, seq: int = 0, who: Who = A, size: int | None = None
) -> Sent:
    whole = len(data) if size is None else size
    return Sent(at, key, who, seq, whole, data, socket.AF_INET)


def received(data: bytes = OK, *, key: int = 1, at: int = 1, seq: int = 1) -> Received:
    return Received(at, key, seq, data)


def run(*events: Event, until: int | None = None) -> list[Call]:
    flows = Flows(patience=5)
    done = [call for event in events for call in flows.feed(event)]
    return done + list(flows.finish(0) if until is None else flows.expire(until))


def told(calls: Iterable[Call]) -> list[tuple[str, int | None]]:
    return [(call.seen.version, call.status) for call in calls]


def test_a_request_is_done_when_its_answer_begins() -> None:
    flows = Flows()
    assert not list(flows.feed(sent(V2)))
    assert told(flows.feed(received())) == [("v2", 200)]


def test_answers_belong_to_requests_in_their_order() -> None:
    calls = run(
        sent(PUT), received(REFUSED), sent(V1, seq=len(PUT)), received(seq=2),
    )  # fmt: skip
    assert told(calls) == [("token", 403), ("v1", 200)]


def test_what_is_sent_twice_counts_once() -> None:
    assert told(run(sent(V1), sent(V1), received(), received())) == [("v1", 200)]
    half = len(V1) // 2
    overlapping: list[Event] = [sent(V1[:half]), sent(V1), received()]
    assert told(run(*overlapping)) == [("v1", 200)]


def test_a_gap_makes_a_guess_of_what_it_is_in() -> None:
    (call,) = run(sent(GET), sent(b"\r\n", seq=len(GET) + 90), received())
    assert (call.seen.version, call.seen.complete) == ("v1", False)


def test_a_header_longer_than_what_is_kept_is_a_guess() -> None:
    (call,) = run(sent(GET, size=len(GET) + 5000), received())
    assert not call.seen.complete


def test_sequence_numbers_begin_again_at_zero() -> None:
    start = (1 << 32) - 10
    events: list[Event] = [sent(V1[:10], seq=start), sent(V1[10:], seq=0), received()]
    assert told(run(*events)) == [("v1", 200)]


def test_an_interim_answer_is_none() -> None:
    assert told(run(sent(V1), received(b"HTTP/1.1 100"), received(seq=9))) == [("v1", 200)]


def test_nobody_answered_in_time() -> None:
    assert told(run(sent(PUT, at=0), until=4 * SECOND)) == []
    assert told(run(sent(PUT, at=0), until=6 * SECOND)) == [("token", None)]


def test_a_late_answer_does_not_make_two_of_it() -> None:
    flows = Flows(patience=5)
    done = list(flows.feed(sent(PUT)))
    done += flows.expire(6 * SECOND)
    done += flows.feed(received(at=7 * SECOND))
    done += flows.finish(8 * SECOND)
    assert len(done) == 1


def test_the_end_of_a_connection_without_an_answer_is_no_answer() -> None:
    assert told(run(sent(PUT), Closed(SECOND, 1), until=2 * SECOND)) == [("token", None)]


def test_a_client_that_ended_its_own_side_only_is_still_answered() -> None:
    events: list[Event] = [sent(V1), Closed(MS, 1), received(at=2 * MS)]
    assert told(run(*events, until=SECOND)) == [("v1", 200)]


def test_a_v1_request_knows_that_the_token_before_it_went_unanswered() -> None:
    calls = run(
        sent(PUT, key=1),
        Closed(SECOND, 1),
        sent(V1, key=2, at=SECOND + 1),
        received(key=2, at=SECOND + 2),
    )
    # In the order in which they were asked, although the second was answered first.
    assert told(calls) == [("token", None), ("v1", 200)]
    assert calls[1].token_unanswered


@pytest.mark.parametrize(
    ("before", "unanswered"), [([sent(PUT), received()], False), ([sent(PUT)], True)]
)
def test_an_answered_token_or_anothers_does_not_count(
    before: list[Event], *, unanswered: bool
) -> None:
    ours = run(*before, sent(V1, key=2), received(key=2))
    assert [call.token_unanswered for call in ours if call.seen.version == "v1"] == [unanswered]
    theirs = run(*before, sent(V1, key=2, who=B), received(key=2))
    assert [call.token_unanswered for call in theirs if call.seen.version == "v1"] == [False]


def test_a_socket_that_connects_again_begins_anew() -> None:
    calls = run(sent(V1[:20]), Opened(1, 1, A), sent(V2, seq=500), received(seq=2))
    assert told(calls)[-1] == ("v2", 200)


def test_the_answer_of_a_connection_that_was_never_seen_is_passed_over() -> None:
    assert run(received(), Closed(1, 7)) == []


@unhurried
@given(
    st.lists(st.sampled_from([V1, V2, PUT]), min_size=1, max_size=6),
    st.lists(st.integers(1, 200), max_size=12),
    st.integers(0, (1 << 32) - 1),
    st.randoms(use_true_random=False),
)
def test_requests_are_the_same_however_they_are_cut_and_repeated(
    requests: list[bytes], cuts: list[int], start: int, chance: random.Random
) -> None:
    data = b"".join(requests)
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    pieces = [(a, data[a:b]) for a, b in itertools.pairwise(places)]
    events: list[Event] = []
    for at, piece in pieces:
        events.append(sent(piece, seq=(start + at) % (1 << 32)))
        if chance.random() < 0.3:
            again, old = chance.choice(pieces[: len(events)])
            if again <= at:
                events.append(sent(old, seq=(start + again) % (1 << 32)))
    names = {V1: "v1", V2: "v2", PUT: "token"}
    assert [call.seen.version for call in run(*events)] == [names[one] for one in requests]


@unhurried
@given(st.binary(max_size=300), st.integers(0, 5000))
def test_no_bytes_make_it_fail(data: bytes, more: int) -> None:
    run(sent(data, size=len(data) + more), received(data[:12]), Closed(3, 1))


def test_memory_stays_bounded_whatever_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imdsctl.host.trace.flows._MOST_FLOWS", 50)
    flows = Flows()
    for key in range(500):
        list(flows.feed(sent(V1[:30], key=key, who=Who(pid=key))))
    assert len(flows._flows) <= 50
