"""Auto Scaling on the wire: what new instances are born with, lists, activities, failures."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws

FLEET = """
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.image]]
name = "golden"

[[account.region.launch_template]]
name = "web"
default = 2

[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }

[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "required", http_put_response_hop_limit = 2 }

[[account.region.launch_template.version]]
image = "golden"

[[account.region.launch_configuration]]
name = "old"
image = "golden"
options = { http_tokens = "required" }

[[account.region.auto_scaling_group]]
name = "pinned"
launch_template = "web"
version = "1"
size = 2
callers = [{ program = "agent", behaviour = "v1-only", per_hour = 60 }]

[[account.region.auto_scaling_group]]
name = "default"
launch_template = "web"
version = "$Default"

[[account.region.auto_scaling_group]]
name = "latest"
launch_template = "web"
version = "$Latest"

[[account.region.auto_scaling_group]]
name = "configured"
launch_configuration = "old"
"""

WHERE = {"account": "111111111111", "region": "eu-west-1"}


def group(asg: Any, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    return found[0]


def options(ec2: Any, instance_id: str) -> tuple[str, int]:
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return (
        found["MetadataOptions"]["HttpTokens"],
        found["MetadataOptions"]["HttpPutResponseHopLimit"],
    )


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as problem:
        call(**parameters)
    return str(problem.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("name", "born", "origin"),
    [
        ("pinned", ("optional", 1), "1"),
        ("default", ("required", 2), "2"),
        ("latest", ("optional", 1), "3"),
        ("configured", ("required", 1), "old"),
    ],
)
def test_an_instance_is_born_with_what_its_group_launches_today(
    simulated_aws: StartAws,
    boto: MakeClient,
    name: str,
    born: tuple[str, int],
    origin: str,
) -> None:
    aws, ec2, asg = simulated_aws(FLEET), boto("ec2"), boto("autoscaling")
    (new,) = aws.control("scale", {"asg": name, **WHERE})["instances"]
    assert options(ec2, new) == born
    item = next(i for i in group(asg, name)["Instances"] if i["InstanceId"] == new)
    known = item.get("LaunchTemplate", {}).get("Version") or item["LaunchConfigurationName"]
    assert known == origin
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [new]}])["Tags"]
    assert {"aws:autoscaling:groupName": name}.items() <= {
        t["Key"]: t["Value"] for t in tags
    }.items()


def test_the_accounts_default_decides_where_the_template_says_nothing(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2 = simulated_aws(FLEET), boto("ec2")
    ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=3)
    (new,) = aws.control("scale", {"asg": "latest", **WHERE})["instances"]
    assert options(ec2, new) == ("required", 3)


def test_an_update_changes_births_and_leaves_the_living(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2, asg = simulated_aws(FLEET), boto("ec2"), boto("autoscaling")
    old = group(asg, "pinned")["Instances"]
    template = group(asg, "pinned")["LaunchTemplate"]["LaunchTemplateId"]
    asg.update_auto_scaling_group(
        AutoScalingGroupName="pinned",
        LaunchTemplate={"LaunchTemplateId": template, "Version": "2"},
    )
    assert group(asg, "pinned")["LaunchTemplate"]["Version"] == "2"
    assert [options(ec2, i["InstanceId"]) for i in old] == [("optional", 1)] * 2
    (new,) = aws.control("scale", {"asg": "pinned", **WHERE})["instances"]
    assert options(ec2, new) == ("required", 2)
    versions = {
        i["InstanceId"]: i["LaunchTemplate"]["Version"] for i in group(asg, "pinned")["Instances"]
    }
    assert sorted(versions.values()) == ["1", "1", "2"]
    assert versions[new] == "2"


@pytest.mark.parametrize("version", ["$Default", "$Latest", "2"])
def test_a_version_is_kept_as_it_was_given(
    simulated_aws: StartAws, boto: MakeClient, version: str
) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling")
    asg.update_auto_scaling_group(
        AutoScalingGroupName="configured",
        LaunchTemplate={"LaunchTemplateName": "web", "Version": version},
    )
    after = group(asg, "configured")
    assert after["LaunchTemplate"]["Version"] == version
    assert "LaunchConfigurationName" not in after


def test_a_version_that_does_not_exist_is_refused(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling")
    for spec in (
        {"LaunchTemplateName": "web", "Version": "9"},
        {"LaunchTemplateName": "gone", "Version": "1"},
    ):
        call = asg.update_auto_scaling_group
        assert (
            refused(call, AutoScalingGroupName="pinned", LaunchTemplate=spec) == "ValidationError"
        )
    assert group(asg, "pinned")["LaunchTemplate"]["Version"] == "1"


def test_a_refused_launch_is_a_failed_activity_and_is_tried_again(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2, asg = simulated_aws(FLEET), boto("ec2"), boto("autoscaling")
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    assert aws.control("scale", {"asg": "pinned", **WHERE})["instances"] == []
    newest = asg.describe_scaling_activities(AutoScalingGroupName="pinned")["Activities"][0]
    assert newest["StatusCode"] == "Failed"
    assert "httpTokensEnforced is enabled" in newest["StatusMessage"]
    assert len(group(asg, "pinned")["Instances"]) == 2
    asg.update_auto_scaling_group(
        AutoScalingGroupName="pinned",
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"},
    )
    aws.control("clock", {"advance_seconds": 600})
    assert len(group(asg, "pinned")["Instances"]) == 3


def test_overrides_of_a_mixed_policy_have_templates_of_their_own(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    asg, ec2 = boto("autoscaling"), boto("ec2")
    web = {"LaunchTemplateName": "web", "Version": "1"}
    asg.create_auto_scaling_group(
        AutoScalingGroupName="mixed",
        MinSize=0,
        MaxSize=6,
        DesiredCapacity=4,
        AvailabilityZones=["eu-west-1a"],
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": web,
                "Overrides": [
                    {"InstanceType": "m5.large"},
                    {
                        "InstanceType": "c5.large",
                        "LaunchTemplateSpecification": {**web, "Version": "2"},
                    },
                ],
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": 1,
                "OnDemandPercentageAboveBaseCapacity": 0,
            },
        },
    )
    found = group(asg, "mixed")
    assert "LaunchTemplate" not in found
    overrides = found["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    assert [o["InstanceType"] for o in overrides] == ["m5.large", "c5.large"]
    born = [
        (
            i["InstanceType"],
            i["LaunchTemplate"]["Version"],
            options(ec2, i["InstanceId"])[0],
        )
        for i in found["Instances"]
    ]
    assert sorted(born) == [
        ("c5.large", "2", "required"),
        ("m5.large", "1", "optional"),
        ("m5.large", "1", "optional"),
        ("m5.large", "1", "optional"),
    ]
    reservations = ec2.describe_instances(
        Filters=[{"Name": "instance-lifecycle", "Values": ["spot"]}]
    )["Reservations"]
    assert sum(len(r["Instances"]) for r in reservations) == 3
    asg.update_auto_scaling_group(AutoScalingGroupName="mixed", MaxSize=7)
    assert "MixedInstancesPolicy" in group(asg, "mixed")


def test_groups_come_in_pages(simulated_aws: StartAws, boto: MakeClient) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling")
    pages = list(
        asg.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 3})
    )
    assert [len(p["AutoScalingGroups"]) for p in pages] == [3, 1]
    names = [g["AutoScalingGroupName"] for p in pages for g in p["AutoScalingGroups"]]
    assert names == ["configured", "default", "latest", "pinned"]
    assert refused(asg.describe_auto_scaling_groups, MaxRecords=101) == "ValidationError"
    assert refused(asg.describe_auto_scaling_groups, NextToken="nonsense") == "InvalidNextToken"


def test_launch_configurations_show_their_options_and_cannot_be_replaced(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling")
    (only,) = asg.describe_launch_configurations()["LaunchConfigurations"]
    assert only["MetadataOptions"] == {"HttpTokens": "required"}
    create = asg.create_launch_configuration
    what = {"ImageId": only["ImageId"], "InstanceType": "m5.large"}
    assert refused(create, LaunchConfigurationName="old", **what) == "AlreadyExists"
    for number in range(4):
        create(LaunchConfigurationName=f"new-{number}", **what)
    first = asg.describe_launch_configurations(MaxRecords=3)
    second = asg.describe_launch_configurations(MaxRecords=3, NextToken=first["NextToken"])
    assert len(first["LaunchConfigurations"]) == 3
    assert len(second["LaunchConfigurations"]) == 2
    assert "NextToken" not in second
    delete = asg.delete_launch_configuration
    assert refused(delete, LaunchConfigurationName="old") == "ResourceInUse"


def test_an_instance_whose_vital_program_is_cut_off_is_unhealthy_and_stays(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2, asg = simulated_aws(FLEET), boto("ec2"), boto("autoscaling")
    first, second = (i["InstanceId"] for i in group(asg, "pinned")["Instances"])
    ec2.modify_instance_metadata_options(InstanceId=first, HttpTokens="required")
    aws.control("clock", {"advance_seconds": 600})
    health = {i["InstanceId"]: i["HealthStatus"] for i in group(asg, "pinned")["Instances"]}
    assert health == {first: "Unhealthy", second: "Healthy"}
    rows = asg.describe_auto_scaling_instances(InstanceIds=[first])["AutoScalingInstances"]
    assert rows[0]["HealthStatus"] == "UNHEALTHY"


def test_a_terminated_instance_is_replaced(simulated_aws: StartAws, boto: MakeClient) -> None:
    simulated_aws(FLEET)
    ec2, asg = boto("ec2"), boto("autoscaling")
    before = [i["InstanceId"] for i in group(asg, "pinned")["Instances"]]
    ec2.terminate_instances(InstanceIds=before[:1])
    after = [i["InstanceId"] for i in group(asg, "pinned")["Instances"]]
    assert len(after) == 2
    assert after[0] == before[1]
    kinds = [
        a["Description"].split(":")[0]
        for a in asg.describe_scaling_activities(AutoScalingGroupName="pinned")["Activities"]
    ]
    assert sorted(kinds[:2]) == ["Launching a new EC2 instance", "Terminating EC2 instance"]


def test_capacity_is_kept_to_and_scaling_in_takes_the_oldest(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2, asg = simulated_aws(FLEET), boto("ec2"), boto("autoscaling")
    oldest = group(asg, "pinned")["Instances"][0]["InstanceId"]
    call = asg.set_desired_capacity
    assert refused(call, AutoScalingGroupName="pinned", DesiredCapacity=99) == "ValidationError"
    call(AutoScalingGroupName="pinned", DesiredCapacity=1)
    assert oldest not in {i["InstanceId"] for i in group(asg, "pinned")["Instances"]}
    state = ec2.describe_instances(InstanceIds=[oldest])["Reservations"][0]["Instances"][0]["State"]
    assert state["Name"] == "terminated"
    assert aws.world.lives[oldest].terminated_at is not None
    assert refused(asg.delete_auto_scaling_group, AutoScalingGroupName="pinned") == "ResourceInUse"
    asg.delete_auto_scaling_group(AutoScalingGroupName="pinned", ForceDelete=True)
    call = asg.describe_scaling_activities
    assert refused(call, AutoScalingGroupName="pinned") == "ValidationError"
    kept = call(AutoScalingGroupName="pinned", IncludeDeletedGroups=True)["Activities"]
    assert {a["AutoScalingGroupState"] for a in kept} == {"Deleted"}


def test_scaled_out_instances_have_their_groups_callers(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    asg.update_auto_scaling_group(
        AutoScalingGroupName="pinned",
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"},
    )
    (new,) = aws.control("scale", {"asg": "pinned", **WHERE})["instances"]
    aws.control("clock", {"advance_seconds": 600})
    truth = aws.control("truth")["instances"][new]
    assert truth["callers"][0]["program"] == "agent"
    assert [c["program"] for c in truth["cut_off"]] == ["agent"]
    assert truth["rejected_calls"] > 0


def test_a_group_made_through_the_api_can_bring_callers_in_a_tag(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    boto("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="mine",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        AvailabilityZones=["eu-west-1a"],
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "1"},
        Tags=[
            {
                "Key": "imdsctl:callers",
                "Value": '[{"program": "cron", "behaviour": "v1-only"}]',
                "PropagateAtLaunch": True,
            }
        ],
    )
    (mine,) = (i for i in aws.control("truth")["instances"].values() if i["asg"] == "mine")
    assert [c["program"] for c in mine["callers"]] == ["cron"]
    assert mine["safe_now"] is False
