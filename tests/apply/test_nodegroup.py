"""An EKS managed node group moved to V2 only through EKS, and back, over the wire."""

import signal
from pathlib import Path
from typing import Any

import pytest
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
)

from imdsctl.simulator.eks import nodegroups

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "node"
[[account.region.launch_template]]
name = "batch"
[[account.region.launch_template.version]]
image = "node"
options = {{ {options} }}
[[account.region.auto_scaling_group]]
name = "eks-batch"
launch_template = "batch"
version = "1"
size = 3
{replaced}
tags = {{ "eks:cluster-name" = "shop" }}
eks_nodegroup = "batch"
{more}
callers = [
  {{ program = "kubelet", behaviour = "v2", container = "host" }},
  {caller}
]
"""
V1 = 'http_tokens = "optional", http_put_response_hop_limit = 2'
POD = '{ program = "pod", behaviour = "v2-strict", container = "bridge" },'
HOME = "111111111111 eu-west-1"
CELLS = (("111111111111", "eu-west-1"),)
UPDATE = ("UpdateNodegroupVersion",)
NOT_OURS = (
    "UpdateAutoScalingGroup",
    "StartInstanceRefresh",
    "ModifyInstanceMetadataOptions",
)


def fleet(
    *, options: str = V1, caller: str = POD, replaced: str = "replaced_per_day = 1", more: str = ""
) -> str:
    return FLEET.format(options=options, caller=caller, replaced=replaced, more=more)


def version_in_use(name: str = "batch") -> str:
    answer = client("eks").describe_nodegroup(clusterName="shop", nodegroupName=name)
    return str(answer["nodegroup"]["launchTemplate"]["version"])


def updates() -> list[tuple[str, str]]:
    """Version and status of every update, oldest first."""
    eks = client("eks")
    listed = eks.list_updates(name="shop", nodegroupName="batch")["updateIds"]
    rows = [
        eks.describe_update(name="shop", nodegroupName="batch", updateId=one)["update"]
        for one in listed
    ]
    rows.sort(key=lambda row: row["createdAt"])
    return [
        (
            next(p["value"] for p in row["params"] if p["type"] == "LaunchTemplateVersion"),
            row["status"],
        )
        for row in rows
    ]


def running(aws: Any) -> dict[str, Any]:
    return {k: one for k, one in instances(aws, "eks-batch").items() if one["state"] == "running"}


def tokens(aws: Any) -> set[str]:
    return {one["options"]["http_tokens"] for one in running(aws).values()}


def told(answer: Any) -> Any:
    (change,) = [c for c in answer.json["changes"] if c["kind"] == "nodegroup-version"]
    return change


def test_a_node_group_goes_to_v2_only_and_exactly_back(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    before, old = aws_view(CELLS)[HOME], set(running(aws))
    plan = operator.prepared()
    (change,) = changes_of(plan, "nodegroup-version")
    assert change["resource"] == "shop/batch"
    assert change["before"]["version"] == change["inverse"]["version"] == "1"
    assert change["after"]["version"] == "2"
    assert change["gates"] == ["rejected-calls", "group-health"]
    (made,) = changes_of(plan, "launch-template-version")
    assert made["name"] == "batch"
    assert made["after"]["options"]["http_put_response_hop_limit"] == 2
    assert not changes_of(plan, "instance-options")
    assert [w["name"] for w in plan["waves"] if change in w["changes"]] == ["auto-scaling"]
    shown = operator("show", str(operator.plan_file)).out
    assert "node group shop/batch: template batch 1 → 2, EKS replaces its 3 nodes" in shown
    assert "1 EKS node group" in shown

    dry = operator.apply("--dry-run")
    assert dry.code == 0, str(dry)
    assert mutating_calls(aws) == {}

    applied = operator.apply()
    assert applied.code == 0, str(applied)
    assert version_in_use() == "2"
    assert tokens(aws) == {"required"}
    assert len(running(aws)) == 3
    assert not old & set(running(aws))
    assert calls_of(aws, *UPDATE) == 1
    assert calls_of(aws, *NOT_OURS) == 0
    assert cut_off(aws) == {}
    verified = operator("verify", "-o", "json")
    assert verified.code == 0, str(verified)
    assert told(verified)["state"] == "applied"

    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert version_in_use() == "1"
    assert tokens(aws) == {"optional"}
    assert updates() == [("2", "Successful"), ("1", "Successful")]
    now = aws_view(CELLS)[HOME]
    assert now["versions"]["batch"] == before["versions"]["batch"]
    assert now["templates"]["batch"] == before["templates"]["batch"]
    assert now["defaults"] == before["defaults"]
    sizes = ("MinSize", "MaxSize", "DesiredCapacity")
    for size in sizes:
        assert now["groups"]["eks-batch"][size] == before["groups"]["eks-batch"][size]
    assert calls_of(aws, *NOT_OURS) == 0


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_an_explicit_hop_limit_stays_and_an_unspecified_one_reaches_containers(
    limit: int | None, operator: Operator, simulated_aws: Any
) -> None:
    said = f", http_put_response_hop_limit = {limit}" if limit else ""
    simulated_aws(fleet(options=f'http_tokens = "optional"{said}', caller=""))
    (made,) = changes_of(operator.prepared(), "launch-template-version")
    assert made["after"]["options"]["http_put_response_hop_limit"] == (limit or 2)


def test_a_boot_that_needs_v1_fails_in_eks_and_nothing_is_left_of_it(
    operator: Operator, simulated_aws: Any
) -> None:
    caller = '{ program = "register", behaviour = "v1-only", when = "boot" },'
    aws = simulated_aws(fleet(caller=caller, replaced=""))
    old = set(running(aws))
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert told(stopped)["state"] == "rolled-back"
    assert "NodeCreationFailure" in told(stopped)["detail"]
    assert "rejected" in told(stopped)["detail"]
    assert updates() == [("2", "Failed")]
    assert version_in_use() == "1"
    assert set(running(aws)) == old
    # The next plan does not try the same again.
    again = operator.prepared()
    assert not changes_of(again, "nodegroup-version")
    (held,) = [h for h in again["held"] if h["name"] == "eks-batch" and "/" in h["resource"]]
    assert held["reasons"][0]["rule"] == "failed-gate"
    assert "replaced its instances" in held["reasons"][0]["summary"]


def test_rejected_calls_that_eks_does_not_mind_take_it_back(
    operator: Operator, simulated_aws: Any
) -> None:
    caller = '{ program = "billing", behaviour = "v1-only", when = "boot", vital = false },'
    aws = simulated_aws(fleet(caller=caller, replaced=""))
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert told(stopped)["state"] == "rolled-back"
    assert "IMDSv1 call rejected" in told(stopped)["detail"]
    assert updates() == [("2", "Successful"), ("1", "Successful")]
    assert tokens(aws) == {"optional"}
    finished = operator.resume(stopped.json["run"])
    assert finished.code == 0, str(finished)
    assert len(updates()) == 2


@pytest.mark.parametrize("when", ["between", "after"])
def test_killed_around_its_call_it_is_found_again_and_not_made_twice(
    when: Any, operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 1, when, only="update-version")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    resumed = operator.resume(operator.run())
    assert resumed.code == 0, str(resumed)
    assert told(resumed)["state"] == "applied"
    assert updates() == [("2", "Successful")]
    assert tokens(aws) == {"required"}


def test_killed_and_resumed_after_eks_had_failed_it_says_so(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    caller = '{ program = "register", behaviour = "v1-only", when = "boot" },'
    aws = simulated_aws(fleet(caller=caller, replaced=""))
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 1, "between", only="update-version")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    aws.control("clock", {"advance_seconds": 6 * 3600})
    stopped = operator.resume(operator.run())
    assert stopped.code == 4, str(stopped)
    assert told(stopped)["state"] == "rolled-back"
    assert updates() == [("2", "Failed")]


def test_killed_on_its_way_back_it_goes_all_the_way_back(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    assert operator.apply().code == 0
    run = operator.run()
    trap = Trap(aws)
    victim = Killable(operator.arguments("rollback", run, "--yes"), tmp_path)
    trap.set(victim, 1, "between", only="update-version")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    back = operator("rollback", run, "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert updates() == [("2", "Successful"), ("1", "Successful")]
    assert tokens(aws) == {"optional"}
    assert list(aws_view(CELLS)[HOME]["versions"]["batch"]) == [1]


@pytest.mark.parametrize("fault", ["lost-response", "500", "throttle", "duplicated"])
def test_a_fault_in_its_call_leaves_nothing_undone_and_nothing_done_twice(
    fault: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    aws.control("faults", [{"operation": UPDATE[0], "fault": fault, "times": 1}])
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    assert updates() == [("2", "Successful")]


def test_rolled_back_while_its_update_still_runs_it_waits_for_the_end_first(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 1, "after", only="update-version")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert updates() == [("2", "Successful"), ("1", "Successful")]
    assert tokens(aws) == {"optional"}


def test_an_update_of_somebody_else_is_waited_for_by_the_operator_not_by_us(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    client("eks").update_nodegroup_version(
        clusterName="shop", nodegroupName="batch", launchTemplate={"name": "batch", "version": "1"}
    )
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert told(stopped)["state"] == "failed"
    assert "EKS update" in told(stopped)["detail"]
    assert "running" in told(stopped)["detail"]
    aws.control("clock", {"advance_seconds": 6 * 3600})
    finished = operator.resume(stopped.json["run"])
    assert finished.code == 0, str(finished)
    assert tokens(aws) == {"required"}


def test_pods_that_cannot_be_evicted_stop_the_run_with_the_words_of_eks(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(more="eks_drainable = false"))
    old = set(running(aws))
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert told(stopped)["state"] == "rolled-back"
    assert "PodEvictionFailure" in told(stopped)["detail"]
    assert set(running(aws)) == old


def test_without_a_template_of_its_own_it_is_held_with_the_one_way_that_aws_has(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(more="eks_custom_template = false"))
    plan = operator.prepared()
    assert not changes_of(plan, "nodegroup-version")
    assert not changes_of(plan, "launch-template-version")
    (held,) = [h for h in plan["held"] if "/" in h["resource"]]
    assert held["status"] == "blocked"
    assert "Create a new node group with a launch template of your own" in held["reasons"][0]["fix"]
    explained = operator("explain", "batch").out
    assert "launch template made by EKS" in explained
    assert calls_of(aws, *UPDATE) == 0


def test_a_node_group_that_may_not_be_read_is_unknown_and_the_scan_incomplete(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    aws.control("faults", [{"operation": "DescribeNodegroup", "fault": "denied"}])
    scanned = operator.scan("--regions", "eu-west-1")
    assert scanned.code == 3
    (unread,) = scanned.json["unreadable"]
    assert unread["what"] == "nodegroups"
    assert "eks:DescribeNodegroup" in unread["why"]
    answer = operator("plan", "-f", str(operator.plan_file), "-o", "json")
    assert answer.code == 3, str(answer)
    plan = answer.json
    assert not changes_of(plan, "nodegroup-version")
    (held,) = [h for h in plan["held"] if "/" in h["resource"] and h["name"] == "eks-batch"]
    assert held["status"] == "unknown"
    assert "eks:DescribeNodegroup" in held["reasons"][0]["fix"]


def test_a_held_node_holds_the_node_group(operator: Operator, simulated_aws: Any) -> None:
    caller = '{ program = "old", behaviour = "v1-only" },'
    simulated_aws(fleet(caller=caller))
    plan = operator.prepared()
    assert not changes_of(plan, "nodegroup-version")
    (held,) = [h for h in plan["held"] if "/" in h["resource"]]
    assert held["status"] == "blocked"


def test_explain_says_whose_template_it_is(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(fleet())
    assert operator.scan("--regions", "eu-west-1").code == 0
    copied = "(EKS's copy of template batch version 1)"
    assert copied in " ".join(operator("explain", "eks-batch").out.split())
    for name in ("shop/batch", "eks-batch", min(running(aws))):
        assert "EKS managed node group batch (own launch template)" in operator("explain", name).out


def test_nodes_that_a_failed_update_left_behind_are_replaced_too(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet())
    old = set(running(aws))
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 1, "after", only="update-version")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    # One old node is gone for good when a new one falls ill.
    while len(old & set(running(aws))) == 3:
        aws.control("clock", {"advance_seconds": 20})
    client("autoscaling").set_instance_health(
        InstanceId=min(set(running(aws)) - old), HealthStatus="Unhealthy"
    )
    aws.control("clock", {"advance_seconds": 4 * 3600})
    assert updates() == [("2", "Failed")]
    assert version_in_use() == "1"
    assert tokens(aws) == {"optional", "required"}

    stopped = operator.resume(operator.run())
    assert stopped.code == 4, str(stopped)
    assert told(stopped)["state"] == "rolled-back"
    assert "NodeCreationFailure" in told(stopped)["detail"]
    assert updates() == [("2", "Failed"), ("1", "Successful")]
    assert tokens(aws) == {"optional"}
    assert len(running(aws)) == 3


def test_a_way_back_that_failed_can_be_tried_again(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    assert operator.apply().code == 0
    run = operator.run()
    with aws.world.lock:
        eks = nodegroups.backend("111111111111", "eu-west-1")
        record = nodegroups.record_of(eks.clusters["shop"].nodegroups["batch"])
    record.drainable = False
    stuck = operator("rollback", run, "--yes", "-o", "json")
    assert stuck.code == 4, str(stuck)
    assert "PodEvictionFailure" in told(stuck)["detail"]
    assert version_in_use() == "2"
    record.drainable = True
    back = operator("rollback", run, "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert updates() == [("2", "Successful"), ("1", "Failed"), ("1", "Successful")]
    assert tokens(aws) == {"optional"}
