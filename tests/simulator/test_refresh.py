"""Instance refresh: batches in simulated time, what ends it, and the way back."""

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

[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }

[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "required", http_put_response_hop_limit = 2 }

[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 10
callers = [{ program = "sdk", behaviour = "v2" }]

[[account.region.auto_scaling_group]]
name = "fragile"
launch_template = "web"
version = "1"
size = 4
callers = [{ program = "user-data", behaviour = "v1-only", when = "boot" }]

[[account.region.auto_scaling_group]]
name = "floating"
launch_template = "web"
version = "$Default"
size = 2
"""

V2 = {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "2"}}


def start(asg: Any, name: str = "web", **more: Any) -> str:
    request: dict[str, Any] = {"DesiredConfiguration": V2, **more}
    request = {key: value for key, value in request.items() if value is not None}
    answer = asg.start_instance_refresh(AutoScalingGroupName=name, **request)
    return str(answer["InstanceRefreshId"])


def latest(asg: Any, name: str = "web") -> dict[str, Any]:
    found: list[dict[str, Any]] = asg.describe_instance_refreshes(AutoScalingGroupName=name)[
        "InstanceRefreshes"
    ]
    return found[0]


def instances(asg: Any, name: str = "web") -> list[dict[str, Any]]:
    answer = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    found: list[dict[str, Any]] = answer["AutoScalingGroups"][0]["Instances"]
    return found


def versions(asg: Any, name: str = "web") -> list[str]:
    return sorted(i["LaunchTemplate"]["Version"] for i in instances(asg, name))


def own_version(asg: Any, name: str = "web") -> str:
    answer = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return str(answer["AutoScalingGroups"][0]["LaunchTemplate"]["Version"])


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as problem:
        call(**parameters)
    return str(problem.value.response["Error"]["Code"])


def test_a_refresh_replaces_everything_in_batches(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    refresh_id = start(asg, Preferences={"MinHealthyPercentage": 80, "InstanceWarmup": 60})
    assert latest(asg)["Status"] == "Pending"
    aws.control("clock", {"advance_seconds": 30})
    running = latest(asg)
    assert (running["Status"], running["InstancesToUpdate"]) == ("InProgress", 10)
    assert "warming up" in running["StatusReason"]
    assert versions(asg) == ["1"] * 8 + ["2"] * 2
    aws.control("clock", {"advance_seconds": 100})
    assert latest(asg)["PercentageComplete"] == 20
    assert own_version(asg) == "1"
    aws.control("clock", {"advance_seconds": 600})
    done = latest(asg)
    assert done["InstanceRefreshId"] == refresh_id
    assert (done["Status"], done["PercentageComplete"]) == ("Successful", 100)
    assert done["EndTime"] > done["StartTime"]
    assert versions(asg) == ["2"] * 10
    assert own_version(asg) == "2"
    assert {i["HealthStatus"] for i in instances(asg)} == {"Healthy"}


def test_above_a_hundred_percent_replacements_come_first(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 130, "InstanceWarmup": 60}
    start(asg, Preferences=preferences)
    aws.control("clock", {"advance_seconds": 30})
    assert versions(asg) == ["1"] * 10 + ["2"] * 3
    aws.control("clock", {"advance_seconds": 3600})
    assert latest(asg)["Status"] == "Successful"
    assert versions(asg) == ["2"] * 10


def test_one_refresh_at_a_time(simulated_aws: StartAws, boto: MakeClient) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling")
    start(asg)
    assert refused(asg.start_instance_refresh, AutoScalingGroupName="web") == (
        "InstanceRefreshInProgress"
    )
    assert refused(asg.start_instance_refresh, AutoScalingGroupName="none") == "ValidationError"


def test_checkpoints_wait(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    preferences = {
        "MinHealthyPercentage": 0,
        "InstanceWarmup": 0,
        "CheckpointPercentages": [20, 100],
        "CheckpointDelay": 7200,
    }
    start(asg, Preferences=preferences)
    aws.control("clock", {"advance_seconds": 3600})
    waiting = latest(asg)
    assert (waiting["Status"], waiting["PercentageComplete"]) == ("InProgress", 20)
    assert "checkpoint" in waiting["StatusReason"]
    assert versions(asg) == ["1"] * 8 + ["2"] * 2
    aws.control("clock", {"advance_seconds": 4000})
    assert latest(asg)["Status"] == "Successful"


def test_a_last_checkpoint_below_a_hundred_leaves_the_others(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    preferences = {"CheckpointPercentages": [30], "CheckpointDelay": 60, "InstanceWarmup": 0}
    start(asg, Preferences=preferences)
    aws.control("clock", {"advance_seconds": 3600})
    assert (latest(asg)["Status"], latest(asg)["PercentageComplete"]) == ("Successful", 30)
    assert versions(asg) == ["1"] * 7 + ["2"] * 3


def test_matching_instances_are_skipped_when_asked(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    before = {i["InstanceId"] for i in instances(asg)}
    start(asg, DesiredConfiguration=None, Preferences={"SkipMatching": True})
    aws.control("clock", {"advance_seconds": 60})
    assert latest(asg)["Status"] == "Successful"
    assert {i["InstanceId"] for i in instances(asg)} == before
    start(asg, DesiredConfiguration=None, Preferences={"InstanceWarmup": 0})
    aws.control("clock", {"advance_seconds": 7200})
    assert latest(asg)["Status"] == "Successful"
    assert {i["InstanceId"] for i in instances(asg)}.isdisjoint(before)


def test_a_replacement_that_never_becomes_healthy_fails_the_refresh(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    start(asg, "fragile", Preferences={"MinHealthyPercentage": 75, "InstanceWarmup": 60})
    aws.control("clock", {"advance_seconds": 1200})
    assert "to become healthy" in latest(asg, "fragile")["StatusReason"]
    aws.control("clock", {"advance_seconds": 4000})
    failed = latest(asg, "fragile")
    assert failed["Status"] == "Failed"
    assert "did not pass its health checks" in failed["StatusReason"]
    assert versions(asg, "fragile") == ["1", "1", "1", "2"]
    assert own_version(asg, "fragile") == "1"
    cut_off = [i["cut_off"] for i in aws.control("truth")["instances"].values() if i["cut_off"]]
    assert [c[0]["program"] for c in cut_off] == ["user-data"]


def test_auto_rollback_replaces_the_replacements(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    preferences = {"MinHealthyPercentage": 75, "InstanceWarmup": 60, "AutoRollback": True}
    start(asg, "fragile", Preferences=preferences)
    aws.control("clock", {"advance_seconds": 6000})
    after = latest(asg, "fragile")
    assert after["Status"] == "RollbackSuccessful"
    assert "did not pass its health checks" in after["RollbackDetails"]["RollbackReason"]
    assert after["RollbackDetails"]["PercentageCompleteOnRollback"] == 0
    assert versions(asg, "fragile") == ["1"] * 4
    assert {i["HealthStatus"] for i in instances(asg, "fragile")} == {"Healthy"}


def test_an_operator_can_roll_back(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    refresh_id = start(asg, Preferences={"MinHealthyPercentage": 70, "InstanceWarmup": 60})
    aws.control("clock", {"advance_seconds": 150})
    assert "2" in versions(asg)
    answer = asg.rollback_instance_refresh(AutoScalingGroupName="web")
    assert answer["InstanceRefreshId"] == refresh_id
    assert latest(asg)["Status"] == "RollbackInProgress"
    assert refused(asg.rollback_instance_refresh, AutoScalingGroupName="web") == (
        "ActiveInstanceRefreshNotFound"
    )
    aws.control("clock", {"advance_seconds": 3600})
    assert latest(asg)["Status"] == "RollbackSuccessful"
    assert versions(asg) == ["1"] * 10
    assert own_version(asg) == "1"


@pytest.mark.parametrize(
    ("name", "desired"),
    [
        ("web", None),
        ("floating", V2),
        ("web", {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "$Latest"}}),
    ],
)
def test_some_refreshes_have_no_way_back(
    simulated_aws: StartAws, boto: MakeClient, name: str, desired: dict[str, Any] | None
) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling")
    with pytest.raises(ClientError, match="AutoRollback cannot be enabled"):
        start(asg, name, DesiredConfiguration=desired, Preferences={"AutoRollback": True})
    start(asg, name, DesiredConfiguration=desired)
    assert refused(asg.rollback_instance_refresh, AutoScalingGroupName=name) == (
        "IrreversibleInstanceRefresh"
    )


def test_a_cancelled_refresh_stops_where_it_is(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    call = asg.cancel_instance_refresh
    assert refused(call, AutoScalingGroupName="web") == "ActiveInstanceRefreshNotFound"
    start(asg, Preferences={"InstanceWarmup": 120})
    aws.control("clock", {"advance_seconds": 30})
    call(AutoScalingGroupName="web")
    assert latest(asg)["Status"] == "Cancelling"
    aws.control("clock", {"advance_seconds": 600})
    assert latest(asg)["Status"] == "Cancelled"
    assert versions(asg) == ["1"] * 9 + ["2"]
    assert own_version(asg) == "1"
    start(asg)
    call(AutoScalingGroupName="web", WaitForTransitioningInstances=False)
    assert latest(asg)["Status"] == "Cancelled"


def test_protected_instances_are_waited_for_an_hour_unless_ignored(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg = simulated_aws(FLEET), boto("autoscaling")
    kept = instances(asg)[0]["InstanceId"]
    asg.set_instance_protection(
        AutoScalingGroupName="web", InstanceIds=[kept], ProtectedFromScaleIn=True
    )
    quick = {"MinHealthyPercentage": 0, "InstanceWarmup": 0}
    start(asg, Preferences=quick)
    aws.control("clock", {"advance_seconds": 1800})
    assert "protected" in latest(asg)["StatusReason"]
    assert latest(asg)["PercentageComplete"] == 90
    aws.control("clock", {"advance_seconds": 3600})
    assert latest(asg)["Status"] == "Failed"
    start(asg, Preferences={**quick, "ScaleInProtectedInstances": "Ignore"})
    aws.control("clock", {"advance_seconds": 600})
    assert latest(asg)["Status"] == "Successful"
    assert kept in {i["InstanceId"] for i in instances(asg)}
    start(asg, Preferences={**quick, "ScaleInProtectedInstances": "Refresh"})
    aws.control("clock", {"advance_seconds": 600})
    assert kept not in {i["InstanceId"] for i in instances(asg)}


def test_baking_watches_alarms(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, asg, metrics = simulated_aws(FLEET), boto("autoscaling"), boto("cloudwatch")
    metrics.put_metric_alarm(
        AlarmName="rejected",
        Namespace="Custom",
        MetricName="X",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    preferences = {
        "MinHealthyPercentage": 0,
        "InstanceWarmup": 0,
        "BakeTime": 7200,
        "AutoRollback": True,
        "AlarmSpecification": {"Alarms": ["rejected"]},
    }
    start(asg, Preferences=preferences)
    aws.control("clock", {"advance_seconds": 600})
    assert latest(asg)["Status"] == "Baking"
    assert latest(asg)["Preferences"]["AlarmSpecification"] == {"Alarms": ["rejected"]}
    metrics.set_alarm_state(AlarmName="rejected", StateValue="ALARM", StateReason="test")
    aws.control("clock", {"advance_seconds": 600})
    assert latest(asg)["Status"] == "RollbackSuccessful"
    assert versions(asg) == ["1"] * 10


@pytest.mark.parametrize(
    "preferences",
    [
        {"MinHealthyPercentage": 101},
        {"MaxHealthyPercentage": 110},
        {"MinHealthyPercentage": 50, "MaxHealthyPercentage": 200},
        {"CheckpointPercentages": [50, 20]},
        {"CheckpointPercentages": [20, 20]},
        {"CheckpointDelay": 60},
        {"BakeTime": 172801},
        {"AlarmSpecification": {"Alarms": [f"a{n}" for n in range(11)]}},
    ],
)
def test_preferences_that_contradict_themselves_are_refused(
    simulated_aws: StartAws, boto: MakeClient, preferences: dict[str, Any]
) -> None:
    simulated_aws(FLEET)
    asg = boto("autoscaling", parameter_validation=False)
    call = asg.start_instance_refresh
    assert refused(call, AutoScalingGroupName="web", Preferences=preferences) == "ValidationError"


def test_launches_that_are_refused_fail_the_refresh(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, asg, ec2 = simulated_aws(FLEET), boto("autoscaling"), boto("ec2")
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    start(asg, DesiredConfiguration=None, Preferences={"InstanceWarmup": 0})
    aws.control("clock", {"advance_seconds": 5000})
    assert latest(asg)["Status"] == "Failed"
    assert versions(asg) == ["1"] * 10
