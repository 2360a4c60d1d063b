"""Run Command on the simulated AWS: the script really runs, on that instance's own host."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws
from real_hosts import need_hosts

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "strict"
options = { http_tokens = "required", http_put_response_hop_limit = 1 }
tags = { env = "prod" }
callers = [{ program = "pod", behaviour = "v2", container = "bridge" }]
[[account.region.instance]]
name = "open"
options = { http_tokens = "optional", instance_metadata_tags = "enabled" }
tags = { env = "dev", colour = "blue" }
role = "batch"
[[account.region.instance]]
name = "broken"
options = { http_tokens = "required" }
credentials = "broken"
[[account.region.instance]]
name = "roleless"
role = ""
[[account.region.instance]]
name = "old"
options = { http_tokens = "optional" }
software = ["amazon-ssm-agent 2.3.612.0", "openssl 3.0.8"]
[[account.region.instance]]
name = "windows"
platform = "windows"
[[account.region.instance]]
name = "unmanaged"
ssm = false
[[account.region.instance]]
name = "parked"
state = "stopped"
"""
V1 = "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/"
TOKEN = (
    "T=$(curl -s -X PUT http://169.254.169.254/latest/api/token "
    "-H 'X-aws-ec2-metadata-token-ttl-seconds: 60')\n"
)
GET = 'curl -s -H "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/'

Run = Callable[..., dict[str, Any]]


