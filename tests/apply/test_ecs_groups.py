"""Groups of ECS capacity providers: nobody's tasks are killed without a word."""

from typing import Any

from whole_run import Operator, changes_of, client, instances

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "ecs"
[[account.region.launch_template.version]]
image = "golden"
options = {{ http_tokens = "optional"{hop} }}
[[account.region.auto_scaling_group]]
name = "ecs"
launch_template = "ecs"
version = "1"
size = 3
replaced_per_day = {replaced}
ecs_cluster = "main"
{ecs}
callers = [{{ program = "ecs-agent", behaviour = "v2", container = "host" }}]
"""
REFRESH = '[plan]\nexisting = "refresh"\n'
OFF = "ecs_managed_draining = false"
PROTECTED = "ecs_managed_termination_protection = true"


def fleet(ecs: str = "", *, replaced: float = 1, hop: int | None = None) -> str:
    limit = f", http_put_response_hop_limit = {hop}" if hop else ""
    return FLEET.format(ecs=ecs, replaced=replaced, hop=limit)


def tokens(aws: Any) -> set[str]:
    found = instances(aws, "ecs").values()
    return {one["options"]["http_tokens"] for one in found if one["state"] == "running"}


def registered() -> set[str]:
    ecs = client("ecs")
    arns = ecs.list_container_instances(cluster="main")["containerInstanceArns"]
    described = ecs.describe_container_instances(cluster="main", containerInstances=arns)
    return {one["ec2InstanceId"] for one in described["containerInstances"]}


def test_in_place_is_the_way_that_moves_no_task(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(fleet(OFF))
    before = registered()
    plan = operator.prepared()
    assert not changes_of(plan, "instance-refresh")
    (created,) = changes_of(plan, "launch-template-version")
    assert created["after"]["options"]["http_put_response_hop_limit"] == 2, "for bridge mode"
    assert operator.apply().code == 0
    assert tokens(aws) == {"required"}
    assert registered() == before, "the same container instances"
    assert operator("verify", "-o", "json").code == 0
    assert operator("rollback", operator.run(), "--yes").code == 0
    assert tokens(aws) == {"optional"}


def test_without_managed_draining_a_wished_for_refresh_becomes_a_change_in_place(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(fleet(OFF))
    operator.settings(REFRESH)
    plan = operator.prepared()
    assert not changes_of(plan, "instance-refresh")
    in_place = changes_of(plan, "instance-options")
    assert len(in_place) == 3
    assert "ECS would not move tasks off" in in_place[0]["notes"][0]
    told = " ".join(operator("show", str(operator.plan_file)).out.split())
    assert "managedDraining of capacity provider ecs is not ENABLED" in told


def test_with_managed_draining_the_group_is_refreshed_like_any_other(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    before = registered()
    operator.settings(REFRESH)
    plan = operator.prepared()
    (refresh,) = changes_of(plan, "instance-refresh")
    assert not any("ECS" in note for note in refresh["notes"])
    assert operator.apply().code == 0
    assert tokens(aws) == {"required"}
    assert not registered() & before
    assert len(registered()) == 3


def test_a_refresh_that_has_to_prove_a_boot_says_that_nobody_drains(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(fleet(OFF, replaced=0))
    plan = operator.prepared()
    (refresh,) = changes_of(plan, "instance-refresh")
    (note,) = [n for n in refresh["notes"] if "UpdateContainerInstancesState" in n]
    assert "does not move tasks off an instance before it is terminated" in note
    told = " ".join(operator("show", str(operator.plan_file)).out.split())
    assert "! ecs: ECS does not move tasks off an instance" in told


def test_managed_termination_protection_wants_a_word_on_protected_instances(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(PROTECTED, replaced=0))
    plan = operator.prepared()
    assert not changes_of(plan, "instance-refresh")
    (held,) = [h for h in plan["held"] if h["resource"] == "ecs/ecs:1"]
    assert held["reasons"][0]["rule"] == "refresh-replaces-nobody"

    operator.settings('[refresh]\nprotected = "Refresh"\n')
    plan = operator.plan()
    (refresh,) = changes_of(plan, "instance-refresh")
    assert any("Managed termination protection" in note for note in refresh["notes"])
    assert operator.apply().code == 0
    assert tokens(aws) == {"required"}
    # Replacements are born protected, and a rollback replaces them all the same.
    assert operator("rollback", operator.run(), "--yes").code == 0
    assert tokens(aws) == {"optional"}


def test_a_hop_limit_of_one_that_was_chosen_stays_and_is_said_loudly(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(fleet(hop=1))
    plan = operator.prepared()
    (created,) = changes_of(plan, "launch-template-version")
    assert created["after"]["options"]["http_put_response_hop_limit"] == 1
    assert "Hop limit 1 was chosen and stays" in created["notes"][0]
    told = " ".join(operator("show", str(operator.plan_file)).out.split())
    assert "! ecs: Hop limit 1 was chosen and stays" in told


def test_where_capacity_providers_cannot_be_read_it_is_not_taken_for_drained(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(replaced=0))
    aws.control("faults", [{"operation": "DescribeCapacityProviders", "fault": "denied"}])
    assert operator.scan("--regions", "eu-west-1").code == 3
    answer = operator("plan", "-o", "json")
    assert answer.code == 3, str(answer)
    (refresh,) = changes_of(answer.json, "instance-refresh")
    assert any("could not be read" in note for note in refresh["notes"])
