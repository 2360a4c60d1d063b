"""Seeding: a fleet file's groups, and the history they come with."""

from datetime import UTC, datetime, timedelta

import pytest
from conftest import MakeClient, StartAws

from imdsctl.simulator.seed_autoscaling import history

FLEET = """
start = 2026-11-01T00:00:00Z
history_days = 10

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.image]]
name = "golden"

[[account.region.launch_template]]
name = "web"

[[account.region.launch_template.version]]
options = { http_tokens = "optional" }

[[account.region.launch_configuration]]
name = "bare"

[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 4
replaced_per_day = 2
tags = { env = "prod" }
callers = [{ program = "boot-script", behaviour = "v1-only", when = "boot" }]

[[account.region.auto_scaling_group]]
name = "still"
launch_configuration = "bare"
size = 3

[[account.region.auto_scaling_group]]
name = "workers"
launch_template = "web"
eks_nodegroup = "workers"

[[account.region.auto_scaling_group]]
name = "tasks"
launch_template = "web"
ecs_cluster = "shop"

[[account]]
id = "222222222222"

[[account.region]]
name = "us-east-1"

[[account.region.launch_configuration]]
name = "bare"

[[account.region.auto_scaling_group]]
name = "web"
launch_configuration = "bare"
"""

START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "per_day", "days"), [(1, 1, 10), (4, 2, 10), (3, 0.5, 30), (2, 24, 7), (40, 2, 30)]
)
def test_a_group_has_its_size_at_every_moment_of_its_history(
    size: int, per_day: float, days: int
) -> None:
    since = START - timedelta(days=days)
    stays = list(history(size, per_day, START, since))
    replaced = [s for s in stays if s.terminated_at is not None]
    assert len(replaced) == int(per_day * days)
    for hours in range(0, days * 24, 5):
        moment = since + timedelta(hours=hours)
        alive = [
            s
            for s in stays
            if s.launched_at <= moment and (s.terminated_at is None or s.terminated_at > moment)
        ]
        assert len(alive) == size
    assert all(s.launched_at < START for s in stays)


def test_where_nothing_is_replaced_all_are_of_one_age() -> None:
    (only,) = history(7, 0, START, START - timedelta(days=14))
    assert (only.count, only.terminated_at) == (7, None)
    assert only.launched_at < START - timedelta(days=14)


def test_replaced_instances_live_on_in_activities_and_metrics(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    asg, ec2, metrics = boto("autoscaling"), boto("ec2"), boto("cloudwatch")
    activities = [
        activity
        for page in asg.get_paginator("describe_scaling_activities").paginate(
            AutoScalingGroupName="web", PaginationConfig={"PageSize": 7}
        )
        for activity in page["Activities"]
    ]
    begun = [a["StartTime"] for a in activities]
    assert begun == sorted(begun, reverse=True)
    ended = {
        a["Description"].split()[-1] for a in activities if a["Description"].startswith("Term")
    }
    assert len(ended) == 20
    (group,) = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
    present = {i["InstanceId"] for i in group["Instances"]}
    assert len(present) == 4
    assert not ended & present
    seen = ec2.describe_instances(Filters=[{"Name": "tag:env", "Values": ["prod"]}])["Reservations"]
    assert {i["InstanceId"] for r in seen for i in r["Instances"]} == present
    launches = [i["LaunchTime"] for r in seen for i in r["Instances"]]
    assert min(launches) >= START - timedelta(days=2)

    def v1_calls(instance_id: str) -> float:
        answer = metrics.get_metric_data(
            StartTime=START - timedelta(days=10),
            EndTime=START,
            MetricDataQueries=[
                {
                    "Id": "q",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/EC2",
                            "MetricName": "MetadataNoToken",
                            "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
                        },
                        "Period": 86400,
                        "Stat": "Sum",
                    },
                }
            ],
        )
        return float(sum(answer["MetricDataResults"][0]["Values"]))

    youngest_gone = max(ended, key=lambda i: aws.world.lives[i].launched_at)
    assert v1_calls(youngest_gone) > 0


def test_a_configuration_without_an_image_still_bears_instances(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    groups = boto("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {g["AutoScalingGroupName"]: len(g["Instances"]) for g in groups} == {
        "still": 3,
        "tasks": 1,
        "web": 4,
        "workers": 1,
    }
    other = boto("autoscaling", "us-east-1", account="222222222222")
    assert len(other.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]) == 1


def test_node_groups_and_clusters_show_in_the_tags(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    found = boto("ec2").describe_instances()["Reservations"]
    tags = [{t["Key"]: t["Value"] for t in i["Tags"]} for r in found for i in r["Instances"]]
    (node,) = (t for t in tags if "eks:nodegroup-name" in t)
    assert node["eks:nodegroup-name"] == "workers"
    assert node["kubernetes.io/cluster/main"] == "owned"
    (task,) = (t for t in tags if "AmazonECSManaged" in t)
    assert task["aws:ecs:clusterName"] == "shop"
