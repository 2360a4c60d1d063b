"""Marked secrets in command lines, headers and responses appear nowhere."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer

MARK = "hushhush"
URL = "http://169.254.169.254/latest/meta-data/"
SHELL = f'export SECRET_KEY={MARK}env; curl -s -o /dev/null -H "Cookie: {MARK}cookie" {URL}'

COMMANDS = [
    ["curl", "-s", "-H", f"X-aws-ec2-metadata-token: {MARK}header", URL],
    ["curl", "-s", "-H", f"Authorization: Bearer {MARK}bearer", URL],
    ["curl", "-s", "-u", f"me:{MARK}user", URL],
    ["curl", "-s", f"http://me:{MARK}url@169.254.169.254/latest/meta-data/?token={MARK}query"],
    ["curl", "-s", "-A", f"agent Bearer {MARK}agent", URL],
    ["curl", "-s", "--data", f'{{"password": "{MARK} json"}}', URL],
    ["curl", "-s", f"http://169.254.169.254/latest/meta-data/ASIA{MARK.upper()}ABCDEFGH"],
    ["curl", "-s", f"http://169.254.169.254/other/AQAEA{MARK}AAAAAAAAAAAAAAAAAAAAAAAAAA=="],
    # Longer than what the kernel copies, and cut off in the middle of a secret.
    ["curl", "-s", "-H", "X-Filler: " + "x" * 420, "-H", f"X-Api-Key: {MARK * 20}", URL],
    ["sh", "-c", f"{SHELL}; exit 0"],
]
RESPONSES = ["iam/security-credentials/", "iam/info"]


def test_marked_secrets_appear_nowhere(
    tracer: Callable[..., Tracer], world: World, unit: Unit, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    log = tmp_path / "trace.jsonl"
    trace = tracer("--cgroup", unit.name, "--file", log)
    for command in COMMANDS:
        unit.run(*command, network=world.network)
    credentials = unit.run("curl", "-s", URL + RESPONSES[0], network=world.network).stdout
    answer = unit.run(
        "curl", "-s", URL + RESPONSES[0] + credentials.split()[0], network=world.network
    ).stdout
    trace.end()
    everything = "".join(map(json.dumps, trace.records)) + "".join(trace.said) + log.read_text()
    assert len(trace.lines) >= len(COMMANDS) + 1
    assert MARK.lower() not in everything.lower()
    secrets = [json.loads(answer)[name] for name in ("SecretAccessKey", "Token", "AccessKeyId")]
    assert all(secrets)
    assert not [one for one in secrets if one in everything]
    # What people need to recognise a program is still there.
    assert "X-aws-ec2-metadata-token: ***" in everything


def test_the_rows_for_people_have_none_either(world: World, unit: Unit) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    trace = subprocess.Popen(
        [sys.executable, "-m", "imdsctl", "host", "trace", "--cgroup", unit.name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert trace.stderr is not None
    assert "tracing by bpf" in trace.stderr.readline()
    for command in COMMANDS[:3]:
        unit.run(*command, network=world.network)
    time.sleep(0.5)
    trace.send_signal(signal.SIGINT)
    out, err = trace.communicate(timeout=30)
    assert out.count("curl (") >= 3
    assert MARK not in out + err
