"""`verify --host`: what an instance itself says after the flip, by Run Command over the wire."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from killable import Killable, Trap
from real_hosts import need_hosts
from whole_run import Answer, Operator, calls_of, client, instances

from imdsctl.host.script import probe_script

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
defaults = {{ http_tokens = "required", http_put_response_hop_limit = 2 }}
[[account.region.instance]]
name = "box"
count = {count}
launched_days_ago = 60
booted_days_ago = 5
options = {{ http_tokens = "optional", http_put_response_hop_limit = 1 }}
tags = {{ env = "dev"{tags} }}
{more}
"""
ECS = ', "aws:ecs:clusterName" = "main"'
SECRET = re.compile(r"ASIA[A-Z2-7]{16}")


@pytest.fixture
def operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Operator:
    caplog.set_level("DEBUG")
    return Operator(tmp_path)


class Flipped:
    """A fleet of some instances that one run has just made V2 only."""

    def __init__(self, operator: Operator, aws: Any) -> None:
        self.operator = operator
        self.aws = aws
        assert operator.scan("--regions", "eu-west-1").code == 0
        operator.plan()
        applied = operator.apply()
        assert applied.code == 0, str(applied)
        self.run = operator.run()

    def ids(self) -> list[str]:
        return list(instances(self.aws))

    def verify(self, *words: str) -> Answer:
        return self.operator("verify", self.run, *words)

    def json(self, *words: str) -> Any:
        return self.verify("-o", "json", *words).json

    def pass_time(self, minutes: float) -> None:
        self.aws.control("clock", {"advance_seconds": 60 * minutes})


@pytest.fixture
def flip(operator: Operator, simulated_aws: Any) -> Any:
    def start(more: str = "", *, count: int = 1, tags: str = "") -> Flipped:
        return Flipped(operator, simulated_aws(FLEET.format(more=more, count=count, tags=tags)))

    return start


@pytest.fixture(autouse=True)
def hosts() -> None:
    need_hosts()


def looks(answer: Any) -> dict[str, Any]:
    """Every host of a verify answer, by instance."""
    found = [c["host"] for c in answer["changes"] if c["host"]]
    return {look["instance"]: look for host in found for look in host["instances"]}


def test_a_healthy_host_is_seen_from_inside(flip: Any) -> None:
    flipped = flip('callers = [{ program = "app", behaviour = "v2", container = "host" }]')
    answer = flipped.verify("--host", "-o", "json")
    assert answer.code == 0, str(answer)
    (look,) = looks(answer.json).values()
    assert (look["state"], look["problems"]) == ("good", [])
    said = look["answer"]
    assert [said[k]["status"] for k in ("v1", "token", "v2")] == [401, 200, 200]
    assert "SecretAccessKey" in said["credentials"]["fields"]
    (box,) = flipped.ids()
    assert said["sts"]["arn"].endswith(f"assumed-role/instance-role/{box}")
    assert answer.json["hosts"] == {"good": 1, "bad": 0, "not_looked_at": 0, "gone": 0}
    table = flipped.verify("--host")
    assert table.code == 0
    assert f"✓ {box}  v1 401 · v2 200 · credentials · sts" in table.out
    assert "host     1 as it should be" in table.out


def test_without_host_nothing_is_sent(flip: Any) -> None:
    flipped = flip()
    assert flipped.verify().code == 0
    assert calls_of(flipped.aws, "SendCommand", "DescribeInstanceInformation") == 0
    assert flipped.json()["hosts"] is None


def test_a_host_where_v1_still_answers_is_bad(flip: Any) -> None:
    flipped = flip()
    (box,) = flipped.ids()
    client("ec2").modify_instance_metadata_options(InstanceId=box, HttpTokens="optional")
    answer = flipped.verify("--host")
    assert answer.code == 1
    assert f"✗ {box}  IMDSv1 still answers" in answer.out


