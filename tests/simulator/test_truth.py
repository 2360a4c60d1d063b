"""The truth, the traces and the triggers of the control endpoint."""

from collections.abc import Callable
from typing import Any

import pytest

from imdsctl.simulator import truth as truths
from imdsctl.simulator.server import SimulatedAws

FLEET = """
history_days = 5
start = 2026-11-01T00:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "app"
launched_days_ago = 10
traced = true
callers = [{ program = "app", behaviour = "v1-only", per_hour = 6, sdk = "aws-sdk-java/1.11.400" }]
[[account.region.instance]]
name = "db"
callers = [{ program = "fence", behaviour = "v1-only", when = "failover", per_hour = 3 }]
[[account.region.instance]]
name = "gone-quiet"
state = "stopped"
launched_days_ago = 100
stopped_days_ago = 90
callers = [{ program = "boot-script", behaviour = "v1-only", when = "boot" }]
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.launch_template.version]]
options = { http_tokens = "required", http_put_response_hop_limit = 1 }
[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "$Latest"
size = 0
callers = [{ program = "web", behaviour = "v2", container = "bridge" }]
[[account.region.auto_scaling_group]]
name = "old-web"
launch_template = "web"
version = "1"
size = 1
replaced_per_day = 1
callers = [{ program = "web", behaviour = "v2", container = "bridge" }]
"""

Start = Callable[..., SimulatedAws]
MakeClient = Callable[..., Any]


@pytest.fixture
def aws(simulated_aws: Start) -> SimulatedAws:
    return simulated_aws(FLEET)


def of(aws: SimulatedAws, name: str) -> tuple[str, dict[str, Any]]:
    found = aws.control("truth")["instances"]
    return next((key, row) for key, row in found.items() if row["name"] == name)


def test_the_truth_has_all_that_the_grammar_promises(aws: SimulatedAws) -> None:
    _, row = of(aws, "app")

    assert row["account"] == "111111111111"
    assert (row["region"], row["asg"], row["state"]) == ("eu-west-1", None, "running")
    assert row["options"]["http_tokens"] == "optional"
    assert row["callers"][0]["program"] == "app"
    assert (row["safe_now"], row["safe_at_hop_limit"]) == (False, None)
    assert row["cut_off"] == []
    assert (row["v1_calls"], row["rejected_calls"]) == (10 * 144 + 1, 0)


def test_a_change_that_cuts_a_caller_off_is_told_with_its_times(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    instance, _ = of(aws, "app")
    ec2 = boto("ec2")
    aws.world.advance(60)
    ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="required")
    aws.world.advance(1800)

    _, row = of(aws, "app")
    (cut,) = row["cut_off"]
    assert cut == {"from": "2026-11-01T00:10:00Z", "to": None, "program": "app"}
    assert row["rejected_calls"] == 3
    assert row["v1_calls"] == 10 * 144 + 1

    ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="optional")
    aws.world.advance(1200)

    assert of(aws, "app")[1]["cut_off"][0]["to"] == "2026-11-01T00:40:00Z"


def test_a_failover_wakes_the_caller_that_waits_for_it(aws: SimulatedAws) -> None:
    instance, before = of(aws, "db")
    assert before["v1_calls"] == 0
    assert before["safe_now"] is False

    aws.control("trigger", {"instance": instance, "event": "failover"})
    aws.world.advance(7200)

    assert of(aws, "db")[1]["v1_calls"] == 3


def test_a_start_is_a_boot_and_a_stop_ends_the_calls(aws: SimulatedAws) -> None:
    instance, before = of(aws, "gone-quiet")
    assert before["state"] == "stopped"

    aws.control("trigger", {"instance": instance, "event": "start"})
    aws.world.advance(600)
    _, started = of(aws, "gone-quiet")
    assert started["state"] == "running"
    assert started["v1_calls"] == before["v1_calls"] + 1

    aws.control("trigger", {"instance": instance, "event": "reboot"})
    aws.world.advance(600)
    assert of(aws, "gone-quiet")[1]["v1_calls"] == before["v1_calls"] + 2

    aws.control("trigger", {"instance": instance, "event": "stop"})
    assert of(aws, "gone-quiet")[1]["state"] == "stopped"


def test_what_cannot_happen_is_refused(aws: SimulatedAws) -> None:
    instance, _ = of(aws, "gone-quiet")

    with pytest.raises(ValueError, match="only a running one fails over"):
        truths.trigger(aws.world, instance, "failover")
    with pytest.raises(ValueError, match="IncorrectInstanceState"):
        truths.trigger(aws.world, instance, "reboot")
    with pytest.raises(KeyError):
        truths.trigger(aws.world, "i-00000000000000000", "failover")


def test_a_trace_goes_back_as_far_as_the_history(aws: SimulatedAws) -> None:
    instance, _ = of(aws, "app")

    lines = aws.control(f"trace/{instance}")

    assert len(lines) == 5 * 144 + 1
    assert lines[0]["ts"] == "2026-10-27T00:00:00.000000Z"
    assert {line["comm"] for line in lines} == {"java"}
    assert {(line["version"], line["status"]) for line in lines} == {("v1", 200)}


def test_replaced_instances_are_part_of_the_truth(aws: SimulatedAws) -> None:
    rows = [row for row in aws.control("truth")["instances"].values() if row["asg"] == "old-web"]

    assert [row["state"] for row in rows].count("running") == 1
    assert [row["state"] for row in rows].count("terminated") == 5
    assert all(row["safe_now"] for row in rows)
    assert {row["safe_at_hop_limit"] for row in rows} == {2}


def test_a_replacement_with_too_low_a_hop_limit_is_cut_off(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    boto("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="old-web",
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"},
    )
    where = {"account": "111111111111", "region": "eu-west-1"}
    (old_web,) = aws.control("scale", {"asg": "old-web", **where})["instances"]
    (web,) = aws.control("scale", {"asg": "web", **where})["instances"]

    rows = aws.control("truth")["instances"]

    assert [one["program"] for one in rows[old_web]["cut_off"]] == ["web"]
    assert rows[web]["cut_off"] == [], "it never worked in this group"
