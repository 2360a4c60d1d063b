"""Managed node groups of the simulated EKS, asked by boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "node"
[[account.region.launch_template]]
name = "workers"
[[account.region.launch_template.version]]
image = "node"
options = {{ http_tokens = "optional", http_put_response_hop_limit = 2 }}
[[account.region.launch_template.version]]
image = "node"
options = {{ http_tokens = "required", http_put_response_hop_limit = 2 }}
[[account.region.auto_scaling_group]]
name = "eks-workers"
launch_template = "workers"
version = "1"
size = 4
tags = {{ "eks:cluster-name" = "shop" }}
eks_nodegroup = "workers"
{more}
[[account]]
id = "222222222222"
[[account.region]]
name = "eu-west-1"
denied = true
"""
QUIET = 'callers = [{ program = "agent", behaviour = "v2", container = "bridge" }]'
BOOT_CALLER = 'callers = [{ program = "register", behaviour = "v1-only", when = "boot" }]'
NODES = {"clusterName": "shop", "nodegroupName": "workers"}


def nodegroup(boto: MakeClient) -> Any:
    return boto("eks").describe_nodegroup(**NODES)["nodegroup"]


def update_to(boto: MakeClient, version: str, **more: Any) -> Any:
    spec = {"name": "workers", "version": version}
    return boto("eks").update_nodegroup_version(**NODES, launchTemplate=spec, **more)["update"]


def state_of(boto: MakeClient, update: Any) -> Any:
    asked = {"name": "shop", "nodegroupName": "workers", "updateId": update["id"]}
    return boto("eks").describe_update(**asked)["update"]


def nodes(boto: MakeClient) -> dict[str, str]:
    """The group's instances with their tokens."""
    rows = boto("ec2").describe_instances(
        Filters=[
            {"Name": "tag:aws:autoscaling:groupName", "Values": ["eks-workers"]},
            {"Name": "instance-state-name", "Values": ["running", "pending"]},
        ]
    )["Reservations"]
    return {
        i["InstanceId"]: i["MetadataOptions"]["HttpTokens"] for r in rows for i in r["Instances"]
    }


def group(boto: MakeClient) -> Any:
    (found,) = boto("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return found


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def hours(aws: Any, number: float) -> None:
    aws.control("clock", {"advance_seconds": number * 3600})


def test_a_node_group_is_described_with_its_own_template_and_launches_from_a_copy(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET.format(more=QUIET))
    eks, ec2 = boto("eks"), boto("ec2")
    assert eks.list_clusters()["clusters"] == ["shop"]
    assert eks.list_nodegroups(clusterName="shop")["nodegroups"] == ["workers"]
    assert eks.describe_cluster(name="shop")["cluster"]["status"] == "ACTIVE"
    found = nodegroup(boto)
    images = ec2.describe_images(Filters=[{"Name": "name", "Values": ["node"]}])["Images"]
    image = images[0]["ImageId"]
    own = ec2.describe_launch_templates(LaunchTemplateNames=["workers"])["LaunchTemplates"][0]
    assert found["launchTemplate"] == {
        "id": own["LaunchTemplateId"],
        "name": "workers",
        "version": "1",
    }
    assert found["resources"]["autoScalingGroups"] == [{"name": "eks-workers"}]
    assert found["releaseVersion"] == image
    assert (found["status"], found["amiType"]) == ("ACTIVE", "CUSTOM")
    assert found["updateConfig"] == {"maxUnavailable": 1}
    launched = group(boto)["LaunchTemplate"]
    assert launched["LaunchTemplateName"].startswith("eks-")
    (copy,) = ec2.describe_launch_template_versions(
        LaunchTemplateId=launched["LaunchTemplateId"], Versions=[launched["Version"]]
    )["LaunchTemplateVersions"]
    (source,) = ec2.describe_launch_template_versions(LaunchTemplateName="workers", Versions=["1"])[
        "LaunchTemplateVersions"
    ]
    assert copy["LaunchTemplateData"] == source["LaunchTemplateData"]


def test_without_a_template_of_its_own_there_is_nothing_to_update_it_to(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET.format(more=f"eks_custom_template = false\n{QUIET}"))
    assert "launchTemplate" not in nodegroup(boto)
    assert group(boto)["LaunchTemplate"]["LaunchTemplateName"] == "workers"
    spec = {"name": "workers", "version": "2"}
    call = boto("eks").update_nodegroup_version
    assert refusal(call, **NODES, launchTemplate=spec) == "InvalidRequestException"


def test_an_update_replaces_every_node_and_never_has_fewer_than_before(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=QUIET))
    before = nodes(boto)
    sizes = {key: group(boto)[key] for key in ("MinSize", "MaxSize", "DesiredCapacity")}
    update = update_to(boto, "2")
    assert (update["status"], update["type"]) == ("InProgress", "VersionUpdate")
    told = {one["type"]: one["value"] for one in update["params"]}
    assert told["LaunchTemplateVersion"] == "2"
    assert nodegroup(boto)["status"] == "UPDATING"
    fewest = len(before)
    while state_of(boto, update)["status"] == "InProgress":
        hours(aws, 0.01)
        fewest = min(fewest, len(nodes(boto)))
    assert state_of(boto, update)["status"] == "Successful"
    after = nodes(boto)
    assert len(after) == fewest == 4
    assert not set(after) & set(before)
    assert set(after.values()) == {"required"}
    assert nodegroup(boto)["status"] == "ACTIVE"
    assert nodegroup(boto)["launchTemplate"]["version"] == "2"
    assert {key: group(boto)[key] for key in sizes} == sizes
    (listed,) = boto("eks").list_updates(name="shop", nodegroupName="workers")["updateIds"]
    assert listed == update["id"]
    # And back, to another copy of the first version.
    back = update_to(boto, "1")
    hours(aws, 3)
    assert state_of(boto, back)["status"] == "Successful"
    assert set(nodes(boto).values()) == {"optional"}
    assert group(boto)["LaunchTemplate"]["Version"] == "3"


