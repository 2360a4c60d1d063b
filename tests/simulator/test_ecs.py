"""Capacity providers and container instances of the groups of a fleet file, by boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws

HEAD = """
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.launch_template]]
name = "ecs"
[[account.region.launch_template.version]]
"""
GROUP = """
[[account.region.auto_scaling_group]]
name = "{name}"
launch_template = "ecs"
size = 2
ecs_cluster = "main"
{more}
"""


def fleet(*names: str, more: str = "") -> str:
    return HEAD + "".join(GROUP.format(name=name, more=more) for name in names)


def provider(ecs: Any, name: str) -> dict[str, Any]:
    (found,) = ecs.describe_capacity_providers(capacityProviders=[name])["capacityProviders"]
    return dict(found["autoScalingGroupProvider"])


def test_without_names_all_are_described_ten_to_a_page(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(fleet(*(f"g{number:02}" for number in range(12))))
    ecs = boto("ecs")
    first = ecs.describe_capacity_providers()
    assert len(first["capacityProviders"]) == 10
    second = ecs.describe_capacity_providers(nextToken=first["nextToken"])
    assert "nextToken" not in second
    names = [p["name"] for answer in (first, second) for p in answer["capacityProviders"]]
    assert names == ["FARGATE", "FARGATE_SPOT", *(f"g{number:02}" for number in range(12))]
    with pytest.raises(ClientError, match="maxResults must be between"):
        ecs.describe_capacity_providers(maxResults=11)


def test_a_provider_names_its_group_and_says_whether_it_drains(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(fleet("tasks", more="ecs_managed_draining = false"))
    ecs, asg = boto("ecs"), boto("autoscaling")
    (group,) = asg.describe_auto_scaling_groups()["AutoScalingGroups"]
    said = provider(ecs, "tasks")
    assert said["autoScalingGroupArn"] == group["AutoScalingGroupARN"]
    assert said["managedDraining"] == "DISABLED"
    ecs.update_capacity_provider(
        name="tasks", autoScalingGroupProvider={"managedDraining": "ENABLED"}
    )
    assert provider(ecs, "tasks")["managedDraining"] == "ENABLED"
    answer = ecs.describe_capacity_providers(capacityProviders=["nobody"])
    assert answer["failures"][0]["reason"] == "MISSING"


def test_termination_protection_protects_present_and_new_instances(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(fleet("tasks", more="ecs_managed_termination_protection = true"))
    aws.control(
        "scale", {"asg": "tasks", "account": "111111111111", "region": "eu-west-1", "by": 1}
    )
    (group,) = boto("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert [i["ProtectedFromScaleIn"] for i in group["Instances"]] == [True] * 3


def test_the_members_of_the_group_are_the_container_instances_of_the_cluster(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(fleet("tasks"))
    ecs, asg = boto("ecs"), boto("autoscaling")

    def registered() -> set[str]:
        arns = ecs.list_container_instances(cluster="main")["containerInstanceArns"]
        described = ecs.describe_container_instances(cluster="main", containerInstances=arns)
        return {one["ec2InstanceId"] for one in described["containerInstances"]}

    def members() -> set[str]:
        (group,) = asg.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {i["InstanceId"] for i in group["Instances"]}

    before = members()
    assert registered() == before
    asg.terminate_instance_in_auto_scaling_group(
        InstanceId=min(before), ShouldDecrementDesiredCapacity=False
    )
    aws.control("clock", {"advance_seconds": 60})
    assert registered() == members() != before
    (cluster,) = ecs.describe_clusters(clusters=["main"])["clusters"]
    assert cluster["registeredContainerInstancesCount"] == 2
    assert cluster["capacityProviders"] == ["tasks"]