def test_credentials_that_do_not_resolve_are_bad(flip: Any) -> None:
    flipped = flip('credentials = "broken"')
    answer = flipped.verify("--host")
    assert answer.code == 1
    assert "a role is there and its credentials do not resolve" in answer.out
    assert "AWS gave it no identity (sts get-caller-identity, through" in answer.out
    assert "sts" not in flipped.verify("--host", "--no-sts").out


def test_a_host_without_a_role_is_fine(flip: Any) -> None:
    flipped = flip('role = ""')
    answer = flipped.verify("--host", "--no-sts")
    assert answer.code == 0, str(answer)
    assert "no instance role" in answer.out


def test_a_container_that_the_hop_limit_cuts_off_is_bad(flip: Any) -> None:
    # It calls at a failover only, so no metric could have told.
    flipped = flip(
        'callers = [{ program = "pod", behaviour = "v2-strict", container = "bridge", '
        'when = "failover", vital = false }]'
    )
    answer = flipped.verify("--host")
    assert answer.code == 1
    assert "a container on it gets no token: the hop limit (1) is too low for it" in answer.out
    (box,) = flipped.ids()
    client("ec2").modify_instance_metadata_options(InstanceId=box, HttpPutResponseHopLimit=2)
    (look,) = looks(flipped.json("--host")).values()
    assert look["answer"]["hop_limit_reaches"] is True
    assert look["problems"] == []


@pytest.mark.parametrize(("behaviour", "code"), [("v2", 0), ("v1-only", 1)])
def test_an_ecs_agent_that_does_not_answer_is_bad(flip: Any, behaviour: str, code: int) -> None:
    agent = f'callers = [{{ program = "ecs-agent", behaviour = "{behaviour}", when = "failover" }}]'
    flipped = flip(agent, tags=ECS)
    answer = flipped.verify("--host")
    assert answer.code == code
    assert ("the ECS agent (port 51678): no answer" in answer.out) is bool(code)
    assert ("· ECS agent" in answer.out) is not bool(code)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('software = ["amazon-ssm-agent 2.3.612.0"]', "before 2.3.814.0 it knows no IMDSv2"),
        ("ssm = false", "not managed by Systems Manager"),
        ('platform = "windows"', "Windows: the probe is a script for Linux"),
    ],
)
def test_who_cannot_be_reached_is_never_fine(flip: Any, more: str, why: str) -> None:
    flipped = flip(more)
    (box,) = flipped.ids()
    answer = flipped.verify("--host")
    assert answer.code == 3
    assert f"? {box}  not looked at: " in answer.out
    assert why in answer.out
    assert calls_of(flipped.aws, "SendCommand") == 0
    assert flipped.json("--host")["state"] == "incomplete"


def test_a_stopped_host_and_one_whose_service_is_off_are_not_looked_at(flip: Any) -> None:
    flipped = flip(count=2)
    first, second = flipped.ids()
    client("ec2").stop_instances(InstanceIds=[first])
    client("ec2").modify_instance_metadata_options(InstanceId=second, HttpEndpoint="disabled")
    answer = flipped.verify("--host")
    assert answer.code == 1, "the service that is off is drift, which outweighs a gap"
    assert f"? {first}  not looked at: the instance is stop" in answer.out
    assert f"? {second}  not looked at: SSM Agent" in answer.out
    assert "the metadata service is off, which it needs" in answer.out


def test_one_that_is_gone_leaves_nothing_to_look_at(flip: Any) -> None:
    flipped = flip()
    client("ec2").terminate_instances(InstanceIds=flipped.ids())
    answer = flipped.verify("--host", "-o", "json")
    assert answer.code == 0
    assert answer.json["hosts"]["gone"] == 1


