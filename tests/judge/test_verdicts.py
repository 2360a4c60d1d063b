"""What the rules say together: whole verdicts, and what no evidence can make ready."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_cases import HERE, instance_facts, path_facts

from imdsctl.judge.facts import Finding
from imdsctl.judge.instances import judge_instance
from imdsctl.judge.launch import judge_path
from imdsctl.judge.rulebook import PRECEDENCE, weigh
from imdsctl.model.verdict import Confidence, Status


def cases() -> Iterator[Any]:
    for case in tomllib.loads((HERE / "verdicts.toml").read_text())["case"]:
        yield pytest.param(case, id=case["name"])


@pytest.mark.parametrize("case", list(cases()))
def test_a_verdict_is_what_its_case_says(case: dict[str, Any]) -> None:
    verdict = judge_instance(instance_facts(case["given"]))
    expect = case["expect"]
    assert (verdict.status, verdict.confidence) == (expect["status"], expect["confidence"])
    assert [reason.rule for reason in verdict.reasons] == expect["rules"]
    assert expect.get("summary", "") in verdict.reasons[0].summary
    assert verdict.reasons[0].summary


def weighed(*findings: tuple[Status | None, Confidence]) -> tuple[Status, Confidence]:
    found = [
        (f"rule-{number}", Finding(summary="A word.", status=status, confidence=confidence))
        for number, (status, confidence) in enumerate(findings)
    ]
    verdict = weigh("i-0a", "111111111111", "eu-west-1", found, ("e1",))
    return verdict.status, verdict.confidence


STATUSES = st.sampled_from([None, *PRECEDENCE])
CONFIDENCES: st.SearchStrategy[Confidence] = st.sampled_from(["low", "medium", "high"])


@given(st.lists(st.tuples(STATUSES, CONFIDENCES), max_size=6))
@settings(deadline=None)
def test_the_strongest_status_that_is_argued_wins_in_whatever_order(
    findings: list[tuple[Status | None, Confidence]],
) -> None:
    status, confidence = weighed(*findings)
    argued = [s for s in PRECEDENCE if s in {status for status, _ in findings}]
    assert status == (argued[0] if argued else "ready")
    assert weighed(*reversed(findings)) == (status, confidence)


@given(
    calls=st.sampled_from(["not read", {"v1": "no data"}]),
    state=st.sampled_from(["running", "pending", "stopping", "stopped"]),
    siblings=st.fixed_dictionaries(
        {"quiet": st.integers(0, 50), "booted_quiet": st.integers(0, 50)}
    ),
    tag=st.sampled_from(["team", "eks:cluster-name"]),
    hop_limit=st.sampled_from([1, 2, 64]),
)
@settings(deadline=None)
def test_without_a_data_point_nothing_is_ready(
    calls: Any, state: str, siblings: dict[str, Any], tag: str, hop_limit: int
) -> None:
    facts = instance_facts(
        {
            "instance": {
                "state": state,
                "tags": {tag: "shop"},
                "options": {"http_put_response_hop_limit": hop_limit},
            },
            "calls": calls,
            "siblings": siblings,
        }
    )
    assert judge_instance(facts).status == "unknown"


def test_a_path_on_which_nothing_speaks_is_ready_and_its_boot_was_seen() -> None:
    judged = judge_path(path_facts({"siblings": {"quiet": 3, "booted_quiet": 1}}))
    assert (judged.verdict.status, judged.verdict.confidence) == ("ready", "high")
    assert judged.boot_seen


def test_a_path_is_judged_by_the_strongest_of_its_rules() -> None:
    """A template that was not read is unknown, but a caller that came from it is known."""
    facts = {"path": {"number": "none"}, "siblings": {"callers": ["i-0b"], "quiet": 2}}
    verdict = judge_path(path_facts(facts)).verdict
    assert verdict.status == "blocked"
    assert [r.rule for r in verdict.reasons] == ["members-held", "boot-unseen", "template-unread"]


def test_a_verdict_names_the_evidence_that_it_rests_on() -> None:
    verdict = judge_instance(instance_facts({"calls": {"v1": {"total": 3}}}))
    assert verdict.reasons[0].evidence == ["e1", "e2"]
    assert verdict.reasons[0].rule == "calls-seen"
