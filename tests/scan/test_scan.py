"""A scan says what it saw and what it could not see; a part never passes for the whole."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.retries import standard
from killable import Killable, Trap
from whole_run import OTHER, OWN, Answer, Operator, client, instances

from imdsctl.aws.clock import RealClock
from imdsctl.model.evidence import Calls, Cell
from imdsctl.store import open_store

FLEET = """
start = 2026-11-11T09:00:00Z
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
[[account.region.launch_configuration]]
name = "old"
image = "golden"
[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 3
callers = [{ program = "web", behaviour = "v2" }]
[[account.region.instance]]
name = "young"
launched_days_ago = 3
callers = [{ program = "app", behaviour = "v2" }]
[[account.region.instance]]
name = "dark"
launched_days_ago = 30
metrics = false
callers = [{ program = "app", behaviour = "v1-only" }]
[[account.region.instance]]
name = "legacy"
launched_days_ago = 30
callers = [{ program = "app", behaviour = "v1-only", per_hour = 6 }]
[[account.region]]
name = "eu-central-1"
[[account.region.instance]]
name = "worker"
count = 2
launched_days_ago = 30
callers = [{ program = "app", behaviour = "v2" }]
[[account]]
id = "222222222222"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "other"
launched_days_ago = 30
[[account.region]]
name = "eu-central-1"
denied = true
[[account.region.instance]]
name = "hidden"
count = 4
launched_days_ago = 30
"""
REGIONS = ("--regions", "eu-west-1,eu-central-1")
OTHERS = ("--accounts", OTHER, "--role-name", "imdsctl-read")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore retries as often as ever, and does not wait in between."""
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)


def unread(answer: Answer) -> dict[tuple[str, str, str], str]:
    return {(u["account"], u["region"], u["what"]): u["why"] for u in answer.json["unreadable"]}


def test_a_whole_scan_counts_what_there_is(operator: Operator, simulated_aws: Any) -> None:
    simulated_aws(FLEET)
    answer = operator.scan("--regions", "eu-west-1,eu-central-1")
    assert answer.code == 0, str(answer)
    total = {"total": 8, "v1_allowed": 8, "v2_only": 0, "imds_off": 0}
    assert answer.json["instances"] == total
    assert answer.json["callers"]["called"] == 1
    assert answer.json["callers"]["no_data"] == 1
    assert answer.json["unreadable"] == []
    assert operator("status", "-o", "json").json["instances"] == total