def test_canaries_all_or_those_that_are_named(flip: Any) -> None:
    flipped = flip(count=4)
    plan = json.loads(flipped.operator.plan_file.read_text())
    canaries = {c.rsplit(":", 1)[1] for wave in plan["waves"] for c in wave["canaries"]}
    assert set(looks(flipped.json("--host", "--no-sts"))) == canaries
    assert len(canaries) == 2
    one = next(i for i in flipped.ids() if i not in canaries)
    assert set(looks(flipped.json("--hosts", one, "--no-sts"))) == {one}
    before = calls_of(flipped.aws, "SendCommand")
    assert set(looks(flipped.json("--hosts", "all", "--no-sts"))) == set(flipped.ids())
    assert calls_of(flipped.aws, "SendCommand") == before + 1, "one command for up to 50"


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("i-0123456789abcdef0", "is no instance that this run changed"),
        ("web-1", "web-1 is no instance id"),
        ("", "nothing is no instance id"),
    ],
)
def test_hosts_that_make_no_sense_are_refused(flip: Any, hosts: str, said: str) -> None:
    flipped = flip()
    answer = flipped.verify("--hosts", hosts)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert calls_of(flipped.aws, "SendCommand") == 0


def test_a_refreshed_group_is_looked_at_through_its_new_members(
    operator: Operator, simulated_aws: Any
) -> None:
    operator.settings('[plan]\nexisting = "refresh"\n')
    group = """
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 3
replaced_per_day = 1
callers = [{ program = "shop", behaviour = "v2", container = "bridge" }]
"""
    flipped = Flipped(operator, simulated_aws(FLEET.format(more=group, count=1, tags="")))
    answer = flipped.json("--hosts", "all", "--no-sts")
    refreshed = next(c for c in answer["changes"] if c["kind"] == "instance-refresh")
    assert refreshed["host"]["state"] == "good"
    seen = {look["instance"] for look in refreshed["host"]["instances"]}
    running = {k for k, v in instances(flipped.aws, "web").items() if v["state"] == "running"}
    assert seen == running


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ({"fault": "denied"}, 3, "SendCommand refused: AccessDeniedException"),
        ({"fault": "throttle"}, 3, "not looked at: throttled"),
        ({"fault": "throttle", "times": 2}, 0, "1 as it should be"),
        ({"fault": "lost-response", "times": 1}, 0, "1 as it should be"),
        ({"fault": "timeout", "seconds": 0.1, "times": 1}, 3, "SendCommand got no answer"),
    ],
)
def test_a_command_that_aws_does_not_take(
    flip: Any, fault: dict[str, Any], code: int, said: str
) -> None:
    flipped = flip()
    flipped.aws.control("faults", [{"operation": "SendCommand", **fault}])
    answer = flipped.verify("--host", "--no-sts")
    assert answer.code == code, str(answer)
    assert said in answer.out
    if fault["fault"] == "lost-response":
        assert calls_of(flipped.aws, "SendCommand") == 1, "it was found again, not sent again"


@pytest.mark.parametrize(
    "operation", ["DescribeInstanceInformation", "GetCommandInvocation", "ListCommandInvocations"]
)
def test_what_may_not_be_read_is_not_looked_at(flip: Any, operation: str) -> None:
    flipped = flip()
    flipped.aws.control("faults", [{"operation": operation, "fault": "denied"}])
    answer = flipped.verify("--host", "--no-sts")
    assert answer.code == 3
    assert "not looked at: not read: AccessDeniedException" in answer.out