def test_nodes_may_go_several_at_a_time_and_old_ones_first(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=QUIET))
    settings = {"maxUnavailablePercentage": 50, "updateStrategy": "MINIMAL"}
    boto("eks").update_nodegroup_config(**NODES, updateConfig=settings)
    update = update_to(boto, "2")
    most, least = 4, 4
    while state_of(boto, update)["status"] == "InProgress":
        hours(aws, 0.01)
        most, least = max(most, len(nodes(boto))), min(least, len(nodes(boto)))
    assert state_of(boto, update)["status"] == "Successful"
    assert most == 4
    assert set(nodes(boto).values()) == {"required"}


def test_only_another_version_of_the_same_template_is_accepted(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET.format(more=QUIET))
    call, ec2 = boto("eks").update_nodegroup_version, boto("ec2")
    own = nodegroup(boto)["launchTemplate"]
    for spec, code in (
        ({"name": "other", "version": "1"}, "InvalidParameterException"),
        ({"id": "lt-0", "version": "1"}, "InvalidParameterException"),
        ({**own, "version": "2"}, "InvalidParameterException"),
        ({"name": "workers", "version": "9"}, "InvalidRequestException"),
    ):
        assert refusal(call, **NODES, launchTemplate=spec) == code
    profile = {"IamInstanceProfile": {"Name": "node"}}
    ec2.create_launch_template_version(
        LaunchTemplateName="workers", SourceVersion="2", LaunchTemplateData=profile
    )
    spec = {"name": "workers", "version": "3"}
    assert refusal(call, **NODES, launchTemplate=spec) == "InvalidRequestException"
    gone = {"clusterName": "shop", "nodegroupName": "gone"}
    assert refusal(call, **gone, launchTemplate=spec) == "ResourceNotFoundException"
    gone = {"clusterName": "gone", "nodegroupName": "workers"}
    assert refusal(call, **gone, launchTemplate=spec) == "ResourceNotFoundException"
    assert refusal(boto("eks").list_nodegroups, clusterName="gone") == "ResourceNotFoundException"


def test_the_same_request_token_is_the_same_update_and_another_one_has_to_wait(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=QUIET))
    first = update_to(boto, "2", clientRequestToken="one")
    assert update_to(boto, "2", clientRequestToken="one")["id"] == first["id"]
    call = boto("eks").update_nodegroup_version
    spec = {"name": "workers", "version": "1"}
    assert refusal(call, **NODES, launchTemplate=spec) == "ResourceInUseException"
    hours(aws, 3)
    assert update_to(boto, "2", clientRequestToken="one")["id"] == first["id"]
    changed = {"launchTemplate": spec, "clientRequestToken": "one"}
    assert refusal(call, **NODES, **changed) == "InvalidRequestException"


def test_nodes_that_never_become_healthy_fail_the_update_and_are_taken_back(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=BOOT_CALLER))
    before = nodes(boto)
    update = update_to(boto, "2")
    hours(aws, 2)
    ended = state_of(boto, update)
    assert ended["status"] == "Failed"
    assert [one["errorCode"] for one in ended["errors"]] == ["NodeCreationFailure"]
    assert nodes(boto) == before
    assert nodegroup(boto)["launchTemplate"]["version"] == "1"
    assert nodegroup(boto)["status"] == "ACTIVE"
    assert group(boto)["DesiredCapacity"] == 4


def test_pods_that_may_not_be_evicted_fail_it_unless_it_is_forced(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=f"eks_drainable = false\n{QUIET}"))
    before = nodes(boto)
    update = update_to(boto, "2")
    hours(aws, 2)
    assert [e["errorCode"] for e in state_of(boto, update)["errors"]] == ["PodEvictionFailure"]
    assert nodes(boto) == before
    forced = update_to(boto, "2", force=True)
    hours(aws, 3)
    assert state_of(boto, forced)["status"] == "Successful"
    assert set(nodes(boto).values()) == {"required"}


def test_an_update_of_a_node_group_that_is_deleted_comes_to_nothing(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=QUIET))
    update_to(boto, "2")
    boto("eks").delete_nodegroup(**NODES)
    boto("eks").delete_cluster(name="shop")
    hours(aws, 3)
    assert set(nodes(boto).values()) == {"optional"}
    assert refusal(boto("eks").describe_nodegroup, **NODES) == "ResourceNotFoundException"


def test_rest_calls_are_counted_disturbed_and_refused_by_the_names_of_their_operations(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET.format(more=QUIET))
    nodegroup(boto)
    call = boto("eks").describe_nodegroup
    for fault, code in (
        ("throttle", "ThrottlingException"),
        ("denied", "AccessDeniedException"),
        ("500", "InternalError"),
    ):
        aws.control(
            "faults", [{"operation": "DescribeNodegroup", "region": "eu-west-1", "fault": fault}]
        )
        assert refusal(call, **NODES) == code
        assert boto("eks").list_clusters()["clusters"] == ["shop"]
    aws.control("faults", [])
    rows = {row["operation"]: row["count"] for row in aws.control("calls")["calls"]}
    assert rows == {"DescribeNodegroup": 4, "ListClusters": 3}
    other = boto("eks", account="222222222222")
    with pytest.raises(ClientError, match="eks:DescribeNodegroup"):
        other.describe_nodegroup(**NODES)
