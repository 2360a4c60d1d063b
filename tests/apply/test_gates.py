"""The gates: what they catch, what they take back, and what they do when they cannot look."""

import signal
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from killable import Killable, Trap
from whole_run import (
    Operator,
    aws_view,
    calls_of,
    changes_of,
    client,
    cut_off,
    instances,
    mutating_calls,
    states_of,
)

FLEET = """
start = 2026-11-30T23:50:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
defaults = { http_tokens = "required", http_put_response_hop_limit = 2 }
[[account.region.instance]]
name = "report"
launched_days_ago = 26
booted_days_ago = 5
options.http_tokens = "optional"
options.http_put_response_hop_limit = 2
options.instance_metadata_tags = "enabled"
tags = { env = "dev" }
callers = [
  { program = "agent", behaviour = "v2" },
  { program = "monthly-report", behaviour = "v1-only", when = "monthly" },
]
[[account.region.instance]]
name = "sandbox"
count = 5
options = { http_tokens = "optional" }
launched_days_ago = 26
booted_days_ago = 5
tags = { env = "dev" }
callers = [{ program = "shell", behaviour = "v2" }]
[[account.region.instance]]
name = "pod"
launched_days_ago = 60
booted_days_ago = 5
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
tags = { env = "test" }
callers = [{ program = "sidecar", behaviour = "v2-strict", container = "bridge" }]
"""
CELLS = (("111111111111", "eu-west-1"),)


def in_wave(plan: Any, number: int = 0) -> Any:
    return next(wave for wave in plan["waves"] if wave["number"] == number)


def states_by_name(plan: Any, answer: Any) -> dict[str, str]:
    names = {change["id"]: change["name"] for change in changes_of(plan)}
    return {names[key]: state for key, state in states_of(answer).items()}


def test_a_canary_with_a_hidden_v1_job_is_caught_rolled_back_and_the_others_wait(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    (report,) = instances(aws, "report")
    before = aws_view(CELLS)["111111111111 eu-west-1"]["instances"]
    plan = operator.prepared()
    canaries = in_wave(plan)["canaries"]
    assert any(report in canary for canary in canaries)

    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert stopped.json["state"] == "stopped"
    states = states_by_name(plan, stopped)
    assert states.pop("report") == "rolled-back"
    assert sorted(states.values()) == ["applied"] + ["pending"] * 5
    (gate,) = stopped.json["gates"]
    assert gate["state"] == "failed"
    assert f"{report}: " in gate["detail"]
    assert "rejected" in gate["detail"]
    now = aws_view(CELLS)["111111111111 eu-west-1"]["instances"]
    assert now[report] == before[report], "all five options are as recorded"

    aws.control("clock", {"advance_seconds": 3600})
    (pause,) = cut_off(aws)[report]
    assert pause["program"] == "monthly-report"
    assert pause["to"] is not None, "it works again"
    assert set(cut_off(aws)) == {report}

    finished = operator.resume(stopped.json["run"])
    assert finished.code == 0, str(finished)
    states = states_by_name(plan, finished)
    assert states.pop("report") == "rolled-back"
    assert set(states.values()) == {"applied"}
    assert set(cut_off(aws)) == {report}

    assert operator.scan("--regions", "eu-west-1").code == 0
    (held,) = [one for one in operator.plan()["held"] if one["resource"] == report]
    assert held["status"] == "blocked"


def test_a_gate_that_cannot_be_read_stops_the_run_and_takes_nothing_back(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET.replace("T23:50", "T09:00"))
    plan = operator.prepared()
    aws.control("faults", [{"operation": "GetMetricData", "fault": "denied"}])
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert sorted(states_of(stopped).values()) == ["applied"] * 2 + ["pending"] * 5
    (gate,) = stopped.json["gates"]
    assert "could not be read" in gate["detail"]
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == 2
    assert cut_off(aws) == {}

    aws.control("faults", [])
    finished = operator.resume(stopped.json["run"])
    assert finished.code == 0, str(finished)
    assert set(states_of(finished).values()) == {"applied"}
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == len(changes_of(plan))


def test_status_checks_that_cannot_be_read_stop_the_run_before_anything_is_changed(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET.replace("T23:50", "T09:00"))
    operator.prepared()
    made = mutating_calls(aws)
    aws.control("faults", [{"operation": "DescribeInstanceStatus", "fault": "denied"}])
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert set(states_of(stopped).values()) == {"pending"}
    assert mutating_calls(aws) == made


def test_an_instance_that_is_impaired_already_is_left_alone_and_another_canary_takes_its_place(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET.replace("T23:50", "T09:00"))
    (strict,) = instances(aws, "pod")
    # Somebody lowered the hop limit an hour ago: the container is cut off, without any v1 call.
    client("ec2").modify_instance_metadata_options(InstanceId=strict, HttpPutResponseHopLimit=1)
    aws.control("clock", {"advance_seconds": 3600})
    plan = operator.prepared()
    assert any(strict in canary for canary in in_wave(plan)["canaries"])
    answer = operator.apply()
    assert answer.code == 1, str(answer)
    states = states_by_name(plan, answer)
    assert states.pop("pod") == "skipped"
    assert set(states.values()) == {"applied"}
    (impaired,) = [c for c in answer.json["changes"] if c["resource"] == strict]
    assert "impaired" in impaired["detail"]
    assert answer.json["gates"][0] == {
        "name": "disposable: canaries",
        "state": "passed",
        "detail": "2 healthy",
    }
    options = aws_view(CELLS)["111111111111 eu-west-1"]["instances"][strict][1]
    assert options["HttpTokens"] == "optional"


def journal(operator: Operator) -> list[tuple[datetime, str, str]]:
    """When which event was written of what."""
    with sqlite3.connect(operator.db) as connection:
        rows = connection.execute("SELECT at, event, subject FROM journal ORDER BY run, seq")
        return [(datetime.fromisoformat(at), event, subject) for at, event, subject in rows]


def test_a_soak_survives_a_restart_and_only_the_rest_of_it_is_waited(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET.replace("T23:50", "T09:00"))
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 4, "between", only='"advance_seconds"')
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    assert [event for _, event, _ in journal(operator)][-1] == "gate-waiting"
    answer = operator.resume(operator.run())
    assert answer.code == 0, str(answer)
    for gate in ("disposable: canaries", "disposable"):
        waits = [
            at for at, event, name in journal(operator) if (event, name) == ("gate-waiting", gate)
        ]
        ends = [
            at for at, event, name in journal(operator) if (event, name) == ("gate-passed", gate)
        ]
        assert len(waits) == len(ends) == 1
        assert 900 <= (ends[0] - waits[0]).total_seconds() < 960