class Fleet:
    """The running fleet, and commands sent to it as anybody sends them."""

    def __init__(self, aws: Any, boto: MakeClient) -> None:
        self.aws = aws
        self.boto = boto
        self.ssm = boto("ssm")

    def id(self, name: str) -> str:
        truth = self.aws.control("truth")["instances"].items()
        return next(str(key) for key, one in truth if one["name"] == name)

    def send(self, script: str, *names: str, **more: Any) -> str:
        parameters = {"commands": script.splitlines(), **more.pop("Parameters", {})}
        answer = self.ssm.send_command(
            DocumentName="AWS-RunShellScript",
            InstanceIds=[self.id(name) for name in names],
            Parameters=parameters,
            **more,
        )
        command: str = answer["Command"]["CommandId"]
        return command

    def ended(self, command: str, seconds: float = 30) -> list[dict[str, Any]]:
        """The invocations, once all have ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            rows: list[dict[str, Any]] = self.ssm.list_command_invocations(
                CommandId=command, Details=True
            )["CommandInvocations"]
            if all(row["Status"] not in ("Pending", "InProgress") for row in rows):
                return rows
            time.sleep(0.1)
        raise AssertionError(rows)

    def result(self, command: str, name: str) -> dict[str, Any]:
        self.aws.control("clock", {"advance_seconds": 2})
        self.ended(command)
        row: dict[str, Any] = self.ssm.get_command_invocation(
            CommandId=command, InstanceId=self.id(name)
        )
        return row

    def run(self, script: str, name: str, **more: Any) -> dict[str, Any]:
        return self.result(self.send(script, name, **more), name)

    def modify(self, name: str, **members: Any) -> None:
        self.boto("ec2").modify_instance_metadata_options(InstanceId=self.id(name), **members)


@pytest.fixture
def fleet(simulated_aws: StartAws, boto: MakeClient) -> Fleet:
    return Fleet(simulated_aws(FLEET), boto)


@pytest.fixture
def hosts(fleet: Fleet) -> Fleet:
    need_hosts()
    return fleet


def code_of(call: Callable[..., Any], *words: Any, **more: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(*words, **more)
    return str(refused.value.response["Error"]["Code"])


def test_a_script_sees_its_own_instance_and_its_present_options(hosts: Fleet) -> None:
    row = hosts.run(f"{V1}; echo; {TOKEN}{GET}meta-data/instance-id", "strict")
    assert row["StandardOutputContent"].split() == ["401", hosts.id("strict")]
    assert (row["Status"], row["ResponseCode"]) == ("Success", 0)
    hosts.modify("strict", HttpTokens="optional")
    assert hosts.run(V1, "strict")["StandardOutputContent"] == "200"
    hosts.modify("strict", HttpEndpoint="disabled")
    command = hosts.send(V1, "strict")
    assert hosts.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Pending"


def test_region_account_tags_and_role_are_the_instances_own(hosts: Fleet) -> None:
    script = (
        f"{TOKEN}{GET}dynamic/instance-identity/document; echo '|'; "
        f"{GET}meta-data/tags/instance/colour; echo '|'; "
        f"{GET}meta-data/iam/security-credentials/"
    )
    document, tag, role = hosts.run(script, "open")["StandardOutputContent"].split("|\n")
    assert json.loads(document)["accountId"] == "111111111111"
    assert json.loads(document)["region"] == "eu-west-1"
    assert (tag.strip(), role.strip()) == ("blue", "batch")
    assert "404" in hosts.run(script, "roleless")["StandardOutputContent"]


def test_the_role_of_the_host_is_somebody_to_the_simulated_sts(hosts: Fleet) -> None:
    script = (
        "python3 -c 'from botocore.session import Session\n"
        'sts = Session().create_client("sts", region_name="eu-west-1")\n'
        'print(sts.get_caller_identity()["Arn"])\''
    )
    row = hosts.run(script, "open")
    arn = f"arn:aws:sts::111111111111:assumed-role/batch/{hosts.id('open')}"
    assert row["StandardOutputContent"].strip() == arn, row["StandardErrorContent"]
    assert hosts.run(script, "broken")["ResponseCode"] == 1


def test_the_only_way_out_is_the_simulated_aws(hosts: Fleet) -> None:
    port = hosts.aws.url.rsplit(":", 1)[1]
    script = f"curl -sm 2 -o /dev/null http://127.0.0.1:{port}/; echo $?; ip -br link | wc -l"
    assert hosts.run(script, "open")["StandardOutputContent"].split() == ["7", "2"]


@pytest.mark.parametrize(("limit", "answer"), [(1, "none"), (2, "200")])
def test_a_container_is_one_hop_further_than_its_host(
    hosts: Fleet, limit: int, answer: str
) -> None:
    hosts.modify("strict", HttpPutResponseHopLimit=limit)
    script = (
        "h=$(readlink /proc/1/ns/net)\n"
        "for p in $(ls /proc | grep '^[0-9]'); do\n"
        '  n=$(readlink /proc/$p/ns/net); [ "${n:-$h}" = "$h" ] || c=$p\n'
        "done\n"
        "nsenter -t $c -n curl -sm 1 -o /dev/null -w '%{http_code}' -X PUT "
        "http://169.254.169.254/latest/api/token "
        "-H 'X-aws-ec2-metadata-token-ttl-seconds: 60' || echo none"
    )
    assert answer in hosts.run(script, "strict")["StandardOutputContent"]


def test_the_machine_is_left_as_it_was(hosts: Fleet, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("untouched")
    tree = Path(__file__)
    script = (
        f"rm -f {mine}; echo x > {tree}; echo x > /etc/imdsctl-was-here; echo x > /tmp/here; "
        f'cat /tmp/here; ls -A "$HOME" | wc -l; sleep 600 & true'
    )
    before = tree.read_text()
    row = hosts.run(script, "open")
    assert row["StandardOutputContent"].splitlines()[0] == "x"
    assert mine.read_text() == "untouched"
    assert tree.read_text() == before
    assert not Path("/etc/imdsctl-was-here").exists()
    assert not Path("/tmp/here").exists()
    assert "AWS_SECRET_ACCESS_KEY" not in hosts.run("env", "open")["StandardOutputContent"]


def test_what_it_starts_ends_with_it(hosts: Fleet) -> None:
    mark = f"{os.getpid()}.5"
    hosts.run(f"sleep 6{mark} & setsid sleep 6{mark} & true", "open")
    lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if _is_there(p)]
    assert not [line for line in lines if f"6{mark}".encode() in line]


def _is_there(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def test_a_script_that_takes_too_long_is_ended(hosts: Fleet) -> None:
    row = hosts.run("echo begun; sleep 60", "open", Parameters={"executionTimeout": ["1"]})
    assert (row["Status"], row["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert (row["ResponseCode"], row["StandardOutputContent"]) == (-1, "begun\n")


def test_exit_code_and_both_streams_come_back(hosts: Fleet) -> None:
    row = hosts.run("echo out; echo err >&2; exit 7", "open")
    assert (row["Status"], row["ResponseCode"]) == ("Failed", 7)
    assert (row["StandardOutputContent"], row["StandardErrorContent"]) == ("out\n", "err\n")
    assert row["ExecutionStartDateTime"].startswith("2026-11-11T09:00:")
    long = hosts.run("head -c 30000 /dev/zero | tr '\\0' a", "open")
    assert len(long["StandardOutputContent"]) == 24_000


def test_calls_without_a_token_count_in_the_instances_metrics(hosts: Fleet) -> None:
    hosts.run(f"{V1}\n{V1}\n{TOKEN}{GET}", "open")
    hosts.run(V1, "strict")
    hosts.aws.control("clock", {"advance_seconds": 900})
    truth = hosts.aws.control("truth")["instances"]
    open_one, strict = truth[hosts.id("open")], truth[hosts.id("strict")]
    assert (open_one["v1_calls"], open_one["rejected_calls"]) == (2, 0)
    assert (strict["v1_calls"], strict["rejected_calls"]) == (0, 1)
    sums = {}
    for name, metric in (("open", "MetadataNoToken"), ("strict", "MetadataNoTokenRejected")):
        points = hosts.boto("cloudwatch").get_metric_statistics(
            Namespace="AWS/EC2",
            MetricName=metric,
            Dimensions=[{"Name": "InstanceId", "Value": hosts.id(name)}],
            StartTime="2026-11-11T08:00:00Z",
            EndTime="2026-11-11T10:00:00Z",
            Period=300,
            Statistics=["Sum"],
        )["Datapoints"]
        sums[name] = sum(point["Sum"] for point in points)
    assert sums == {"open": 2, "strict": 1}


@pytest.mark.parametrize(("cluster", "dead"), [("v2", False), ("v1-only", True)])
def test_the_ecs_agent_answers_unless_it_is_cut_off(
    simulated_aws: StartAws, boto: MakeClient, cluster: str, *, dead: bool
) -> None:
    need_hosts()
    agent = f"""
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.launch_template]]
name = "node"
[[account.region.launch_template.version]]
options = {{ http_tokens = "required" }}
[[account.region.auto_scaling_group]]
name = "ecs"
launch_template = "node"
ecs_cluster = "main"
eks_nodegroup = "workers"
callers = [{{ program = "ecs-agent", behaviour = "{cluster}" }}]
"""
    fleet = Fleet(simulated_aws(agent), boto)
    truth = fleet.aws.control("truth")["instances"]
    command = fleet.ssm.send_command(
        DocumentName="AWS-RunShellScript",
        InstanceIds=list(truth),
        Parameters={
            "commands": [
                "curl -s http://127.0.0.1:51678/v1/metadata || echo dead",
                "curl -s http://127.0.0.1:10248/healthz",
            ]
        },
    )["Command"]["CommandId"]
    (row,) = fleet.ended(command)
    said = row["CommandPlugins"][0]["Output"]
    assert ("dead" in said) is dead
    assert ('"Cluster": "main"' in said) is not dead
    assert said.endswith("ok"), "the kubelet calls nobody"


def test_right_after_sending_an_invocation_may_not_be_known_yet(fleet: Fleet) -> None:
    command = fleet.send("true", "open")
    get = fleet.ssm.get_command_invocation
    wanted = {"CommandId": command, "InstanceId": fleet.id("open")}
    assert code_of(get, **wanted) == "InvocationDoesNotExist"
    fleet.aws.control("clock", {"advance_seconds": 2})
    assert get(**wanted)["CommandId"] == command


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceId"),
        ({"InstanceIds": "unmanaged"}, "InvalidInstanceId"),
        ({"InstanceIds": "parked"}, "InvalidInstanceId"),
        ({"InstanceIds": "windows"}, "UnsupportedPlatformType"),
        ({"DocumentName": "AWS-RunEverything"}, "InvalidDocument"),
        ({"Parameters": {}}, "InvalidParameters"),
        ({"Parameters": {"commands": ["true"], "command": ["x"]}}, "InvalidParameters"),
        ({"MaxErrors": "many"}, "ValidationException"),
    ],
)
def test_what_aws_refuses_is_refused(fleet: Fleet, change: dict[str, Any], code: str) -> None:
    given: dict[str, Any] = {
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": [fleet.id("open")],
        "Parameters": {"commands": ["true"]},
        **change,
    }
    if isinstance(given["InstanceIds"], str):
        given["InstanceIds"] = [fleet.id(given["InstanceIds"])]
    assert code_of(fleet.ssm.send_command, **given) == code


def test_powershell_fails_with_the_reason(fleet: Fleet) -> None:
    command = fleet.ssm.send_command(
        DocumentName="AWS-RunPowerShellScript",
        InstanceIds=[fleet.id("windows")],
        Parameters={"commands": ["Get-Date"]},
    )["Command"]["CommandId"]
    row = fleet.result(command, "windows")
    assert row["Status"] == "Failed"
    assert "cannot run PowerShell" in row["StandardErrorContent"]


def test_targets_by_tag_reach_the_linux_instances_that_bear_it(hosts: Fleet) -> None:
    command = hosts.ssm.send_command(
        DocumentName="AWS-RunShellScript",
        Targets=[{"Key": "tag:env", "Values": ["prod", "dev"]}],
        Parameters={"commands": ["echo $AWS_SSM_INSTANCE_ID"]},
    )["Command"]["CommandId"]
    rows = hosts.ended(command)
    said = {row["InstanceId"]: row["CommandPlugins"][0]["Output"].strip() for row in rows}
    ids = {hosts.id("strict"), hosts.id("open")}
    assert said == {one: one for one in ids}


def test_too_many_errors_keep_the_rest_from_starting(hosts: Fleet) -> None:
    command = hosts.send("exit 1", "strict", "open", "roleless", MaxConcurrency="1", MaxErrors="0")
    states = sorted(row["StatusDetails"] for row in hosts.ended(command))
    assert states == ["Failed", "Terminated", "Terminated"]


def test_a_command_can_be_cancelled(hosts: Fleet) -> None:
    command = hosts.send("sleep 60", "strict", "open", MaxConcurrency="1")
    hosts.ssm.cancel_command(CommandId=command)
    assert {row["Status"] for row in hosts.ended(command)} == {"Cancelled"}
    listed = hosts.ssm.list_commands(CommandId=command)["Commands"]
    assert listed[0]["Status"] == "Cancelled"


def test_a_simulated_aws_that_stops_ends_its_scripts(hosts: Fleet) -> None:
    hosts.send("sleep 61", "open")
    time.sleep(0.5)
    began = time.monotonic()
    hosts.aws.__exit__(None, None, None)
    assert time.monotonic() - began < 10
    hosts.aws.__enter__()


def managed(fleet: Fleet, **filters: str) -> Iterator[tuple[str, str, str, str]]:
    given = [{"Key": key, "Values": [value]} for key, value in filters.items()]
    pages = fleet.ssm.get_paginator("describe_instance_information").paginate(
        Filters=given, PaginationConfig={"PageSize": 5}
    )
    names = {k: v["name"] for k, v in fleet.aws.control("truth")["instances"].items()}
    for page in pages:
        for row in page["InstanceInformationList"]:
            name = names[row["InstanceId"]]
            yield name, row["PingStatus"], row["AgentVersion"], row["PlatformType"]


def test_managed_nodes_are_the_running_ones_with_an_agent(fleet: Fleet) -> None:
    rows = {row[0]: row[1:] for row in managed(fleet)}
    assert set(rows) == {"strict", "open", "broken", "roleless", "old", "windows"}
    assert rows["old"] == ("Online", "2.3.612.0", "Linux")
    assert rows["windows"][2] == "Windows"
    assert [row[0] for row in managed(fleet, PlatformTypes="Windows")] == ["windows"]
    assert [row[0] for row in managed(fleet, InstanceIds=fleet.id("open"))] == ["open"]


def test_an_old_agent_is_lost_when_tokens_are_required_and_comes_back(fleet: Fleet) -> None:
    fleet.modify("old", HttpTokens="required")
    fleet.modify("open", HttpTokens="required")
    rows = {row[0]: row[1] for row in managed(fleet)}
    assert (rows["old"], rows["open"]) == ("ConnectionLost", "Online")
    command = fleet.send("true", "old", TimeoutSeconds=60)
    fleet.aws.control("clock", {"advance_seconds": 61})
    row = fleet.result(command, "old")
    assert (row["Status"], row["StatusDetails"]) == ("TimedOut", "Undeliverable")
    assert (row["ResponseCode"], row["ExecutionStartDateTime"]) == (-1, "")
    fleet.modify("old", HttpTokens="optional")
    assert {row[0]: row[1] for row in managed(fleet)}["old"] == "Online"


def test_an_agent_needs_the_metadata_service(fleet: Fleet) -> None:
    fleet.modify("open", HttpEndpoint="disabled")
    assert {row[0]: row[1] for row in managed(fleet)}["open"] == "ConnectionLost"


def test_inventory_shows_the_packages(fleet: Fleet) -> None:
    listed = fleet.ssm.list_inventory_entries(
        InstanceId=fleet.id("old"), TypeName="AWS:Application"
    )
    packages = {entry["Name"]: entry["Version"] for entry in listed["Entries"]}
    assert packages == {"amazon-ssm-agent": "2.3.612.0", "openssl": "3.0.8"}
