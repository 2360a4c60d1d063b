"""Each row of the table of exit codes, with a real cause."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import ANSI, DENIED, FLEET, Imdsctl, StartAws, process
from imdsctl.aws.clock import RealClock
from imdsctl.simulator.server import SimulatedAws
from imdsctl.store import open_store

MakeClient = Callable[..., Any]
MONTHLY = """
[[account.region.instance]]
name = "report-runner"
count = 2
callers = [{ program = "month-end", behaviour = "v1-only", when = "monthly" }]
"""


def post(aws: SimulatedAws, path: str, body: bytes) -> None:
    request = urllib.request.Request(f"{aws.url}/_imdsctl/{path}", data=body)
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def instances(boto: MakeClient, **filters: str) -> dict[str, dict[str, Any]]:
    found = boto("ec2").describe_instances(
        Filters=[{"Name": f"tag:{k}", "Values": [v]} for k, v in filters.items()]
    )
    return {i["InstanceId"]: i for r in found["Reservations"] for i in r["Instances"]}


def tokens(boto: MakeClient) -> set[str]:
    return {i["MetadataOptions"]["HttpTokens"] for i in instances(boto, Name="quiet*").values()}


@pytest.mark.usefixtures("planned")
def test_0_did_all_it_was_asked(imdsctl: Imdsctl, boto: MakeClient) -> None:
    applied = imdsctl("apply", "plan.json", "--yes")
    assert applied.code == 0, applied.err
    assert tokens(boto) == {"required"}
    assert imdsctl("verify").code == 0
    assert imdsctl("status").code == 0
    back = imdsctl("rollback", "--yes")
    assert back.code == 0, back.err
    assert tokens(boto) == {"optional"}


@pytest.mark.usefixtures("scanned")
def test_1_a_failed_control(imdsctl: Imdsctl) -> None:
    said = imdsctl("check", "--benchmark", "cis-5.6")
    assert said.code == 1
    assert "HttpTokens is optional" in said.out


@pytest.mark.usefixtures("planned")
def test_1_a_change_that_did_not_last(imdsctl: Imdsctl, boto: MakeClient) -> None:
    assert imdsctl("apply", "plan.json", "--yes").code == 0
    someone = next(iter(instances(boto, Name="quiet*")))
    boto("ec2").modify_instance_metadata_options(InstanceId=someone, HttpTokens="optional")
    said = imdsctl("verify")
    assert said.code == 1
    assert someone in said.out
    assert f"--only {someone}" in said.err


def test_3_a_region_that_could_not_be_read(simulated_aws: StartAws, imdsctl: Imdsctl) -> None:
    simulated_aws(FLEET + DENIED)
    said = imdsctl("scan", "--regions", "eu-west-1,us-east-1")
    assert said.code == 3
    assert "us-east-1 in 111111111111: access denied" in said.out
    assert "ec2:DescribeInstances" in said.out
    assert imdsctl("status").code == 3
    assert imdsctl("plan", "-f", "plan.json").code == 3
    assert imdsctl("check", "--benchmark", "cis-5.6").code == 1, "a failure outweighs a gap"


@pytest.mark.usefixtures("aws")
def test_3_a_role_that_is_not_there(imdsctl: Imdsctl) -> None:
    said = imdsctl(
        "scan", "--regions", "eu-west-1", "--accounts", "999999999999", "--role-name", "nobody"
    )
    assert said.code == 3
    assert "999999999999" in said.out
    assert "sts:AssumeRole" in said.out


def test_4_a_gate_that_failed(
    simulated_aws: StartAws, imdsctl: Imdsctl, boto: MakeClient, tmp_path: Path
) -> None:
    simulated_aws(FLEET + MONTHLY)
    (tmp_path / "imdsctl.toml").write_text(
        "[waves.stateful]\ncanaries = 1\nsoak_seconds = 21600\n"
        "[[wave_rule]]\nwave = 'stateful'\ntags = { Name = '*' }\n"
    )
    assert imdsctl("scan", "--regions", "eu-west-1").code == 0
    # The canary is the monthly caller, which has been quiet for two weeks.
    caught = next(iter(instances(boto, Name="report-runner-1")))
    assert imdsctl("plan", "-f", "plan.json", "--only", caught).code == 0
    said = imdsctl("apply", "plan.json", "--yes")
    assert said.code == 4
    assert "stopped: " in said.out
    assert "1 rolled back" in said.out
    assert f"imdsctl explain {caught}" in said.err
    assert "--resume" in said.err
    options = instances(boto, Name="report-runner-1")[caught]["MetadataOptions"]
    assert options["HttpTokens"] == "optional"


@pytest.mark.usefixtures("planned")
def test_5_a_plan_altered_in_one_byte(imdsctl: Imdsctl, boto: MakeClient, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    before = plan.read_bytes()
    altered = before.replace(
        b'"http_put_response_hop_limit": 1', b'"http_put_response_hop_limit": 3'
    )
    assert altered != before
    plan.write_bytes(altered)
    for command in (["apply", "plan.json", "--yes"], ["show", "plan.json"]):
        said = imdsctl(*command)
        assert said.code == 5, command
        assert "changed after it was sealed" in said.err
        assert "imdsctl plan" in said.err
    assert tokens(boto) == {"optional"}


@pytest.mark.usefixtures("planned")
def test_5_a_plan_older_than_the_fleet(imdsctl: Imdsctl, boto: MakeClient) -> None:
    someone = next(iter(instances(boto, Name="quiet*")))
    boto("ec2").modify_instance_metadata_options(InstanceId=someone, HttpPutResponseHopLimit=5)
    said = imdsctl("apply", "plan.json", "--yes")
    assert said.code == 5
    assert someone in said.err
    assert tokens(boto) == {"optional"}, "nothing was done to the others either"
    versions = boto("ec2").describe_launch_template_versions(LaunchTemplateName="web")
    assert len(versions["LaunchTemplateVersions"]) == 1
    assert imdsctl("runs", "-o", "json").json()["runs"] == []


def test_5_a_plan_of_last_week(planned: SimulatedAws, imdsctl: Imdsctl, boto: MakeClient) -> None:
    post(planned, "clock", b'{"advance_seconds": 691200}')
    said = imdsctl("apply", "plan.json", "--yes")
    assert said.code == 5
    assert "8 days ago" in said.err
    assert tokens(boto) == {"optional"}


@pytest.mark.usefixtures("planned")
def test_5_another_run_holds_the_lock(imdsctl: Imdsctl, boto: MakeClient) -> None:
    store = open_store("imdsctl.db", clock=RealClock())
    try:
        with store.lock():
            said = imdsctl("apply", "plan.json", "--yes")
    finally:
        store.close()
    assert said.code == 5
    assert str(os.getpid()) in said.err, "who holds it"
    assert tokens(boto) == {"optional"}


@pytest.mark.usefixtures("planned")
def test_5_nobody_confirmed(
    imdsctl: Imdsctl, boto: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        said = imdsctl("apply", "plan.json")
    assert said.code == 5
    assert "--yes" in said.err
    assert tokens(boto) == {"optional"}


@pytest.mark.usefixtures("planned")
def test_5_a_rollback_that_ec2_would_refuse(imdsctl: Imdsctl, boto: MakeClient) -> None:
    assert imdsctl("apply", "plan.json", "--yes").code == 0
    boto("ec2").modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    said = imdsctl("rollback", "--yes")
    assert said.code == 5
    assert "HttpTokensEnforced" in said.err
    assert tokens(boto) == {"required"}


@pytest.mark.usefixtures("aws")
def test_6_no_credentials(
    imdsctl: Imdsctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    said = imdsctl("scan")
    assert said.code == 6
    assert "no valid AWS credentials" in said.err
    assert "hint: " in said.err


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ("[profile other]\n", 6, "The config profile (mine) could not be found"),
        ("[profile mine\n", 2, "Unable to parse config file"),
        ("[profile mine]\ncredential_process = /no/such/program\n", 6, "/no/such/program"),
    ],
)
def test_aws_settings_that_lead_nowhere(
    imdsctl: Imdsctl,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: str,
    code: int,
    words: str,
) -> None:
    file = tmp_path / "aws-config"
    file.write_text(settings)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    said = imdsctl("scan")
    assert said.code == code
    assert words in said.err
    assert "hint: " in said.err
    assert "Traceback" not in said.err


@pytest.mark.usefixtures("aws")
def test_6_nobody_answers(imdsctl: Imdsctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("IMDSCTL_CLOCK")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    said = imdsctl("scan")
    assert said.code == 6
    assert "AWS cannot be reached" in said.err


def test_130_ctrl_c_during_a_scan(aws: SimulatedAws, imdsctl: Imdsctl, tmp_path: Path) -> None:
    post(aws, "faults", b'[{"operation": "DescribeInstances", "fault": "slow", "seconds": 3}]')
    with process("scan", "--regions", "eu-west-1", cwd=tmp_path) as scan:
        deadline = time.monotonic() + 30
        while not (tmp_path / "imdsctl.db").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        scan.send_signal(signal.SIGINT)
        out, err = scan.communicate(timeout=30)
    assert scan.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert out == ""
    post(aws, "faults", b"[]")
    assert imdsctl("scan", "--regions", "eu-west-1").code == 0


def test_130_ctrl_c_during_a_soak_and_resume(
    simulated_aws: StartAws, imdsctl: Imdsctl, boto: MakeClient, tmp_path: Path
) -> None:
    # It starts at the real now, so that the soak is one in real time and no test waits for it.
    simulated_aws(FLEET.replace("start = 2026-10-31T20:00:00Z", ""))
    assert imdsctl("scan", "--regions", "eu-west-1").code == 0
    assert imdsctl("plan", "-f", "plan.json").code == 0
    environment = {k: v for k, v in os.environ.items() if k != "IMDSCTL_CLOCK"}
    with process("apply", "plan.json", "--yes", cwd=tmp_path, env=environment) as run:
        assert run.stderr is not None
        lines = []
        for line in run.stderr:
            lines.append(ANSI.sub("", line))
            if "soak" in line:
                break
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    name = lines[0].split()[1]
    assert f"imdsctl apply --resume {name}" in err
    said = imdsctl("runs", name, "-o", "json").json()
    assert said["state"] == "interrupted"
    assert {c["state"] for c in said["changes"]} == {"applied", "pending"}
    resumed = imdsctl("apply", "--resume", name, "--yes")
    assert resumed.code == 0, resumed.err
    assert {c["state"] for c in imdsctl("runs", name, "-o", "json").json()["changes"]} == {
        "applied"
    }
    assert tokens(boto) == {"required"}
