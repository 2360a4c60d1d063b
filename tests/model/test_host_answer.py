"""The probe's answer, read strictly; and the journal's word on the calls that probes made."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imdsctl.model.host import OwnCall, read_answer
from imdsctl.model.probes import own_calls
from imdsctl.model.run import Entry, fold

AT = datetime(2026, 11, 11, 9, tzinfo=UTC)
ANSWER: dict[str, Any] = {
    "schema": "imdsctl/host-probe/v1",
    "endpoint": "http://169.254.169.254",
    "v1": {"status": 401},
    "token": {"status": 200},
    "v2": {"status": 200},
    "credentials": {"found": True, "fields": ["Code", "AccessKeyId", "Token"]},
    "hop_limit_reaches": None,
    "hop_limit_why": "no container found",
    "ipv6": {"status": None},
    "ecs_agent": {"status": None},
    "kubelet": {"status": None},
    "sts": {"ok": True, "via": "aws", "arn": "arn:aws:sts::111111111111:assumed-role/web/i-0abc"},
    "verdict": "v2-only",
}


def text(**changes: Any) -> str:
    return json.dumps({**ANSWER, **changes}, indent=2)


def test_an_answer_is_read_and_may_follow_a_greeting() -> None:
    answer = read_answer("Welcome to Amazon Linux!\n" + text() + "\n")
    assert answer is not None
    assert (answer.v1.status, answer.verdict, answer.refused) == (401, "v2-only", True)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "sh: 1: curl: not found\n",
        text()[:-40],
        text() + "\nand more",
        text(verdict="fine"),
        text(endpoint="http://10.0.0.1"),
        text(v1={"status": "401"}),
        text(v1={"status": 40100}),
        text(v1={"status": 401, "body": "x"}),
        text(secret="hunter2"),
        text(hop_limit_why="AKIAIOSFODNN7EXAMPLE"),
        text(credentials={"found": True, "fields": ["a b"]}),
        text(credentials={"found": "yes", "fields": []}),
        text(sts={"ok": True, "via": "aws", "arn": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}),
        text(sts={"ok": True, "via": "curl", "arn": None}),
    ],
)
def test_anything_else_is_no_answer(said: str) -> None:
    assert read_answer(said) is None


def test_names_that_aws_does_not_use_for_credentials_are_dropped() -> None:
    answer = read_answer(
        text(credentials={"found": True, "fields": ["Token", "IQoJb3JpZ2luX2VjE"]})
    )
    assert answer is not None
    assert answer.credentials.fields == ["Token"]


def test_what_cloudwatch_counts_of_a_probe() -> None:
    for v1, counted in ((200, False), (401, True), (403, None), (None, None)):
        answer = read_answer(text(v1={"status": v1}))
        assert answer is not None
        assert answer.refused is counted, v1


def entry(event: Any, minutes: float = 0, **data: Any) -> Entry:
    at = AT + timedelta(minutes=minutes)
    return Entry(seq=1, run="r", at=at, event=event, subject="eu-west-1", data=data)


def probing(note: str, *hosts: str) -> Entry:
    return entry(
        "probing",
        note=note,
        hosts=list(hosts),
        account="111111111111",
        region="eu-west-1",
        seconds=240,
    )


def told(*, called: bool, refused: bool | None = True) -> dict[str, Any]:
    first, last = AT + timedelta(seconds=5), AT + timedelta(seconds=8)
    times = {"first": first.isoformat(), "last": last.isoformat()}
    return {"called": called, "refused": refused, **times}


def test_a_probe_that_came_back_is_exactly_the_call_that_it_made() -> None:
    hosts = {"i-1": told(called=True), "i-2": told(called=False)}
    found = own_calls([probing("a", "i-1", "i-2"), entry("probed", note="a", hosts=hosts)])
    assert found == {
        ("111111111111", "eu-west-1", "i-1"): [
            OwnCall(first=AT + timedelta(seconds=5), last=AT + timedelta(seconds=8), refused=True)
        ]
    }


def test_one_that_never_did_may_be_a_call_in_the_time_that_it_had() -> None:
    found = own_calls([probing("a", "i-1")])
    assert found["111111111111", "eu-west-1", "i-1"] == [
        OwnCall(first=AT, last=AT + timedelta(seconds=240), refused=None)
    ]


def test_one_that_was_never_sent_is_no_call() -> None:
    never = entry("probed", note="a", command=None, hosts={"i-1": {"called": False}})
    assert own_calls([probing("a", "i-1"), never]) == {}


def test_looks_at_hosts_leave_the_run_where_it_is() -> None:
    before = fold("r", [Entry(seq=1, run="r", at=AT, event="finished")])
    hosts = {"i-1": told(called=True)}
    after = fold(
        "r",
        [
            Entry(seq=1, run="r", at=AT, event="finished"),
            probing("a", "i-1"),
            entry("probed", note="a", hosts=hosts),
        ],
    )
    assert after == before