def test_nothing_of_what_a_host_prints_is_kept_or_shown(
    flip: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flipped = flip()
    spill = (
        "T=$(curl -s -X PUT http://169.254.169.254/latest/api/token "
        "-H 'X-aws-ec2-metadata-token-ttl-seconds: 60')\n"
        "U=http://169.254.169.254/latest/meta-data/iam/security-credentials/instance-role\n"
        'curl -s -H "X-aws-ec2-metadata-token: $T" $U | tee /dev/stderr\n'
        'echo "token $T"\n'
    )
    monkeypatch.setattr("imdsctl.cli.verify.probe_script", lambda **_: spill)
    answer = flipped.verify("--host", "-v")
    assert answer.code == 3
    assert "what came back is not the probe's answer (exit code 0)" in answer.out
    listed = client("ssm").list_command_invocations(Details=True)["CommandInvocations"]
    printed = listed[0]["CommandPlugins"][0]["Output"]
    secrets = [*SECRET.findall(printed), *re.findall(r"token (\S{20,})", printed)]
    assert len(set(secrets)) == 2, "the host did print them"
    stored = b"".join(p.read_bytes() for p in flipped.operator.folder.iterdir() if p.is_file())
    everything = answer.out + answer.err + caplog.text + stored.decode("latin-1")
    assert [s for s in secrets if s in everything] == []


def test_an_answer_with_more_in_it_than_the_probe_says_is_no_answer(
    flip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flipped = flip()
    real = probe_script(sts=False)
    boasting = real.replace('"kubelet":', '"secret": "hunter2", "kubelet":')
    assert boasting != real
    monkeypatch.setattr("imdsctl.cli.verify.probe_script", lambda **_: boasting)
    answer = flipped.verify("--host")
    assert answer.code == 3
    assert "hunter2" not in answer.out + answer.err


def test_the_probes_own_call_is_nobodys_call(flip: Any) -> None:
    flipped = flip(count=2)
    assert flipped.verify("--hosts", "all", "--no-sts").code == 0
    flipped.pass_time(30)
    rejected = {k: v["rejected_calls"] for k, v in instances(flipped.aws).items()}
    assert set(rejected.values()) == {1}, "AWS does count them"
    answer = flipped.verify()
    assert answer.code == 0, str(answer)
    assert "2 without a rejected call (not counting 2 probes of imdsctl's own)" in answer.out
    scan = flipped.operator.scan("--regions", "eu-west-1").json
    assert scan["callers"]["called"] == 0
    check = flipped.operator("explain", flipped.ids()[0], "-o", "json").json
    assert check["verdict"]["status"] == "done"


def test_somebody_elses_call_in_the_same_minutes_is_still_seen(flip: Any) -> None:
    flipped = flip(
        'callers = [{ program = "job", behaviour = "v1-only", when = "failover", vital = false }]'
    )
    (box,) = flipped.ids()
    flipped.aws.control("trigger", {"instance": box, "event": "failover"})
    assert flipped.verify("--host", "--no-sts").code == 0, "its metric is not there yet"
    flipped.pass_time(30)
    answer = flipped.verify()
    assert answer.code == 1
    assert f"{box}  111111111111 eu-west-1  as planned  " in answer.out
    assert instances(flipped.aws)[box]["rejected_calls"] > 1


def test_a_probe_during_a_soak_fails_no_gate(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET.format(more="", count=4, tags=""))
    operator.settings("[waves.disposable]\ncanaries = 1\nbatch = 1\nsoak_seconds = 7200\n")
    assert operator.scan("--regions", "eu-west-1").code == 0
    operator.plan()
    aws.control("faults", [{"operation": "DescribeInstanceStatus", "after": 3, "fault": "denied"}])
    assert operator.apply().code == 4, "the gate after the canary cannot be read"
    aws.control("faults", [])
    run = operator.run()
    assert operator("verify", run, "--host", "--no-sts").code == 0
    aws.control("clock", {"advance_seconds": 1800})
    assert max(one["rejected_calls"] for one in instances(aws).values()) == 1
    resumed = operator.resume(run)
    assert resumed.code == 0, str(resumed)


def test_a_look_that_was_killed_is_remembered_as_one_call_at_most(flip: Any) -> None:
    flipped = flip()
    trap = Trap(flipped.aws)
    words = flipped.operator.arguments("verify", flipped.run, "--host", "--no-sts")
    victim = Killable(words, flipped.operator.folder)
    trap.set(victim, 1, "between", only="executionTimeout")
    assert victim.wait() == -9
    flipped.pass_time(30)
    (box,) = flipped.ids()
    assert instances(flipped.aws)[box]["rejected_calls"] == 1, "AWS ran it all the same"
    assert flipped.verify().code == 0
