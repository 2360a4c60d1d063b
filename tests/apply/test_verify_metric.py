"""`verify` on the metrics: too early, clean since, refused, no data, and who still calls."""

from typing import Any

from whole_run import Answer, Operator, client, instances

FLEET = """
start = 2026-11-11T09:10:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
defaults = {{ http_tokens = "required", http_put_response_hop_limit = 2 }}
[[account.region.instance]]
name = "box"
launched_days_ago = 60
booted_days_ago = 5
options = {{ http_tokens = "optional", http_put_response_hop_limit = 1 }}
tags = {{ env = "dev" }}
{more}
"""
NO_SOAK = "[waves.disposable]\ncanaries = 0\nsoak_seconds = 0\n"
JOB = 'callers = [{ program = "job", behaviour = "v1-only", when = "failover", vital = false }]'


def flipped(operator: Operator, aws: Any, *words: str) -> str:
    """Scan, plan and apply without a soak; the instance's id."""
    operator.settings(NO_SOAK)
    assert operator.scan("--regions", "eu-west-1").code == 0
    operator.plan(*words)
    assert operator.apply().code == 0
    (box,) = instances(aws, "box")
    return box


def change_of(answer: Answer, box: str) -> Any:
    return next(c for c in answer.json["changes"] if c["resource"] == box)


def pass_time(aws: Any, minutes: float) -> None:
    aws.control("clock", {"advance_seconds": 60 * minutes})


def test_too_early_then_clean_since(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET.format(more=""))
    box = flipped(operator, aws)
    at_once = operator("verify", "-o", "json")
    assert at_once.code == 0
    assert change_of(at_once, box)["metric_state"] == "early"
    assert "too early to say (since 09:" in change_of(at_once, box)["metric"]
    assert "1 too early to say" in operator("verify").out
    pass_time(aws, 20)
    later = change_of(operator("verify", "-o", "json"), box)
    assert later["metric_state"] == "clean"
    assert later["metric"].startswith("clean since 2026-11-11 09:")


def test_who_is_refused_is_named(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET.format(more=JOB))
    box = flipped(operator, aws)
    pass_time(aws, 10)
    aws.control("trigger", {"instance": box, "event": "failover"})
    pass_time(aws, 70)
    answer = operator("verify")
    assert answer.code == 1
    assert f"✗ {box}  111111111111 eu-west-1  as planned  6 IMDSv1 calls rejected" in answer.out
    assert f"imdsctl explain {box}" in answer.err


def test_silence_without_data_proves_nothing(operator: Operator, simulated_aws: Any) -> None:
    # Without data no verdict is ready, so the plan is made before the data ends.
    aws = simulated_aws(FLEET.format(more=""))
    box = flipped(operator, aws)
    aws.world.lives[box].metrics = False
    pass_time(aws, 60)
    change = change_of(operator("verify", "-o", "json"), box)
    assert change["metric_state"] == "no-data"
    assert change["metric"] == "no data point at all: silence proves nothing"
    assert "1 without data" in operator("verify").out


def test_nothing_can_call_on_a_stopped_instance(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET.format(more=""))
    box = flipped(operator, aws)
    client("ec2").stop_instances(InstanceIds=[box])
    pass_time(aws, 60)
    change = change_of(operator("verify", "-o", "json"), box)
    assert change["metric"] == "stopped: nothing on it can call"


def test_a_metric_that_cannot_be_read_is_not_fine(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET.format(more=""))
    box = flipped(operator, aws)
    aws.control("faults", [{"operation": "GetMetricData", "fault": "denied"}])
    answer = operator("verify", "-o", "json")
    assert answer.code == 3
    assert answer.json["state"] == "incomplete"
    assert change_of(answer, box)["found"] == "unreadable"
    assert change_of(answer, box)["metric"].startswith("not read: AccessDenied")
    table = operator("verify")
    assert "1 not read" in table.out
    assert "1 as planned" in table.out, "the API was read"


def test_before_the_flip_it_says_who_still_calls(operator: Operator, simulated_aws: Any) -> None:
    others = """
[[account.region.instance]]
name = "talker"
options = { http_tokens = "optional" }
callers = [{ program = "daemon", behaviour = "v1-only" }]
[[account.region.instance]]
name = "dark"
options = { http_tokens = "optional" }
metrics = false
[[account.region.instance]]
name = "later"
launched_days_ago = 60
booted_days_ago = 5
options = { http_put_response_hop_limit = 2, http_tokens = "optional" }
tags = { env = "prod" }
"""
    aws = simulated_aws(FLEET.format(more=others))
    operator.settings(NO_SOAK)
    assert operator.scan("--regions", "eu-west-1").code == 0
    operator.plan()
    assert operator.apply("--wave", "0").code == 0
    pass_time(aws, 60)
    waiting = {w["resource"]: w for w in operator("verify", "-o", "json").json["waiting"]}
    names = {instances(aws)[key]["name"]: one for key, one in waiting.items()}
    assert set(names) == {"talker", "dark", "later"}
    assert names["talker"]["why"] == "held: blocked"
    assert names["talker"]["metric_state"] == "called"
    assert "IMDSv1 calls since 2026-11-11 09:00 UTC" in names["talker"]["metric"]
    assert names["dark"]["metric"] == "no data point at all: silence proves nothing"
    assert names["later"]["why"] == "not applied yet"
    assert names["later"]["metric"] == "MetadataNoToken: no call since 2026-11-11 09:00 UTC"
    table = operator("verify").out
    assert "3 instances of the plan still allow IMDSv1: 1 still called, 1 quiet" in table
    (talker,) = instances(aws, "talker")
    assert f"{talker}  held: blocked  MetadataNoToken: " in table