def test_a_denied_region_of_another_account_is_named_and_the_others_are_whole(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(FLEET)
    answer = operator.scan(*REGIONS, *OTHERS)
    assert answer.code == 3, str(answer)
    assert {(account, region) for account, region, _ in unread(answer)} == {(OTHER, "eu-central-1")}
    assert "instances" in {what for _, _, what in unread(answer)}
    assert all("Unauthorized" in why or "AccessDenied" in why for why in unread(answer).values())
    assert answer.json["instances"]["total"] == 9
    table = operator("status")
    assert "eu-central-1" in table.out + table.err
    assert OTHER in table.out + table.err


def test_an_account_whose_role_cannot_be_assumed_is_named_and_ours_is_read(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(FLEET)
    answer = operator.scan(*REGIONS, "--accounts", OTHER, "--role-name", "wrong-role")
    assert answer.code == 3, str(answer)
    assert {account for account, _, _ in unread(answer)} == {OTHER}
    assert answer.json["instances"]["total"] == 8


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        ("DescribeInstances", "instances"),
        ("DescribeAutoScalingGroups", "groups"),
        ("DescribeLaunchTemplateVersions", "launch-templates"),
        ("DescribeLaunchConfigurations", "launch-configurations"),
        ("GetInstanceMetadataDefaults", "account-defaults"),
        ("GetMetricData", "calls"),
        ("GetInventory", "software"),
    ],
)
@pytest.mark.parametrize("fault", ["garbled", "throttle", "denied"])
@pytest.mark.usefixtures("impatient")
def test_a_reading_that_fails_is_named_and_the_rest_of_the_region_is_whole(
    fault: str, operation: str, what: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    aws.control("faults", [{"operation": operation, "region": "eu-west-1", "fault": fault}])
    answer = operator.scan(*REGIONS)
    assert answer.code == 3, str(answer)
    assert set(unread(answer)) == {(OWN, "eu-west-1", what)}
    readings = whole_readings(operator)
    assert what not in readings[Cell(OWN, "eu-west-1")]
    assert readings[Cell(OWN, "eu-west-1")] | {what} == readings[Cell(OWN, "eu-central-1")]
    plan = operator("plan", "-o", "json")
    assert plan.code == 3, "a plan from it is incomplete as well"
    if what == "calls":
        held = {h["name"]: h["status"] for h in plan.json["held"]}
        assert held["young"] == "unknown"
        assert {c["kind"] for w in plan.json["waves"] for c in w["changes"]} <= {
            "instance-options",
            "account-defaults",
        }
        assert not [
            c
            for w in plan.json["waves"]
            for c in w["changes"]
            if c["kind"] == "instance-options" and c["region"] == "eu-west-1"
        ]


def whole_readings(operator: Operator) -> dict[Cell, set[str]]:
    store = open_store(str(operator.db), create=False, clock=RealClock())
    try:
        found: dict[Cell, set[str]] = {}
        for reading in store.readings():
            if reading.complete:
                found.setdefault(Cell(reading.account, reading.region), set()).add(reading.what)
        return found
    finally:
        store.close()


def calls_by_name(operator: Operator, aws: Any) -> dict[str, Calls]:
    store = open_store(str(operator.db), create=False, clock=RealClock())
    try:
        known = instances(aws)
        return {
            known[record.item.id]["name"]: record.item
            for record in store.view("calls", Cell(OWN, "eu-west-1"))
        }
    finally:
        store.close()


MANY = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "many"
count = 1005
launched_days_ago = 30
"""


@pytest.mark.parametrize("fault", ["throttle", "garbled"])
@pytest.mark.usefixtures("impatient")
def test_a_second_page_that_never_comes_leaves_the_first_one_marked_as_a_part(
    fault: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    aws.control("faults", [{"operation": "DescribeInstances", "after": 1, "fault": fault}])
    answer = operator.scan("--regions", "eu-west-1")
    assert answer.code == 3, str(answer)
    (missing,) = answer.json["unreadable"]
    assert missing["what"] == "instances"
    assert missing["seen"] == 1000
    assert answer.json["instances"]["total"] == 1000
    assert operator("status", "-o", "json").json["unreadable"] == answer.json["unreadable"]

    aws.control("faults", [])
    again = operator.scan("--regions", "eu-west-1")
    assert again.code == 0, str(again)
    assert again.json["instances"]["total"] == 1005
    assert again.json["unreadable"] == []


def test_an_interrupted_scan_leaves_the_view_of_the_one_before(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    assert operator.scan("--regions", "eu-west-1").code == 0
    before = operator("status", "-o", "json").json
    (young,) = instances(aws, "young")
    client("ec2").modify_instance_metadata_options(InstanceId=young, HttpTokens="required")
    trap = Trap(aws)
    victim = Killable(operator.arguments("scan", "--regions", "eu-west-1"), tmp_path)
    trap.set(victim, 1, "between", only="Action=DescribeInstances&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    after = operator("status", "-o", "json").json
    for said in ("instances", "callers", "launch_paths", "accounts", "regions", "unreadable"):
        assert after[said] == before[said]

    assert operator.scan("--regions", "eu-west-1").code == 0
    assert operator("status", "-o", "json").json["instances"]["v2_only"] == 1


def test_coverage_counts_the_hours_with_data_against_the_hours_running(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    assert operator.scan("--regions", "eu-west-1").code == 0
    calls = calls_by_name(operator, aws)
    young, dark, legacy = calls["young"], calls["dark"], calls["legacy"]
    assert 72 <= young.hours_running <= 73
    assert young.v1 is not None
    assert young.v1.hours_with_data in (72, 73)
    assert young.v1.total == 0
    assert young.coverage > 0.97
    assert dark.v1 is None, "no data is not zero"
    assert dark.coverage == 0
    assert legacy.v1 is not None
    assert legacy.hours_running == 14 * 24
    assert 14 * 24 * 6 - 12 <= legacy.v1.total <= 14 * 24 * 6 + 12
    assert legacy.v1.hours_with_calls >= 14 * 24 - 1


def test_an_instance_without_any_data_is_unknown_and_never_ready(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    assert operator.scan("--regions", "eu-west-1").code == 0
    (dark,) = instances(aws, "dark")
    verdict = operator("explain", dark, "-o", "json").json["verdict"]
    assert verdict["status"] == "unknown"
    assert "no-data" in {reason["rule"] for reason in verdict["reasons"]}
    (legacy,) = instances(aws, "legacy")
    assert operator("explain", legacy, "-o", "json").json["verdict"]["status"] == "blocked"


def test_a_scan_calls_nothing_that_changes_anything_and_keeps_no_secret(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    secret = "hunter2-in-user-data"
    aws = simulated_aws(
        FLEET.replace('name = "young"', f'name = "young"\nuser_data = "PASSWORD={secret}"')
    )
    answer = operator.scan(*REGIONS, *OTHERS)
    operations = {row["operation"] for row in aws.control("calls")["calls"]}
    assert operations
    assert not [n for n in operations if not n.startswith(("Describe", "Get", "List", "Assume"))]
    kept = (
        b"".join(path.read_bytes() for path in tmp_path.iterdir())
        + json.dumps([answer.out, answer.err]).encode()
    )
    assert secret.encode() not in kept
    assert b"IQoJb3JpZ2lu" not in kept