def test_a_canary_caught_just_when_the_run_was_killed_is_taken_back_by_the_resumed_one(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (report,) = instances(aws, "report")
    plan = operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    # The third modification is the one that takes the canary back.
    trap.set(victim, 3, "between", only="Action=ModifyInstanceMetadataOptions")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    stopped = operator.resume(operator.run())
    assert stopped.code == 4, "the operator has to see it"
    assert states_by_name(plan, stopped)["report"] == "rolled-back"
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == 3
    finished = operator.resume(operator.run())
    assert finished.code == 0, str(finished)
    assert operator.scan("--regions", "eu-west-1").code == 0
    (held,) = [one for one in operator.plan()["held"] if one["resource"] == report]
    assert "failed-gate" in [reason["rule"] for reason in held["reasons"]], "it is remembered"


def test_a_run_resumed_after_a_killed_rollback_knows_what_the_rollback_had_done(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET.replace("T23:50", "T09:00"))
    plan = operator.prepared()
    assert operator.apply().code == 0
    trap = Trap(aws)
    victim = Killable(operator.arguments("rollback", "--yes"), tmp_path)
    trap.set(victim, 2, "between", only="Action=ModifyInstanceMetadataOptions")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    resumed = operator.resume(operator.run())
    states = states_of(resumed)
    here = aws_view(CELLS)["111111111111 eu-west-1"]["instances"]
    tokens = {"rolled-back": "optional", "applied": "required"}
    for change in changes_of(plan, "instance-options"):
        state = states[change["id"]]
        assert here[change["resource"]][1]["HttpTokens"] == tokens[state]
    assert list(states.values()).count("rolled-back") == 2
    assert operator("rollback", "--yes").code == 0


def test_a_dry_run_walks_through_everything_and_changes_nothing(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    before, made = aws_view(CELLS), mutating_calls(aws)
    answer = operator.apply("--dry-run")
    assert answer.code == 0, str(answer)
    assert set(states_of(answer).values()) == {"applied"}
    assert mutating_calls(aws) == made
    assert aws_view(CELLS) == before
    assert operator("runs", "-o", "json").json["runs"] == []
