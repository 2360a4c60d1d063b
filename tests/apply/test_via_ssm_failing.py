"""apply and rollback --via ssm: what goes wrong in a runbook, and the way back."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ssm_fleet import (
    CELLS,
    HEAD,
    MANY,
    change_of,
    changed_once,
    details,
    executions,
    handmade,
    living,
    prepared,
    small_batches,
    tokens,
)
from whole_run import OWN, Operator, account, aws_view, calls_of, region, states_of


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return small_batches(tmp_path)


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_failing_instance_is_named_with_its_step_and_message_and_resumed_alone(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 1}
    aws.control("faults", [{**fault, "after": 2}])
    answer = operator.apply("--via", "ssm")
    states = states_of(answer)
    (failed,) = [c for c in changes if states[c["id"]] == "failed"]
    said = details(answer)[failed["resource"]]
    assert "step maintainHopLimitAndConfigureImdsVersion: An error occurred" in said
    assert "UnauthorizedOperation" in said
    assert "Troubleshooting Guide" not in said
    assert sorted(tokens()) == ["optional"] + ["required"] * 5
    again = operator.resume(operator.run())
    assert again.code == 0, str(again)
    assert executions()[-1]["Parameters"]["InstanceId"] == [failed["resource"]]
    changed_once(aws, [c["resource"] for c in changes])


def test_a_canary_that_fails_stops_the_run_with_exit_4(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "ModifyInstanceMetadataOptions", "fault": "denied"}])
    answer = operator.apply("--via", "ssm")
    assert answer.code == 4
    assert tokens() == ["optional"] * 6
    assert len(executions()) == 1, "nothing after the canary"


def test_after_too_many_errors_the_others_are_not_started(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    handmade(operator, [change_of(i, CELLS[0], http_tokens="required") for i in living()], batch=10)
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 2}
    aws.control("faults", [fault])
    answer = operator.apply("--via", "ssm", "--max-concurrency", "1", "--max-errors", "1")
    assert answer.code == 4
    said = sorted(details(answer).values())
    assert sum("not started: 2 of 2 executions failed" in one for one in said) == 4, said
    assert tokens() == ["optional"] * 6


@pytest.mark.parametrize("fault", ["lost-response", "500", "throttle", "duplicated"])
def test_a_start_without_an_answer_starts_one_execution(
    fault: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    aws.control(
        "faults",
        [
            {"operation": name, "fault": fault, "times": 2}
            for name in ("StartAutomationExecution", "GetAutomationExecution")
        ],
    )
    answer = operator.apply("--via", "ssm")
    assert answer.code == 0, str(answer)
    assert len(executions()) == 2
    changed_once(aws, [c["resource"] for c in changes])


def test_a_refused_start_fails_every_change_of_it(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "StartAutomationExecution", "fault": "denied"}])
    answer = operator.apply("--via", "ssm")
    assert answer.code == 4
    assert "AccessDeniedException" in next(d for d in details(answer).values() if d)
    assert executions() == []


# --- the way back --------------------------------------------------------------------------------


def test_rollback_by_the_same_runbook_is_exact(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    changes = [
        change_of(i, CELLS[0], http_tokens="required", http_put_response_hop_limit=n)
        for n, i in enumerate(living(), 1)
    ]
    handmade(operator, changes, batch=10)
    assert operator.apply("--via", "ssm").code == 0
    calls = calls_of(aws, "ModifyInstanceMetadataOptions")
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert aws_view(((OWN, "eu-west-1"),)) == before
    assert set(states_of(back).values()) == {"rolled-back"}
    undone = [e for e in executions() if e["Parameters"]["EnforceIMDSv2"] == ["optional"]]
    hops = {e["Parameters"]["HttpPutResponseHopLimit"][0] for e in undone}
    assert hops == {"2", "0"}, "back to 2, and kept where it was 2"
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == calls + 6
    assert operator("runs", operator.run(), "-o", "json").json["state"] == "rolled-back"


def test_what_was_changed_by_ec2_can_go_back_by_ssm_and_the_other_way_round(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    prepared(operator)
    for there, back in (("ec2", "ssm"), ("ssm", "ec2")):
        assert operator.apply("--via", there).code == 0
        assert tokens() == ["required"] * 6
        assert operator("rollback", operator.run(), "--via", back, "--yes").code == 0
        assert aws_view(((OWN, "eu-west-1"),)) == before


def test_a_rollback_that_fails_on_one_goes_through_the_others_and_says_which(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    assert operator.apply("--via", "ssm").code == 0
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 1}
    aws.control("faults", [fault])
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes", "-o", "json")
    assert back.code == 4
    assert sorted(tokens()) == ["optional"] * 5 + ["required"]
    assert sum("step maintainHopLimit" in d for d in details(back).values()) == 1
    again = operator("rollback", operator.run(), "--via", "ssm", "--yes")
    assert again.code == 0
    assert tokens() == ["optional"] * 6


def test_a_gate_that_fails_restores_by_the_runbook(operator: Operator, simulated_aws: Any) -> None:
    monthly = (
        '[[account.region.instance]]\nname = "app"\ntags = { env = "dev" }\n'
        'options = { http_tokens = "optional" }\n'
        'callers = [{ program = "month-end", behaviour = "v1-only", when = "failover" }]\n'
    )
    aws = simulated_aws(HEAD + account(OWN, region("eu-west-1", monthly)))
    (instance,) = living()
    handmade(
        operator,
        [change_of(instance, CELLS[0], http_tokens="required")],
        canaries=[f"options/{instance['InstanceId']}"],
        soak_seconds=7200,
    )

    def fail_over() -> None:
        while tokens() != ["required"]:
            time.sleep(0.01)
        aws.control("trigger", {"instance": instance["InstanceId"], "event": "failover"})

    thread = threading.Thread(target=fail_over)
    thread.start()
    answer = operator.apply("--via", "ssm")
    thread.join()
    assert answer.code == 4, str(answer)
    assert tokens() == ["optional"]
    assert "status check instance impaired" in details(answer)[instance["InstanceId"]]
    assert [e["Parameters"]["EnforceIMDSv2"] for e in executions()] == [["required"], ["optional"]]
