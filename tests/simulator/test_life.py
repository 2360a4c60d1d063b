"""The lives of instances: what calls count, what a change cuts off, and what a trace shows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imdsctl.simulator.hosttrace import trace_lines
from imdsctl.simulator.life import (
    Behaviour,
    Caller,
    Container,
    Kind,
    Life,
    Options,
    When,
    calls,
    cut_offs,
    healthy,
    outcome,
    safe_at_hop_limit,
    safe_now,
)
from imdsctl.simulator.lifespan import Metric, series

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
V1 = Options()
V2 = Options(http_tokens="required")


def a_life(
    *callers: Caller,
    options: Sequence[tuple[datetime, Options]] | None = None,
    launched_at: datetime = NOW - 30 * DAY,
    asg: str | None = None,
    **more: object,
) -> Life:
    life = Life(
        instance_id="i-0123456789abcdef0",
        account="111111111111",
        region="eu-west-1",
        name="x",
        asg=asg,
        launched_at=launched_at,
        callers=callers,
        options=list(options or [(launched_at, V1)]),
        runs=[(launched_at, None)],
        boots=[launched_at],
    )
    for name, value in more.items():
        setattr(life, name, value)
    return life


@pytest.mark.parametrize(
    ("behaviour", "container", "hops", "optional", "required"),
    [
        ("v1-only", "none", 1, ("no_token", True), ("rejected", False)),
        ("v1-only", "overlay", 1, ("no_token", True), ("rejected", False)),
        ("v1-only", "bridge", 3, ("no_token", True), ("rejected", False)),
        ("v1-first", "none", 1, ("no_token", True), ("rejected", True)),
        ("v1-first", "bridge", 1, ("no_token", True), ("rejected", False)),
        ("v1-first", "bridge", 2, ("no_token", True), ("rejected", True)),
        ("v2", "none", 1, (None, True), (None, True)),
        ("v2", "host", 1, (None, True), (None, True)),
        ("v2", "bridge", 1, (None, False), (None, False)),
        ("v2", "overlay", 3, (None, True), (None, True)),
        ("fallback", "none", 1, (None, True), (None, True)),
        ("fallback", "bridge", 1, ("no_token", True), ("rejected", False)),
        ("fallback", "bridge", 2, (None, True), (None, True)),
        ("fallback", "overlay", 2, ("no_token", True), ("rejected", False)),
        ("fallback", "overlay", 3, (None, True), (None, True)),
        ("v2-strict", "bridge", 1, (None, False), (None, False)),
        ("v2-strict", "bridge", 2, (None, True), (None, True)),
    ],
)
def test_a_call_comes_to_what_it_comes_to_on_ec2(
    behaviour: Behaviour,
    container: Container,
    hops: int,
    optional: tuple[Kind | None, bool],
    required: tuple[Kind | None, bool],
) -> None:
    caller = Caller("p", behaviour=behaviour, container=container)
    allowed = Options("optional", hops)

    assert outcome(caller, allowed) == optional
    assert outcome(caller, replace(allowed, http_tokens="required")) == required
    assert outcome(caller, replace(allowed, http_endpoint="disabled")) == (None, False)


def test_a_steady_caller_calls_at_its_pace() -> None:
    life = a_life(Caller("p", behaviour="v1-only", per_hour=6))

    assert calls(life, "no_token", NOW - DAY, NOW) == 144
    assert calls(life, "rejected", NOW - DAY, NOW) == 0


def test_a_boot_caller_calls_in_the_minutes_after_a_boot_only() -> None:
    booted = NOW - 3 * DAY
    life = a_life(Caller("p", behaviour="v1-only", when="boot", per_hour=24))
    life.boots.append(booted)

    assert calls(life, "no_token", life.launched_at, NOW) == 4
    assert calls(life, "no_token", booted, booted + timedelta(minutes=5)) == 2
    assert calls(life, "no_token", booted + timedelta(minutes=5), NOW) == 0


def test_a_rare_boot_caller_still_calls_once_a_boot() -> None:
    life = a_life(Caller("p", behaviour="v1-only", when="boot", per_hour=0.1))

    assert calls(life, "no_token", life.launched_at, life.launched_at + HOUR) == 1


def test_a_nightly_caller_calls_from_two_to_three_utc() -> None:
    life = a_life(Caller("p", behaviour="v1-only", when="nightly", per_hour=4))
    two = datetime(2026, 10, 20, 2, tzinfo=UTC)

    assert calls(life, "no_token", two, two + HOUR) == 4
    assert calls(life, "no_token", two + HOUR, two + DAY) == 0
    assert calls(life, "no_token", two, two + 5 * DAY) == 20


def test_a_monthly_caller_calls_on_the_first() -> None:
    life = a_life(Caller("p", behaviour="v1-only", when="monthly"), launched_at=NOW - 60 * DAY)

    assert calls(life, "no_token", NOW - 30 * DAY, NOW) == 0
    assert calls(life, "no_token", NOW, NOW + timedelta(seconds=1)) == 1
    assert calls(life, "no_token", NOW, NOW + 29 * DAY) == 144


def test_a_failover_caller_never_calls_until_there_is_one() -> None:
    life = a_life(Caller("p", behaviour="v1-only", when="failover", per_hour=5))
    assert calls(life, "no_token", life.launched_at, NOW) == 0

    life.failovers.append(NOW)

    assert calls(life, "no_token", NOW, NOW + DAY) == 5
    assert calls(life, "no_token", NOW + HOUR, NOW + DAY) == 0


def test_nothing_calls_while_the_instance_is_down() -> None:
    life = a_life(Caller("p", behaviour="v1-only"))
    life.runs = [(life.launched_at, NOW - 2 * DAY), (NOW - DAY, None)]

    assert calls(life, "no_token", NOW - 2 * DAY, NOW - DAY) == 0
    assert calls(life, "no_token", NOW - DAY, NOW) == 144
    assert series(life, "MetadataNoToken", NOW - 2 * DAY, NOW - DAY, 3600) == []


WHENS: list[When] = ["steady", "boot", "nightly", "monthly", "failover"]


@settings(deadline=None, max_examples=40)
@given(
    when=st.sampled_from(WHENS),
    per_hour=st.floats(0.05, 500),
    cuts=st.lists(st.integers(0, 40 * 86_400), min_size=1, max_size=6),
    flips=st.lists(st.integers(0, 40 * 86_400), max_size=3, unique=True),
)
def test_the_counts_of_the_parts_of_an_interval_add_up(
    when: When, per_hour: float, cuts: list[int], flips: list[int]
) -> None:
    start = NOW - 40 * DAY
    life = a_life(
        Caller("p", behaviour="v1-first", when=when, per_hour=per_hour), launched_at=start
    )
    for number, flip in enumerate(sorted(flips)):
        life.options.append((start + timedelta(seconds=flip), V1 if number % 2 else V2))
    life.runs = [(start, start + 11 * DAY), (start + 12 * DAY, None)]
    life.boots += [start + 12 * DAY, start + 20 * DAY]
    life.failovers = [start + 15 * DAY]
    edges = [start, *(start + timedelta(seconds=cut) for cut in sorted(cuts)), NOW]

    kinds: tuple[Kind, Kind] = ("no_token", "rejected")
    for kind in kinds:
        parts = [calls(life, kind, low, high) for low, high in pairwise(edges)]
        assert sum(parts) == calls(life, kind, start, NOW)
    names: dict[Metric, Kind] = {
        "MetadataNoToken": "no_token",
        "MetadataNoTokenRejected": "rejected",
    }
    for metric, kind in names.items():
        for period in (300, 3600, 86_400):
            points = series(life, metric, start, NOW, period)
            assert sum(point[1] for point in points) == calls(life, kind, start, NOW)


def test_a_quiet_instance_has_a_zero_every_five_minutes() -> None:
    life = a_life(Caller("p", behaviour="v2"))

    points = series(life, "MetadataNoToken", NOW - HOUR, NOW, 300)

    assert points == [(NOW - HOUR + timedelta(minutes=5 * n), 0.0, 1) for n in range(12)]
    assert series(life, "MetadataNoToken", NOW - DAY, NOW, 86_400) == [(NOW - DAY, 0.0, 288)]
    assert series(life, "MetadataNoTokenRejected", NOW - DAY, NOW, 300) == []


def test_the_metrics_exclude_each_other_and_only_refused_calls_make_points() -> None:
    flip = NOW - 6 * HOUR
    caller = Caller("p", behaviour="v1-only", per_hour=1)
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (flip, V2)])

    before = series(life, "MetadataNoToken", NOW - 12 * HOUR, NOW, 300)
    after = series(life, "MetadataNoTokenRejected", NOW - 12 * HOUR, NOW, 300)

    assert len(before) == 72
    assert sum(point[1] for point in before) == 6
    assert max(point[0] for point in before) < flip
    assert [point[1:] for point in after] == [(1.0, 1)] * 6
    assert min(point[0] for point in after) == flip


def test_there_are_no_points_without_metrics_or_with_the_endpoint_off() -> None:
    caller = Caller("p", behaviour="v1-only")
    silent = a_life(caller, metrics=False)
    off = a_life(caller, options=[(NOW - 30 * DAY, Options(http_endpoint="disabled"))])

    for life in (silent, off):
        assert series(life, "MetadataNoToken", NOW - DAY, NOW, 300) == []
        assert series(life, "MetadataNoTokenRejected", NOW - DAY, NOW, 300) == []
    assert calls(silent, "no_token", NOW - DAY, NOW) == 144
    assert calls(off, "no_token", NOW - DAY, NOW) == 0


def test_there_are_no_points_from_before_the_recorded_history() -> None:
    life = a_life(Caller("p", behaviour="v1-only"), recorded_from=NOW - 2 * DAY)

    points = series(life, "MetadataNoToken", NOW - 30 * DAY, NOW, 86_400)

    assert [point[0] for point in points] == [NOW - 2 * DAY, NOW - DAY]
    assert [point[1] for point in points] == [144, 144]


def test_a_cut_off_shows_at_the_next_call_and_ends_with_the_first_that_is_answered() -> None:
    flip = NOW - 3 * HOUR + timedelta(minutes=1)
    caller = Caller("p", behaviour="v1-only", per_hour=6)
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (flip, V2)])
    noticed = flip + timedelta(minutes=9)

    assert healthy(life, flip + timedelta(minutes=8))
    assert not healthy(life, noticed)
    assert cut_offs(life, NOW) == [{"from": noticed, "to": None, "program": "p"}]

    life.options.append((NOW - HOUR, V1))

    assert healthy(life, NOW)
    assert cut_offs(life, NOW) == [{"from": noticed, "to": NOW - HOUR, "program": "p"}]


def test_a_program_that_is_not_vital_fails_alone() -> None:
    caller = Caller("p", behaviour="v1-only", vital=False)
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (NOW - DAY, V2)])

    assert healthy(life, NOW)
    assert cut_offs(life, NOW) == []
    assert calls(life, "rejected", NOW - DAY, NOW) == 144


def test_a_boot_caller_stays_cut_off_until_a_boot_succeeds() -> None:
    caller = Caller("p", behaviour="v1-only", when="boot")
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (NOW - DAY, V2)])
    assert healthy(life, NOW)

    life.boots.append(NOW)
    assert not healthy(life, NOW)

    life.options.append((NOW + HOUR, V1))
    assert not healthy(life, NOW + 2 * HOUR)

    life.boots.append(NOW + 3 * HOUR)
    assert healthy(life, NOW + 3 * HOUR)
    assert cut_offs(life, NOW + 4 * HOUR) == [{"from": NOW, "to": NOW + 3 * HOUR, "program": "p"}]


def test_a_monthly_job_that_never_ran_here_is_cut_off_all_the_same() -> None:
    caller = Caller("p", behaviour="v1-only", when="monthly")
    born = NOW - 20 * DAY
    life = a_life(caller, launched_at=born, options=[(born, V1), (NOW - 4 * HOUR, V2)])

    assert cut_offs(life, NOW - timedelta(seconds=1)) == []
    assert cut_offs(life, NOW) == [{"from": NOW, "to": None, "program": "p"}]
    assert not healthy(life, NOW)


def test_a_boot_caller_cut_off_on_a_new_instance_never_becomes_healthy() -> None:
    caller = Caller("p", behaviour="v1-only", when="boot")
    life = a_life(caller, launched_at=NOW, options=[(NOW, V2)], asg="web")

    assert not healthy(life, NOW)
    assert not healthy(life, NOW + 10 * DAY)
    assert cut_offs(life, NOW + DAY, [V1]) == [{"from": NOW, "to": None, "program": "p"}]
    assert cut_offs(life, NOW + DAY, [V2]) == []


def test_a_lower_hop_limit_on_a_replacement_is_a_cut_off_by_the_groups_earlier_options() -> None:
    caller = Caller("p", behaviour="v2", container="bridge")
    life = a_life(caller, launched_at=NOW, options=[(NOW, V2)], asg="web")
    assert healthy(life, NOW), "as far as is known, it never worked"

    life.predecessor = replace(V2, http_put_response_hop_limit=2)

    assert not healthy(life, NOW)
    assert [one["program"] for one in cut_offs(life, NOW)] == ["p"]


def test_what_never_worked_is_not_cut_off() -> None:
    caller = Caller("p", behaviour="v2-strict", container="bridge")
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (NOW - DAY, V2)])

    assert healthy(life, NOW)
    assert cut_offs(life, NOW) == []


def test_turning_the_endpoint_off_cuts_off_what_used_it() -> None:
    off = Options(http_endpoint="disabled")
    life = a_life(Caller("p", behaviour="v2"), options=[(NOW - 30 * DAY, V1), (NOW - DAY, off)])

    assert not healthy(life, NOW)
    assert cut_offs(life, NOW)[0]["from"] == NOW - DAY


def test_the_cut_off_of_a_terminated_instance_ends_with_it() -> None:
    caller = Caller("p", behaviour="v1-only")
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (NOW - DAY, V2)])
    life.runs = [(life.launched_at, NOW - HOUR)]
    life.terminated_at = NOW - HOUR

    assert cut_offs(life, NOW)[0]["to"] == NOW - HOUR


@pytest.mark.parametrize(
    ("behaviour", "container", "hops", "verdict", "limit"),
    [
        ("v1-only", "none", 1, "unsafe", None),
        ("v1-first", "none", 1, "safe", 1),
        ("v1-first", "bridge", 1, "unsafe", 2),
        ("v2", "bridge", 2, "safe", 2),
        ("fallback", "none", 1, "safe", 1),
        ("fallback", "bridge", 1, "unsafe", 2),
        ("fallback", "overlay", 2, "unsafe", 3),
        ("fallback", "overlay", 3, "safe", 3),
        ("v2-strict", "bridge", 1, "safe", 1),
        ("v2-strict", "bridge", 2, "safe", 2),
    ],
)
def test_the_truth_of_what_requiring_tokens_cuts_off(
    behaviour: Behaviour, container: Container, hops: int, verdict: str, limit: int | None
) -> None:
    for when in WHENS:
        caller = Caller("p", behaviour=behaviour, container=container, when=when)
        for tokens in ("optional", "required"):
            options = Options(tokens, hops)
            assert safe_now(options, [caller]) is (verdict == "safe")
            assert safe_at_hop_limit(options, [caller]) == limit
            harmless = replace(caller, vital=False)
            assert safe_now(options, [harmless])


def test_a_trace_shows_each_v1_call_at_its_time_and_the_unanswered_token_request() -> None:
    caller = Caller("web", behaviour="fallback", container="bridge", sdk="Boto3/1.34")
    life = a_life(caller, options=[(NOW - 30 * DAY, V1), (NOW - HOUR, V2)], traced=True)
    lines = list(trace_lines(life, NOW - 2 * HOUR, NOW))

    v1 = [line for line in lines if line["version"] == "v1"]
    assert len([line for line in v1 if line["status"] == 200]) == 6
    assert len([line for line in v1 if line["status"] == 401]) == 6
    assert calls(life, "no_token", NOW - 2 * HOUR, NOW) == 6
    assert lines == sorted(lines, key=lambda line: str(line["ts"]))
    put, get = lines[:2]
    assert (put["version"], put["method"], put["status"]) == ("token", "PUT", None)
    assert (get["version"], get["method"], get["status"]) == ("v1", "GET", 200)
    assert put["pid"] == get["pid"]
    assert put["container"] is not None
    assert set(get) == {
        *("ts", "version", "method", "path", "pid", "comm", "exe", "cmdline", "ancestors"),
        *("container", "user_agent", "status", "dst"),
    }


def test_a_trace_tells_v1_first_from_v1_only_and_v2() -> None:
    first = a_life(Caller("p", behaviour="v1-first"), options=[(NOW - 30 * DAY, V2)])
    only = a_life(Caller("p", behaviour="v1-only"))
    second = a_life(Caller("p", behaviour="v2"))

    def requests(life: Life) -> list[tuple[str, int | None]]:
        lines = trace_lines(life, NOW - timedelta(minutes=10), NOW)
        return [(line["version"], line["status"]) for line in lines]

    assert requests(first) == [("v1", 401), ("token", 200), ("v2", 200)]
    assert requests(only) == [("v1", 200)]
    assert requests(second) == [("token", 200), ("v2", 200)]
