"""The demo from its first word to its report, and what plain boto3 says of the fleet then."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[list[str], dict[str, str], Path]]:
    """Everything that the demo says, what it tells to export, and where it put its files."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "imdsctl", "demo", "--keep", "--directory", str(folder)]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert run.stdout is not None
    lines: list[str] = []
    try:
        for line in run.stdout:
            lines.append(line.rstrip())
            if line.startswith("Ctrl-C ends it"):
                break
        exported = dict(re.findall(r"^export (\w+)=(.*)$", "\n".join(lines), re.MULTILINE))
        yield lines, exported, folder
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(timeout=30) == 0, "\n".join(lines[-20:])
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def ask(exported: dict[str, str], path: str) -> Any:
    with urllib.request.urlopen(f"{exported['AWS_ENDPOINT_URL']}/_imdsctl/{path}") as answer:
        return json.load(answer)


CLOSED = ("333333333333", "ap-southeast-2")


def session_in(account: str, home: boto3.Session, endpoint: dict[str, str]) -> boto3.Session:
    sts = home.client("sts", endpoint_url=endpoint["endpoint_url"])
    if sts.get_caller_identity()["Account"] == account:
        return home
    given = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/imdsctl-read", RoleSessionName="check"
    )["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def described(exported: dict[str, str], accounts: list[str], regions: list[str]) -> Counter[str]:
    """How many instances are V2 only, allow v1, or are off, by boto3 alone."""
    endpoint = {"endpoint_url": exported["AWS_ENDPOINT_URL"]}
    home = boto3.Session("x", "x", region_name="eu-west-1")
    sessions = {account: session_in(account, home, endpoint) for account in accounts}
    return Counter(
        posture_of(instance["MetadataOptions"])
        for account, session in sessions.items()
        for region in regions
        if (account, region) != CLOSED
        for page in session.client("ec2", region_name=region, **endpoint)
        .get_paginator("describe_instances")
        .paginate()
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    )


def posture_of(options: dict[str, str]) -> str:
    if options["HttpEndpoint"] == "disabled":
        return "imds_off"
    return "v2_only" if options["HttpTokens"] == "required" else "v1_allowed"


def test_boto3_and_status_tell_the_same_story(
    told: tuple[list[str], dict[str, str], Path],
) -> None:
    _, exported, folder = told
    environment = {**os.environ, **exported}
    status = subprocess.run(
        [sys.executable, "-m", "imdsctl", "status", "-o", "json"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert status.returncode == 3, f"one region is closed: {status.stderr}"
    said = json.loads(status.stdout)
    found = described(exported, said["accounts"], ["eu-west-1", "eu-central-1", "us-east-1",
                                                   "us-west-2", "ap-southeast-2"])  # fmt: skip
    counted = {k: said["instances"][k] for k in ("v1_allowed", "v2_only", "imds_off")}
    assert dict(found) == counted
    assert said["launch_paths"]["v1_allowed"] == 0


def test_only_the_caught_canary_was_ever_cut_off_and_it_is_back_as_recorded(
    told: tuple[list[str], dict[str, str], Path],
) -> None:
    _, exported, _ = told
    instances = ask(exported, "truth")["instances"]
    (cut,) = [one for one in instances.values() if one["cut_off"]]
    assert cut["name"] == "a-report-runner"
    assert all(gap["to"] for gap in cut["cut_off"]), "and not any more"
    assert cut["options"]["http_tokens"] == "optional"


def test_what_stays_on_v1_would_be_cut_off_or_cannot_be_known(
    told: tuple[list[str], dict[str, str], Path],
) -> None:
    _, exported, folder = told
    instances = ask(exported, "truth")["instances"]
    left = {
        key: one
        for key, one in instances.items()
        if one["state"] != "terminated"
        and one["options"]["http_tokens"] == "optional"
        and one["options"]["http_endpoint"] == "enabled"
        and one["region"] != "ap-southeast-2"
    }
    # A count of calls cannot show that a caller would go on with v2 when v1 is refused.
    safe = {one["name"] for one in left.values() if one["safe_now"] and not one["v1_calls"]}
    # No data, stopped, or managed by AWS: silence that proves nothing, or that nobody may change.
    stems = {re.sub(r"-\d+$", "", name) for name in safe}
    assert stems <= {"archive", "grafana", "auto-node", "prometheus"}, stems
    plan = json.loads((folder / "plan.json").read_text())
    held = {h["resource"] for h in plan["held"] if h["reasons"] and h["reasons"][0]["summary"]}
    assert set(left) <= held


def test_it_says_what_it_did_and_leaves_a_report(
    told: tuple[list[str], dict[str, str], Path],
) -> None:
    lines, _, folder = told
    text = "\n".join(lines)
    assert "Traceback" not in text
    assert "the canary that was caught" in text
    assert f"The report: {folder / 'report.html'}" in text
    assert (folder / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")
