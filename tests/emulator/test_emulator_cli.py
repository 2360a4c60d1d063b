"""`imdsctl emulate` as its users run it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from emulator_client import (
    INSTANCE_ID,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

from imdsctl.cli import main

Start = Callable[..., tuple["subprocess.Popen[str]", dict[str, str]]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command and waits for the lines it prints; `started["…"]` are their values."""
    with ExitStack() as stack:

        def run(*arguments: str, lines: int = 1) -> tuple["subprocess.Popen[str]", dict[str, str]]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "imdsctl", "emulate", "--port", "0", *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env={k: v for k, v in os.environ.items() if not k.startswith("IMDSCTL_")},
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            said = {}
            for _ in range(lines):
                name, _, value = process.stdout.readline().strip().partition("=")
                said[name.removeprefix("export ")] = value
            return process, said

        yield run


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(start: Start, number: int) -> None:
    process, said = start("--http-tokens", "required", "--hop-limit", "2")
    url = said["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))):  # and hangs on
        assert status(url + INSTANCE_ID) == 401
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "V2 only · hop limit 2 · its credentials are fakes" in err
    assert "Traceback" not in err


def test_the_control_endpoint_and_the_access_log(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    process, said = start("--control-port", "0", "--access-log", str(log), lines=2)
    url, control = said["AWS_EC2_METADATA_SERVICE_ENDPOINT"], said["IMDSCTL_EMULATOR_CONTROL"]
    assert status(url + INSTANCE_ID) == 200
    body = json.dumps({"http_tokens": "required"}).encode()
    with urllib.request.urlopen(f"{control}/_imdsctl/options", data=body, timeout=5) as answer:
        assert json.load(answer)["http_tokens"] == "required"
    assert status(url + INSTANCE_ID) == 401
    process.terminate()
    process.wait(timeout=10)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["version"], line["status"]) for line in lines] == [("v1", 200), ("v1", 401)]
    assert set(lines[0]) == {
        "ts", "method", "path", "version", "status", "user_agent", "peer", "rule",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["ts"])
    assert log.stat().st_mode & 0o077 == 0


def test_the_access_log_can_be_stdout(start: Start) -> None:
    process, _ = start("--access-log", "-", lines=0)
    assert process.stderr is not None
    url = re.search(r"answers at (\S+)", process.stderr.readline())
    assert url is not None
    assert status(url[1] + INSTANCE_ID) == 200
    process.terminate()
    out, _ = process.communicate(timeout=10)
    assert json.loads(out)["version"] == "v1"


def test_a_log_that_nobody_reads_any_more_does_not_stop_it(start: Start) -> None:
    process, _ = start("--access-log", "-", lines=0)
    assert process.stderr is not None
    assert process.stdout is not None
    url = re.search(r"answers at (\S+)", process.stderr.readline())
    assert url is not None
    process.stdout.close()
    assert [status(url[1] + INSTANCE_ID) for _ in range(3)] == [200, 200, 200]
    process.terminate()
    assert process.wait(timeout=10) == 0
    assert "the access log ends here: Broken pipe" in process.stderr.read()


def test_the_mocks_subcommands_and_names_work(start: Start) -> None:
    _, said = start("spot", "--action", "hibernate", "--mock-delay-sec", "0", "-I")
    url = said["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    assert status(url + INSTANCE_ID) == 401
    ask = urllib.request.Request(
        f"{url}/latest/api/token",
        method="PUT",
        headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
    )
    with urllib.request.urlopen(ask, timeout=5) as answer:
        token = answer.read().decode()
    notice = urllib.request.Request(
        f"{url}/latest/meta-data/spot/instance-action",
        headers={"X-aws-ec2-metadata-token": token},
    )
    with urllib.request.urlopen(notice, timeout=5) as answer:
        assert json.load(answer)["action"] == "hibernate"


def test_listening_beyond_this_machine_is_warned_of(start: Start) -> None:
    process, _ = start("--host", "0.0.0.0")
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert "warning: it listens on 0.0.0.0, so other machines may reach it" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hop-limit", "65"], "1 to 64"),
        (["--host", "example.com"], "no IP address"),
        (["--port", "70000"], "there is no port 70000"),
        (["--fault", "503"], "is no fault"),
        (["--latency", "-1"], "latency is 0 or more"),
        (["--time", "2030-01-01T00:00:00Z"], "name its --spot-action"),
        (["--not-before", "1h"], "name its --event"),
        (["--event", "explode"], "an event code is"),
        (["--after", "soon", "--spot-action", "stop"], "'soon' is no time"),
        (["--lifecycle-state", "Gone"], "Gone"),
        (["--config", "nothing.toml"], "nothing.toml could not be read"),
        (["--http-tokens", "maybe"], "maybe"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emulate", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["emulate", "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"127.0.0.1:{port} cannot be used: Address already in use" in err
    assert "hint: --port 0" in err


def test_recording_writes_a_file_that_emulate_reads(
    emulator: StartEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = emulator({"http_tokens": "required"}, values={"instance_id": "i-0abc"})
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", client.emulator.url)
    for name in ("values.toml", "values.json"):
        path = tmp_path / name
        assert main(["emulate", "--record", str(path)]) == 0
        assert path.stat().st_mode & 0o077 == 0
        assert "credentials and signatures are left out" in capsys.readouterr().err
        from imdsctl.emulator.files import load  # noqa: PLC0415 - only here

        values: dict[str, Any] = load(path).values
        assert values["instance_id"] == "i-0abc"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    assert main(["emulate", "--record", str(tmp_path / "none.toml")]) == 3
    assert "no metadata service answers" in capsys.readouterr().err


def test_imdsctls_settings_named_by_the_environment_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "imdsctl.toml"
    settings.write_text("[scan]\ndays = 7\n")
    monkeypatch.setenv("IMDSCTL_CONFIG", str(settings))
    assert main(["emulate", "--fault", "nonsense"]) == 2
    assert "'nonsense' is no fault" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--values", "--config", "--config-file", "-c"])
def test_a_file_describes_the_instance(start: Start, tmp_path: Path, option: str) -> None:
    path = tmp_path / "values.toml"
    path.write_text('[options]\nhttp_tokens = "required"\n[values]\ninstance_id = "i-0abc"\n')
    process, said = start(option, str(path))
    assert status(said["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + INSTANCE_ID) == 401
    process.terminate()
    assert "the metadata service of i-0abc answers" in process.communicate(timeout=10)[1]
