"""The control endpoint, row by row, over HTTP."""

import json
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

import pytest
from conftest import MakeClient, StartAws

FLEET = """
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.launch_template]]
name = "web"

[[account.region.launch_template.version]]
options = { http_tokens = "optional" }

[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 2

[[account.region.instance]]
name = "db"
traced = true
callers = [{ program = "app", behaviour = "v1-only", per_hour = 12 }]
"""


def raw(url: str, data: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=data)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.loads(problem.read())


def instance(aws: Any, name: str) -> str:
    found = aws.control("truth")["instances"].items()
    return next(str(key) for key, value in found if value["name"] == name)


def test_the_clock_starts_where_the_fleet_says_and_moves(simulated_aws: StartAws) -> None:
    aws = simulated_aws(FLEET)
    assert aws.control("clock")["now"].startswith("2026-11-01T00:00:0")
    assert aws.control("clock")["now"].endswith("Z")
    before = datetime.fromisoformat(aws.control("clock")["now"])
    after = datetime.fromisoformat(aws.control("clock", {"advance_seconds": 3600})["now"])
    assert 3600 <= (after - before).total_seconds() < 3660


def test_what_is_due_happens_at_its_own_time_while_the_clock_moves(
    simulated_aws: StartAws,
) -> None:
    aws = simulated_aws(FLEET)
    seen: list[float] = []
    begin = aws.world.now
    for delay in (50.0, 10.0):
        aws.world.after(delay, lambda: seen.append((aws.world.now - begin).total_seconds()))
    aws.control("clock", {"advance_seconds": 100})
    assert [round(s) for s in seen] == [10, 50]


def test_truth_knows_the_callers(simulated_aws: StartAws) -> None:
    truth = simulated_aws(FLEET).control("truth")["instances"]
    by_name = {value["name"]: value for value in truth.values()}
    assert by_name["db"]["safe_now"] is False
    assert by_name["db"]["callers"][0]["program"] == "app"
    assert sum(1 for value in truth.values() if value["asg"] == "web") == 2


def test_a_trace_exists_for_traced_instances_alone(simulated_aws: StartAws) -> None:
    aws = simulated_aws(FLEET)
    lines = aws.control(f"trace/{instance(aws, 'db')}")
    assert {line["version"] for line in lines} == {"v1"}
    other = next(k for k, v in aws.control("truth")["instances"].items() if v["asg"] == "web")
    with pytest.raises(ValueError, match="not traced"):
        aws.control(f"trace/{other}")
    with pytest.raises(ValueError, match="no instance"):
        aws.control("trace/i-0")


def test_triggers_reach_the_instance(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws = simulated_aws(FLEET)
    target, ec2 = instance(aws, "db"), boto("ec2")

    def state() -> str:
        found = ec2.describe_instances(InstanceIds=[target])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    aws.control("trigger", {"instance": target, "event": "stop"})
    assert state() == "stopped"
    aws.control("trigger", {"instance": target, "event": "start"})
    assert state() == "running"
    for event in ("reboot", "failover"):
        aws.control("trigger", {"instance": target, "event": event})
    assert len(aws.world.lives[target].boots) == 3
    assert len(aws.world.lives[target].failovers) == 1


def test_scaling_out_bears_instances_as_aws_would_today(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2 = simulated_aws(FLEET), boto("ec2")
    where = {"asg": "web", "account": "111111111111", "region": "eu-west-1"}
    born = aws.control("scale", {**where, "by": 2})["instances"]
    assert len(born) == 2
    found = ec2.describe_instances(InstanceIds=born)["Reservations"]
    options = [i["MetadataOptions"]["HttpTokens"] for r in found for i in r["Instances"]]
    assert options == ["optional", "optional"]
    assert len(aws.control("scale", where)["instances"]) == 1
    with pytest.raises(ValueError, match="no Auto Scaling group 'nope'"):
        aws.control("scale", {**where, "asg": "nope"})


def test_calls_are_counted_by_operation(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, ec2 = simulated_aws(FLEET), boto("ec2")
    for _ in range(3):
        ec2.describe_images(Owners=["self"])
    boto("cloudwatch").list_metrics()
    rows = {row["operation"]: row for row in aws.control("calls")["calls"]}
    images = rows["DescribeImages"]
    assert (images["account"], images["region"]) == ("111111111111", "eu-west-1")
    assert (images["count"], images["throttled"]) == (3, 0)
    assert 1 <= images["peak_per_second"] <= 3
    assert rows["ListMetrics"]["count"] == 1


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("clock", b"{", "no JSON"),
        ("clock", b"[]", "expected a JSON object"),
        ("clock", b'{"advance": 1}', "unknown key 'advance'"),
        ("clock", b"{}", "'advance_seconds' is missing"),
        ("clock", b'{"advance_seconds": -1}', "from 0 to"),
        ("clock", b'{"advance_seconds": true}', "must be a float"),
        ("clock", b'{"advance_seconds": "1"}', "must be a float"),
        ("trigger", b'{"instance": "i-0", "event": "explode"}', "event must be one of"),
        ("trigger", b'{"instance": "i-0", "event": "stop"}', "no instance 'i-0'"),
        ("scale", b'{"asg": "web"}', "'account' is missing"),
        ("faults", b"{", "no JSON"),
        ("budgets", b'{"enforce": 1}', "must be a bool"),
    ],
)
def test_what_makes_no_sense_gets_400_and_says_why(
    simulated_aws: StartAws, path: str, body: bytes, message: str
) -> None:
    status, answer = raw(f"{simulated_aws(FLEET).url}/_imdsctl/{path}", body)
    assert status == 400
    assert message in answer["error"]


def test_unknown_paths_and_methods_are_named(simulated_aws: StartAws) -> None:
    url = simulated_aws(FLEET).url
    status, answer = raw(f"{url}/_imdsctl/nothing")
    assert (status, "GET /_imdsctl/clock" in answer["error"]) == (404, True)
    status, _ = raw(f"{url}/_imdsctl/truth", b"{}")
    assert status == 405
