"""What a host's answer means for the change that was made to it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from imdsctl.judge.host import notes, problems
from imdsctl.model.evidence import Instance
from imdsctl.model.host import HostAnswer
from imdsctl.model.options import MetadataOptions

GOOD: dict[str, Any] = {
    "schema": "imdsctl/host-probe/v1",
    "endpoint": "http://169.254.169.254",
    "v1": {"status": 401},
    "token": {"status": 200},
    "v2": {"status": 200},
    "credentials": {"found": True, "fields": []},
    "hop_limit_reaches": True,
    "hop_limit_why": None,
    "ipv6": {"status": None},
    "ecs_agent": {"status": None},
    "kubelet": {"status": None},
    "sts": {"ok": True, "via": "aws", "arn": "arn:aws:sts::111111111111:assumed-role/web/i-1"},
    "verdict": "v2-only",
}
USER = "arn:aws:iam::111111111111:user/ci"
OFF = {"v1": {"status": 403}, "token": {"status": 403}, "v2": {"status": None}}
NOBODY = {"v1": {"status": None}, "token": {"status": None}, "v2": {"status": None}}


def answer(**changes: Any) -> HostAnswer:
    return msgspec.convert({**GOOD, **changes}, HostAnswer)


def instance(endpoint: str = "enabled", **tags: str) -> Instance:
    options = MetadataOptions(
        http_tokens="required", http_put_response_hop_limit=1, http_endpoint=endpoint
    )
    return Instance(
        id="i-1",
        account="111111111111",
        region="eu-west-1",
        state="running",
        options=options,
        launched_at=datetime(2026, 1, 1, tzinfo=UTC),
        tags={key.replace("__", ":"): value for key, value in tags.items()},
    )


def test_a_good_answer_has_no_problem_and_nothing_to_note() -> None:
    assert problems(answer(), instance(), "required") == []
    assert notes(answer(), instance()) == []


@pytest.mark.parametrize(
    ("changes", "tokens", "said"),
    [
        ({"v1": {"status": 200}, "verdict": "v1-allowed"}, "required", "IMDSv1 still answers"),
        ({}, "optional", "IMDSv1 is refused, though the change leaves tokens optional"),
        ({"v1": {"status": 500}, "verdict": "broken"}, "required", "answers 500, where 401 is due"),
        ({"token": {"status": None}}, "required", "a request for a token: no answer"),
        ({"v2": {"status": 401}, "verdict": "broken"}, "required", "with a token: answers 401"),
        (
            {"credentials": {"found": False, "fields": []}, "verdict": "broken"},
            "required",
            "a role is there and its credentials do not resolve",
        ),
        ({"hop_limit_reaches": False}, "required", "the hop limit (1) is too low for it"),
        ({"ecs_agent": {"status": 500}}, "required", "the ECS agent (port 51678): answers 500"),
        ({"kubelet": {"status": 500}}, "required", "health check (port 10248): answers 500"),
        ({"sts": {"ok": False, "via": "aws", "arn": None}}, "required", "AWS gave it no identity"),
        ({**OFF, "verdict": "imds-off"}, "required", "the metadata service is switched off"),
        ({**NOBODY, "verdict": "broken"}, "required", "without a token: no answer"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], tokens: str, said: str) -> None:
    found = problems(answer(**changes), instance(), tokens)
    assert any(said in one for one in found), found


def test_v1_may_answer_where_the_change_leaves_tokens_optional() -> None:
    allowed = answer(v1={"status": 200}, verdict="v1-allowed")
    assert problems(allowed, instance(), "optional") == []


def test_a_service_that_is_meant_to_be_off_is_fine() -> None:
    assert problems(answer(**OFF, verdict="imds-off"), instance("disabled"), "required") == []


@pytest.mark.parametrize(
    ("tags", "due"),
    [
        ({"aws__ecs__clusterName": "main"}, "the ECS agent"),
        ({"AmazonECSManaged": ""}, "the ECS agent"),
        ({"eks__nodegroup-name": "workers"}, "the kubelet"),
        ({"kubernetes.io/cluster/main": "owned"}, "the kubelet"),
    ],
)
def test_an_agent_is_due_where_tags_say_so(tags: dict[str, str], due: str) -> None:
    (found,) = problems(answer(), instance(**tags), "required")
    assert found.startswith(due)
    assert found.endswith("no answer")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"credentials": {"found": False, "fields": []}}, "no instance role"),
        (
            {"hop_limit_reaches": None, "hop_limit_why": "needs root"},
            "containers not looked at: needs root",
        ),
        ({"sts": None}, "caller identity not asked for"),
        (
            {"sts": {"ok": False, "via": None, "arn": None}},
            "caller identity not asked: neither the AWS CLI nor botocore is on it",
        ),
        (
            {"sts": {"ok": True, "via": "aws", "arn": USER}},
            f"its AWS client uses other credentials than the role's: {USER}",
        ),
    ],
)
def test_what_could_not_be_seen_is_noted_and_no_fault(changes: dict[str, Any], said: str) -> None:
    assert notes(answer(**changes), instance()) == [said]
    assert problems(answer(**changes), instance(), "required") == []
