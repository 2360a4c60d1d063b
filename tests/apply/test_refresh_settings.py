"""Instance refreshes as the settings ask for them: preferences, pins, alarms, who is left alone."""

from typing import Any

import pytest
from whole_run import (
    Operator,
    aws_view,
    calls_of,
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
image = "{image}"
options = {{ http_tokens = "optional", http_put_response_hop_limit = 2 }}
[[account.region.auto_scaling_group]]
name = "edge"
launch_template = "edge"
version = "{version}"
size = 4
replaced_per_day = {replaced}
callers = [{{ program = "edge", behaviour = "v2" }}, {{ program = "billing", {caller} }}]
{more}
"""
HOME = "111111111111 eu-west-1"
CELLS = (("111111111111", "eu-west-1"),)
NOT_VITAL = 'behaviour = "v1-only", when = "boot", vital = false'
REFRESH = '[plan]\nexisting = "refresh"\n'


def fleet(
    version: str = "1",
    *,
    replaced: float = 1,
    caller: str = 'behaviour = "v2"',
    image: str = "golden",
    more: str = "",
) -> str:
    return FLEET.format(version=version, replaced=replaced, caller=caller, image=image, more=more)


def running(aws: Any, group: str = "edge") -> dict[str, str]:
    return {
        key: one["options"]["http_tokens"]
        for key, one in instances(aws, group).items()
        if one["state"] == "running"
    }


def refreshes() -> list[dict[str, Any]]:
    answer = client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="edge")
    return list(answer["InstanceRefreshes"])


def group() -> dict[str, Any]:
    (found,) = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["edge"])[
        "AutoScalingGroups"
    ]
    return dict(found)


def version() -> str:
    return str(group()["LaunchTemplate"]["Version"])


def alarm(name: str) -> None:
    client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


def test_every_setting_reaches_aws_as_a_preference(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(fleet())
    alarm("errors")
    operator.settings(
        REFRESH + "[refresh]\nmin_healthy_percentage = 50\nmax_healthy_percentage = 125\n"
        "instance_warmup = 30\ncheckpoint_percentages = [25, 75, 100]\ncheckpoint_delay = 600\n"
        'skip_matching = false\nprotected = "Refresh"\nstandby = "Terminate"\n'
        'alarms = ["errors"]\nbake_time = 1200\n'
    )
    old = running(aws)
    operator.prepared()
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    (refresh,) = refreshes()
    assert refresh["Status"] == "Successful"
    assert refresh["Preferences"] == {
        "MinHealthyPercentage": 50,
        "MaxHealthyPercentage": 125,
        "InstanceWarmup": 30,
        "CheckpointPercentages": [25, 75, 100],
        "CheckpointDelay": 600,
        "SkipMatching": False,
        "AutoRollback": True,
        "ScaleInProtectedInstances": "Refresh",
        "StandbyInstances": "Terminate",
        "AlarmSpecification": {"Alarms": ["errors"]},
        "BakeTime": 1200,
    }
    # Three checkpoints' worth of waiting, and the bake time after it.
    assert (refresh["EndTime"] - refresh["StartTime"]).total_seconds() > 600 * 2 + 1200
    assert not set(old) & set(running(aws))
    assert set(running(aws).values()) == {"required"}


@pytest.mark.parametrize("floating", ["$Default", "$Latest"])
def test_a_group_on_a_floating_version_is_pinned_refreshed_and_put_back(
    floating: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(floating))
    before, old = aws_view(CELLS)[HOME], running(aws)
    operator.settings(REFRESH)
    plan = operator.prepared()
    assert not changes_of(plan, "instance-options")
    (refresh,) = changes_of(plan, "instance-refresh")
    assert refresh["after"]["preferences"]["AutoRollback"] is True
    assert any(f"puts {floating} back" in note for note in refresh["notes"])
    told = operator("show", str(operator.plan_file)).out
    assert f"a rollback puts {floating} back" in " ".join(told.split())

    answer = operator.apply()
    assert answer.code == 0, str(answer)
    assert version() == "2"
    assert not set(old) & set(running(aws))
    assert set(running(aws).values()) == {"required"}
    assert cut_off(aws) == {}
    assert operator("verify", "-o", "json").code == 0

    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    now = aws_view(CELLS)[HOME]
    assert version() == floating
    assert now["versions"]["edge"].keys() == before["versions"]["edge"].keys()
    assert now["templates"]["edge"][0] == before["templates"]["edge"][0]
    assert len(running(aws)) == 4
    assert set(running(aws).values()) == {"optional"}


def test_no_new_version_takes_effect_on_the_latest_before_the_refresh_proves_it(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet("$Latest"))
    operator.settings(REFRESH)
    operator.prepared()
    assert operator.apply("--wave", "-1").code == 0
    assert version() == "1", "pinned to what $Latest was"
    (born,) = set(
        aws.control("scale", {"asg": "edge", "account": "111111111111", "region": "eu-west-1",
                              "by": 1})["instances"]
    )  # fmt: skip
    assert running(aws)[born] == "optional"


def test_an_alarm_of_the_operators_ends_the_refresh_and_aws_rolls_it_back(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    alarm("errors")
    client("cloudwatch").set_alarm_state(
        AlarmName="errors", StateValue="ALARM", StateReason="the shop answers 500"
    )
    operator.settings(REFRESH + '[refresh]\nalarms = ["latency", "errors"]\n')
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    (told,) = [c for c in stopped.json["changes"] if c["kind"] == "instance-refresh"]
    assert told["state"] == "rolled-back"
    assert "errors" in told["detail"]
    assert version() == "1"
    assert set(running(aws).values()) == {"optional"}


def test_protected_and_standby_instances_that_a_refresh_leaves_are_changed_in_place_after_it(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    scaling = client("autoscaling")
    protected, standby, *others = sorted(running(aws))
    scaling.set_instance_protection(
        AutoScalingGroupName="edge", InstanceIds=[protected], ProtectedFromScaleIn=True
    )
    scaling.enter_standby(
        AutoScalingGroupName="edge",
        InstanceIds=[standby],
        ShouldDecrementDesiredCapacity=True,
    )
    operator.settings(REFRESH)
    plan = operator.prepared()
    (refresh,) = changes_of(plan, "instance-refresh")
    left = {c["resource"]: c for c in changes_of(plan, "instance-options")}
    assert set(left) == {protected, standby}
    for change in left.values():
        assert change["needs"] == [refresh["id"]]
    assert "protected from scale-in" in left[protected]["notes"][0]
    assert "in standby" in left[standby]["notes"][0]

    answer = operator.apply()
    assert answer.code == 0, str(answer)
    now = running(aws)
    assert set(now.values()) == {"required"}
    assert {protected, standby} <= set(now)
    assert not set(others) & set(now)
    verified = operator("verify", "-o", "json")
    assert verified.code == 0, str(verified)
    assert {protected, standby} <= {c["resource"] for c in verified.json["changes"]}

    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert set(running(aws).values()) == {"optional"}
    assert {protected, standby} <= set(running(aws))


def test_what_a_refresh_leaves_is_not_changed_where_the_refresh_was_rolled_back(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(caller='behaviour = "v1-only", when = "failover"'))
    alarm("errors")
    client("cloudwatch").set_alarm_state(
        AlarmName="errors", StateValue="ALARM", StateReason="the shop answers 500"
    )
    protected = min(running(aws))
    client("autoscaling").set_instance_protection(
        AutoScalingGroupName="edge", InstanceIds=[protected], ProtectedFromScaleIn=True
    )
    operator.settings(REFRESH + '[refresh]\nalarms = ["errors"]\n')
    operator.prepared()
    assert operator.apply().code == 4
    finished = operator.resume(operator.run())
    assert (finished.code, finished.json["state"]) == (1, "incomplete"), str(finished)
    (state,) = {s for key, s in states_of(finished).items() if key.startswith("instance-options")}
    assert state == "skipped"
    assert set(running(aws).values()) == {"optional"}


def test_a_group_that_is_all_protected_is_held_where_its_boot_has_to_be_proved(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(replaced=0))
    client("autoscaling").set_instance_protection(
        AutoScalingGroupName="edge", InstanceIds=sorted(running(aws)), ProtectedFromScaleIn=True
    )
    plan = operator.prepared()
    assert not changes_of(plan, "instance-refresh")
    (held,) = [h for h in plan["held"] if h["resource"] == "edge/edge:1"]
    assert held["reasons"][0]["rule"] == "refresh-replaces-nobody"
    assert "refresh.protected" in held["reasons"][0]["fix"]

    operator.settings('[refresh]\nprotected = "Refresh"\n')
    assert changes_of(operator.plan(), "instance-refresh")


def test_an_image_by_parameter_has_no_rollback_so_its_group_is_held_or_changed_in_place(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(fleet(image="resolve:ssm:/golden", replaced=0))
    plan = operator.prepared()
    (held,) = [h for h in plan["held"] if h["resource"] == "edge/edge:1"]
    assert held["reasons"][0]["rule"] == "refresh-no-rollback"
    assert "resolve:ssm:/golden" in held["reasons"][0]["summary"]


def test_a_boot_that_was_seen_needs_no_refresh_that_could_not_be_rolled_back(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(image="resolve:ssm:/golden"))
    operator.settings(REFRESH)
    plan = operator.prepared()
    assert not changes_of(plan, "instance-refresh")
    in_place = changes_of(plan, "instance-options")
    assert len(in_place) == 4
    assert "not replaced" in in_place[0]["notes"][0]
    assert operator.apply().code == 0
    assert set(running(aws).values()) == {"required"}


def test_without_a_rollback_a_refresh_is_stopped_halfway_and_rollback_replaces_again(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(image="resolve:ssm:/golden", replaced=0, caller=NOT_VITAL))
    operator.settings("[refresh]\nauto_rollback = false\n")
    plan = operator.prepared()
    (refresh,) = changes_of(plan, "instance-refresh")
    assert refresh["after"]["preferences"]["AutoRollback"] is False
    assert any("does not bring the old version back" in note for note in refresh["notes"])

    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert refreshes()[0]["Status"] == "Cancelled"
    assert calls_of(aws, "CancelInstanceRefresh") == 1
    assert set(running(aws).values()) == {"optional", "required"}, "halfway"
    verified = operator("verify", "-o", "json")
    assert verified.code == 1, str(verified)

    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert set(running(aws).values()) == {"optional"}
    assert version() == "1"
    assert len(running(aws)) == 4
