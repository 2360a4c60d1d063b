"""The fleet of the demo: it holds what its comments say, and can be brought to V2 only."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imdsctl.simulator import fleetfile
from imdsctl.simulator.life import calls, safe_at_hop_limit
from imdsctl.simulator.server import SimulatedAws

FLEETS = Path(fleetfile.__file__).parent / "fleets"
DEMO = FLEETS / "demo.toml"
CANARY = "a-report-runner"


@pytest.fixture
def aws(simulated_aws: Callable[..., SimulatedAws]) -> SimulatedAws:
    return simulated_aws(DEMO.read_text(encoding="utf-8"))


def test_the_empty_fleet_is_one_account_with_nothing_in_it() -> None:
    fleet = fleetfile.load(FLEETS / "empty.toml")

    assert [account.id for account in fleet.accounts] == ["111111111111"]
    assert [region.instances for region in fleet.accounts[0].regions] == [()]


def test_it_has_about_three_hundred_instances_in_three_accounts() -> None:
    fleet = fleetfile.load(DEMO)
    regions = [region for account in fleet.accounts for region in account.regions]
    size = sum(group.size for region in regions for group in region.groups)
    size += sum(spec.count for region in regions for spec in region.instances)

    assert len(fleet.accounts) == 3
    assert {account.role for account in fleet.accounts} == {"imdsctl-read"}
    assert 280 <= size <= 320
    assert fleet.history_days == 30
    assert [region.name for region in regions if region.denied] == ["ap-southeast-2"]


def test_it_holds_every_situation() -> None:
    fleet = fleetfile.load(DEMO)
    regions = [region for account in fleet.accounts for region in account.regions]
    groups = [group for region in regions for group in region.groups]
    specs = [spec for region in regions for spec in region.instances]
    callers = [caller for group in groups for caller in group.callers]
    callers += [caller for spec in specs for caller in spec.callers]

    assert {caller.behaviour for caller in callers} == {
        *("v1-only", "v1-first", "v2", "fallback", "v2-strict")
    }
    assert {caller.when for caller in callers} == {
        *("steady", "boot", "nightly", "monthly", "failover")
    }
    assert {"$Default", "$Latest", "1"} <= {group.version for group in groups}
    assert any(group.launch_configuration for group in groups)
    assert any(group.eks_nodegroup for group in groups)
    assert any(group.replaced_per_day == 0 for group in groups)
    assert any(not spec.metrics for spec in specs)
    assert any(spec.spot for spec in specs)
    assert any(spec.traced for spec in specs)
    assert any(spec.operator for spec in specs)
    assert any(spec.platform == "windows" for spec in specs)
    assert any(spec.stopped_days_ago == 90 for spec in specs)
    assert any((spec.options or {}).get("http_endpoint") == "disabled" for spec in specs)
    tokens = {region.defaults.get("http_tokens") for region in regions}
    assert tokens == {None, "optional", "required"}


def test_every_group_can_be_brought_to_v2_only(aws: SimulatedAws) -> None:
    in_groups = [life for life in aws.world.lives.values() if life.asg is not None]

    assert in_groups
    for life in in_groups:
        options = life.options[-1][1]
        limit = safe_at_hop_limit(options, life.callers)
        assert limit is not None, life.asg
        assert limit <= options.http_put_response_hop_limit, life.asg
        assert not calls(life, "no_token", life.launched_at, aws.world.now), life.asg


def test_nothing_is_cut_off_before_anyone_has_changed_anything(aws: SimulatedAws) -> None:
    rows = aws.control("truth")["instances"]

    assert [row["name"] for row in rows.values() if row["cut_off"]] == []
    states = Counter(row["state"] for row in rows.values())
    assert states["stopped"] == 3
    assert states["terminated"] > 300, "what was replaced in the history had lives, too"


def test_one_canary_is_bad_and_nothing_shows_it_before_the_first_of_the_month(
    aws: SimulatedAws, boto: Callable[..., Any]
) -> None:
    (life,) = [life for life in aws.world.lives.values() if life.name == CANARY]
    start = datetime(2026, 10, 31, 20, tzinfo=UTC)
    dimensions = [{"Name": "InstanceId", "Value": life.instance_id}]
    metric = {"Namespace": "AWS/EC2", "MetricName": "MetadataNoToken", "Dimensions": dimensions}
    answer = boto("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": "a", "MetricStat": {"Metric": metric, "Period": 86_400, "Stat": "Sum"}}
        ],
        StartTime=start - timedelta(days=14),
        EndTime=start,
    )
    assert answer["MetricDataResults"][0]["Values"] == [0.0] * 14

    ec2 = boto("ec2")
    ec2.modify_instance_metadata_options(InstanceId=life.instance_id, HttpTokens="required")
    aws.control("clock", {"advance_seconds": 3.9 * 3600})
    assert not aws.control("truth")["instances"][life.instance_id]["cut_off"]
    (status,) = ec2.describe_instance_status(InstanceIds=[life.instance_id])["InstanceStatuses"]
    assert status["InstanceStatus"]["Status"] == "ok"

    aws.control("clock", {"advance_seconds": 0.2 * 3600})

    (cut,) = aws.control("truth")["instances"][life.instance_id]["cut_off"]
    assert cut == {"from": "2026-11-01T00:00:00Z", "to": None, "program": "monthly-report"}
    (status,) = ec2.describe_instance_status(InstanceIds=[life.instance_id])["InstanceStatuses"]
    assert status["InstanceStatus"]["Status"] == "impaired"
