"""apply and rollback --via ssm: killed, interrupted, and taken up again."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import process
from killable import Killable, Trap, When
from ssm_fleet import (
    CELLS,
    MANY,
    change_of,
    changed_once,
    executions,
    handmade,
    living,
    prepared,
    small_batches,
    tokens,
)
from whole_run import OWN, Operator, aws_view, calls_of

from imdsctl.apply import orders, runbooks
from imdsctl.simulator.server import SimulatedAws


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return small_batches(tmp_path)


def words_for(operator: Operator, *more: str) -> list[str]:
    runs = operator("runs", "-o", "json").json["runs"]
    if not runs:
        return operator.arguments("apply", str(operator.plan_file), "--yes", *more)
    return operator.arguments("apply", "--resume", runs[0]["run"], "--yes")


def one_execution_a_batch(aws: SimulatedAws, operator: Operator, changes: list[Any]) -> None:
    run = operator("runs", operator.run(), "-o", "json").json
    assert run["state"] == "finished"
    assert {c["state"] for c in run["changes"]} == {"applied"}
    assert len(executions()) == 2, "the canary's and the batch's"
    assert {e["id"] for e in run["executions"]} == {
        e["AutomationExecutionId"] for e in executions()
    }
    assert {e["status"] for e in run["executions"]} == {"Success"}, "followed to their end"
    assert tokens() == ["required"] * 6
    changed_once(aws, [c["resource"] for c in changes])


@pytest.mark.parametrize("when", ["before", "between", "after"])
@pytest.mark.parametrize(
    "operation",
    ["StartAutomationExecution", "GetAutomationExecution", "DescribeAutomationExecutions"],
)
def test_killed_while_an_execution_runs_a_resume_goes_on_following_it(
    operation: str, when: When, operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    trap = Trap(aws)
    for at in (1, 3):
        victim = Killable(words_for(operator, "--via", "ssm"), tmp_path)
        trap.set(victim, at, when, only=operation)
        victim.wait()
    trap.open()
    last = Killable(words_for(operator), tmp_path).wait()
    assert last == 0, (tmp_path / "killable.log").read_text()
    one_execution_a_batch(aws, operator, changes)
    if operation != "StartAutomationExecution":
        assert calls_of(aws, "StartAutomationExecution") == 2, "taken up, not started again"


def test_ctrl_c_cancels_the_execution_and_journals_what_became_of_each(
    operator: Operator, simulated_aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated_aws(MANY)
    handmade(operator, [change_of(i, CELLS[0], http_tokens="required") for i in living()], batch=10)
    pressed: list[bool] = []

    def press(job: Any, seen: Any) -> str:
        # The moment at which two of six have their options and wait for the assertion.
        if not pressed and len(seen.targets) == 2:
            pressed.append(True)
            raise KeyboardInterrupt
        return orders.progress_of(job, seen)

    monkeypatch.setattr(runbooks, "progress_of", press)
    answer = operator.apply("--via", "ssm", "--max-concurrency", "2")
    assert answer.code == 130, str(answer)
    assert "--resume" in answer.err
    (execution,) = executions()
    assert execution["AutomationExecutionStatus"] == "Cancelled"
    run = operator("runs", operator.run(), "-o", "json").json
    assert run["state"] == "interrupted"
    states = [c["state"] for c in run["changes"]]
    assert states.count("applied") == tokens().count("required")
    assert states.count("failed") == 6 - states.count("applied")
    assert "pending" not in states, "nothing is left unknown"
    again = operator.resume(operator.run())
    assert again.code == 0, str(again)
    assert tokens() == ["required"] * 6


def test_a_real_ctrl_c_ends_the_execution_with_exit_130(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "GetAutomationExecution", "fault": "slow", "seconds": 1}])
    words = operator.arguments("apply", str(operator.plan_file), "--yes", "--via", "ssm")
    running = process(*words, cwd=tmp_path)
    while calls_of(aws, "GetAutomationExecution") < 1:
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "cancelling" in err
    (execution,) = executions()
    assert execution["AutomationExecutionStatus"] == "Cancelled"


def test_a_rollback_cancels_what_a_killed_run_left_under_way(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    prepared(operator)
    trap = Trap(aws)
    victim = Killable(words_for(operator, "--via", "ssm"), tmp_path)
    trap.set(victim, 2, "between", only="StartAutomationExecution")
    victim.wait()
    trap.open()
    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    aws.control("clock", {"advance_seconds": 3600})
    assert aws_view(((OWN, "eu-west-1"),)) == before
    assert executions()[-1]["AutomationExecutionStatus"] == "Cancelled"


def test_a_resumed_run_goes_on_by_automation_without_being_told(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "StartAutomationExecution", "fault": "denied"}])
    assert operator.apply("--via", "ssm", "--max-errors", "0").code == 4
    aws.control("faults", [])
    again = operator.resume(operator.run())
    assert again.code == 0, str(again)
    assert [e.get("MaxErrors") for e in executions()] == [None, "0"]
    assert json.loads(again.out)["executions"]
