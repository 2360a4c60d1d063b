"""An instance refresh proves a boot on V2 only before the whole group is replaced."""

import signal
from pathlib import Path
from typing import Any

import pytest
from killable import Killable, Trap
from whole_run import (
    Operator,
    aws_view,
    changes_of,
    client,
    cut_off,
    instances,
    states_of,
)

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "edge"
[[account.region.launch_template.version]]
image = "golden"
options = {{ http_tokens = "optional", http_put_response_hop_limit = 2 }}
[[account.region.auto_scaling_group]]
name = "edge"
launch_template = "edge"
version = "{version}"
size = 3
callers = [{{ program = "edge", behaviour = "v2" }}, {{ program = "{program}", {behaviour} }}]
[[account.region.launch_template]]
name = "quiet"
[[account.region.launch_template.version]]
image = "golden"
options = {{ http_tokens = "optional" }}
[[account.region.auto_scaling_group]]
name = "quiet"
launch_template = "quiet"
version = "1"
size = 2
replaced_per_day = 1
callers = [{{ program = "quiet", behaviour = "v2" }}]
"""
HOME = "111111111111 eu-west-1"
CELLS = (("111111111111", "eu-west-1"),)


def running(aws: Any, group: str) -> dict[str, Any]:
    return {key: one for key, one in instances(aws, group).items() if one["state"] == "running"}


def state_of(answer: Any, kind: str) -> str:
    (state,) = {s for key, s in states_of(answer).items() if key.startswith(f"{kind}:")}
    return state


@pytest.mark.parametrize("version", ["1", "$Default"])
def test_a_v1_caller_at_boot_fails_the_first_replacement_and_aws_rolls_the_group_back(
    version: str, operator: Operator, simulated_aws: Any
) -> None:
    boot_only = 'behaviour = "v1-only", when = "boot"'
    aws = simulated_aws(FLEET.format(version=version, program="register", behaviour=boot_only))
    before = aws_view(CELLS)[HOME]
    plan = operator.prepared()
    assert [c["resource"] for c in changes_of(plan, "instance-refresh")] == ["edge"]

    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert state_of(stopped, "instance-refresh") == "rolled-back"
    # It launches what it launched before; a group on $Default is pinned to that very version.
    now = aws_view(CELLS)[HOME]
    template = now["groups"]["edge"]["LaunchTemplate"]
    was = before["groups"]["edge"]["LaunchTemplate"]
    assert template == {**was, "Version": "1"}
    assert now["templates"]["edge"][0] == 1, "the default version stays"
    assert {one["options"]["http_tokens"] for one in running(aws, "edge").values()} == {"optional"}
    assert len(running(aws, "edge")) == 3
    (refresh,) = client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="edge")[
        "InstanceRefreshes"
    ]
    assert refresh["Status"] == "RollbackSuccessful"
    # Only the one replacement that was to prove it was ever cut off, and it is gone.
    for key in cut_off(aws):
        assert instances(aws)[key]["asg"] == "edge"
        assert instances(aws)[key]["state"] == "terminated"
    assert len(cut_off(aws)) == 1

    finished = operator.resume(stopped.json["run"])
    assert finished.code == 0, str(finished)
    assert state_of(finished, "instance-refresh") == "rolled-back"
    assert {one["options"]["http_tokens"] for one in running(aws, "quiet").values()} == {"required"}
    assert aws_view(CELLS)[HOME]["groups"]["edge"] == now["groups"]["edge"]
    assert aws_view(CELLS)[HOME]["templates"]["edge"] == now["templates"]["edge"]

    # The next plan does not try the same again.
    again = operator.prepared()
    assert not changes_of(again, "instance-refresh")
    (held,) = [h for h in again["held"] if h["name"] == "edge" and "/" in h["resource"]]
    assert held["status"] == "blocked"
    assert held["reasons"][0]["rule"] == "failed-gate"
    assert len(cut_off(aws)) == 1


def test_a_group_whose_boot_nobody_saw_is_replaced_instance_by_instance(
    operator: Operator, simulated_aws: Any
) -> None:
    v2 = 'behaviour = "v2", when = "boot", container = "bridge"'
    aws = simulated_aws(FLEET.format(version="1", program="register", behaviour=v2))
    old = set(running(aws, "edge"))
    operator.prepared()
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    new = running(aws, "edge")
    assert len(new) == 3
    assert not old & set(new)
    assert {one["options"]["http_tokens"] for one in new.values()} == {"required"}
    assert cut_off(aws) == {}
    verified = operator("verify", "-o", "json")
    assert verified.code == 0, str(verified)


def test_a_replacement_that_aws_finds_healthy_but_whose_v1_calls_are_refused_is_rolled_back(
    operator: Operator, simulated_aws: Any
) -> None:
    # It is not vital, so no health check fails: only the metric of refused calls tells.
    quiet = 'behaviour = "v1-only", when = "boot", vital = false'
    aws = simulated_aws(FLEET.format(version="1", program="billing", behaviour=quiet))
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert state_of(stopped, "instance-refresh") == "rolled-back"
    (told,) = [c for c in stopped.json["changes"] if c["kind"] == "instance-refresh"]
    assert "rejected" in told["detail"]
    assert {one["options"]["http_tokens"] for one in running(aws, "edge").values()} == {"optional"}


def test_a_refresh_that_aws_rolled_back_while_nobody_watched_is_not_started_again(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    boot_only = 'behaviour = "v1-only", when = "boot"'
    aws = simulated_aws(FLEET.format(version="1", program="register", behaviour=boot_only))
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 1, "between", only="Action=StartInstanceRefresh&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    aws.control("clock", {"advance_seconds": 6 * 3600})
    stopped = operator.resume(operator.run())
    assert stopped.code == 4, str(stopped)
    assert state_of(stopped, "instance-refresh") == "rolled-back"
    (refresh,) = client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="edge")[
        "InstanceRefreshes"
    ]
    assert refresh["Status"] == "RollbackSuccessful"
    assert len(cut_off(aws)) == 1


def test_a_refresh_of_somebody_else_is_not_taken_for_ours(
    operator: Operator, simulated_aws: Any
) -> None:
    v2 = 'behaviour = "v2", when = "boot"'
    aws = simulated_aws(FLEET.format(version="1", program="register", behaviour=v2))
    operator.prepared()
    client("autoscaling").start_instance_refresh(
        AutoScalingGroupName="edge", Preferences={"MinHealthyPercentage": 0}
    )
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert state_of(stopped, "instance-refresh") == "failed"
    aws.control("clock", {"advance_seconds": 7200})
    finished = operator.resume(stopped.json["run"])
    assert finished.code == 0, str(finished)
    assert {one["options"]["http_tokens"] for one in running(aws, "edge").values()} == {"required"}
