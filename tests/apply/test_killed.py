"""apply is killed with SIGKILL again and again; in the end nothing is lost and nothing twice.

More kills than the suite's: IMDSCTL_KILLS=200 pytest -n0 tests/apply/test_killed.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from killable import Killable, Trap, When
from whole_run import (
    OTHER,
    OWN,
    SMALL_FLEET,
    Operator,
    aws_view,
    calls_of,
    changes_of,
    client,
    cut_off,
    instances,
)

from imdsctl.simulator.server import SimulatedAws

KILLS = int(os.environ.get("IMDSCTL_KILLS", "12"))
KILLS_A_RUN = 6
SETTINGS = "[waves.stateful]\ncanaries = 1\nbatch = 1\nsoak_seconds = 1800\n"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    operator = Operator(tmp_path)
    operator.settings(SETTINGS)
    return operator


def prepared(operator: Operator) -> Any:
    """Scan and plan; the plan holds every kind of change."""
    assert operator.scan_all().code == 0
    plan = operator.plan()
    kinds = {change["kind"] for change in changes_of(plan)}
    assert kinds == {
        "launch-template-version",
        "launch-template-default",
        "asg-launch-template",
        "launch-configuration-replacement",
        "account-defaults",
        "instance-refresh",
        "instance-options",
    }
    assert len(changes_of(plan, "instance-options")) == 21
    return plan


def words_for(operator: Operator) -> list[str]:
    """apply, or the resumption of the run that is there already."""
    runs = operator("runs", "-o", "json").json["runs"]
    if not runs:
        return operator.arguments("apply", str(operator.plan_file), "--yes")
    return operator.arguments("apply", "--resume", runs[0]["run"], "--yes")


def assert_all_done_once(
    operator: Operator, aws: SimulatedAws, plan: Any, before: Any, *, late: bool = False
) -> None:
    """AWS itself shows every planned change, once; the journal knows the same.

    `late`: a second refresh may have been asked for hours after the first one had ended, in
    simulated time. It has nothing left to replace.
    """
    now = aws_view()
    own, other = now[f"{OWN} eu-west-1"], now[f"{OTHER} eu-central-1"]
    for change in changes_of(plan, "instance-options"):
        here = now[f"{change['account']} {change['region']}"]["instances"]
        _, options = here[change["resource"]]
        assert options["HttpTokens"] == "required"
        assert options["State"] == "applied"
        was = before[f"{change['account']} {change['region']}"]["instances"][change["resource"]][1]
        assert {**options, "HttpTokens": "optional"} == was, "only the tokens may change"
        assert len(aws.world.lives[change["resource"]].options) == 2, "changed once"
    planned = {change["resource"] for change in changes_of(plan, "instance-options")}
    replaced = {m for c in changes_of(plan, "instance-refresh") for m in c["before"]["instances"]}
    for cell, view in before.items():
        for instance, was in view["instances"].items():
            if instance not in planned | replaced and was[0] != "terminated":
                assert now[cell]["instances"][instance] == was, "not in the plan, yet changed"
    assert own["templates"] == {
        "web": (2, 3),
        "api": (2, 2),
        "edge": (2, 2),
        "mailer-imdsctl": (1, 1),
    }
    assert other["templates"] == {"jobs": (2, 2)}
    for view, name, number in (
        (own, "web", 3),
        (own, "api", 2),
        (own, "edge", 2),
        (other, "jobs", 2),
    ):
        assert view["versions"][name][number][1]["MetadataOptions"]["HttpTokens"] == "required"
    groups = own["groups"]
    assert groups["web"]["LaunchTemplate"]["Version"] == "3"
    assert groups["api"] == before[f"{OWN} eu-west-1"]["groups"]["api"]
    assert groups["edge"]["LaunchTemplate"]["Version"] == "2"
    assert groups["mailer"]["LaunchTemplate"]["LaunchTemplateName"] == "mailer-imdsctl"
    assert groups["mailer"]["LaunchConfigurationName"] is None
    for view in now.values():
        assert view["defaults"]["HttpTokens"] == "required"
        assert view["defaults"]["HttpPutResponseHopLimit"] == 2
    assert len(instances(aws, "edge")) == 4, "two instances, each replaced once"
    refreshes = client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="edge")
    assert {r["Status"] for r in refreshes["InstanceRefreshes"]} == {"Successful"}
    assert len(refreshes["InstanceRefreshes"]) == 1 or late
    assert cut_off(aws) == {}

    run = operator("runs", operator.run(), "-o", "json").json
    assert run["state"] == "finished"
    assert {c["id"]: c["state"] for c in run["changes"]} == {
        change["id"]: "applied" for change in changes_of(plan)
    }
    assert {gate["state"] for gate in run["gates"]} == {"passed"}
    verified = operator("verify", "-o", "json")
    assert verified.code == 0, str(verified)


@pytest.mark.parametrize("seed", range(max(1, KILLS // KILLS_A_RUN)))
def test_killed_at_random_points_and_resumed_nothing_is_lost_and_nothing_done_twice(
    seed: int, operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = prepared(operator)
    chance = random.Random(seed)
    trap = Trap(aws)
    points = []
    for _ in range(KILLS_A_RUN):
        victim = Killable(words_for(operator), tmp_path)
        point = chance.randint(5, 90)
        when: When = chance.choice(("before", "between", "after"))
        trap.set(victim, point, when, delay=chance.random() * 0.02)
        points.append((point, when, victim.wait()))
    trap.open()
    last = Killable(words_for(operator), tmp_path).wait()
    log = (tmp_path / "killable.log").read_text()
    assert last == 0, f"{points}\n{log}"
    assert sum(code == -signal.SIGKILL for _, _, code in points) > 2, points
    assert_all_done_once(operator, aws, plan, before)


OPERATIONS = (
    "CreateLaunchTemplateVersion",
    "ModifyLaunchTemplate",
    "UpdateAutoScalingGroup",
    "CreateLaunchTemplate",
    "ModifyInstanceMetadataDefaults",
    "ModifyInstanceMetadataOptions",
    "StartInstanceRefresh",
)


def test_a_call_that_aws_carries_out_only_after_the_killed_run_was_resumed_has_no_second_effect(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = prepared(operator)
    for operation in OPERATIONS:
        made = calls_of(aws, operation)
        fault = {"operation": operation, "fault": "slow", "seconds": 1.0, "times": 1}
        aws.control("faults", [fault])
        victim = Killable(words_for(operator), tmp_path)
        while calls_of(aws, operation) == made:
            time.sleep(0.01)
        victim.kill()
        assert victim.wait() == -signal.SIGKILL
    aws.control("faults", [])
    last = Killable(words_for(operator), tmp_path).wait()
    assert last == 0, (tmp_path / "killable.log").read_text()
    time.sleep(1.0)  # the slowest of the late calls has arrived by now
    aws.control("clock", {"advance_seconds": 7200})
    assert_all_done_once(operator, aws, plan, before, late=True)


def test_a_real_process_killed_by_the_system_can_be_resumed_by_another_one(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = prepared(operator)
    words = operator.arguments("apply", str(operator.plan_file), "--yes")
    with subprocess.Popen(
        [sys.executable, "-m", "imdsctl", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    ) as process:
        while calls_of(aws, "ModifyInstanceMetadataOptions") < 2:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert operator.run()
    resumed = operator.resume(operator.run())
    assert resumed.code == 0, str(resumed)
    assert_all_done_once(operator, aws, plan, before)


@pytest.mark.parametrize("fault", ["lost-response", "500", "throttle", "duplicated"])
def test_a_fault_in_every_changing_call_leaves_nothing_undone_and_nothing_done_twice(
    fault: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = prepared(operator)
    times = 3 if fault == "throttle" else 1
    aws.control(
        "faults",
        [{"operation": name, "fault": fault, "times": times} for name in OPERATIONS],
    )
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    assert_all_done_once(operator, aws, plan, before)
