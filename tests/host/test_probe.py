"""The probe in Python and the probe in shell say the same, whatever the service does."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from imdsctl.emulator.background import Background
from imdsctl.emulator.settings import Behaviour, Fault, Settings
from imdsctl.host import probe as probe_module
from imdsctl.host.probe import verdict_on
from imdsctl.imds.options import Options

HERE = Path(probe_module.__file__)
SHELL = HERE.with_name("probe.sh")
PYTHON_3_9 = Path.home() / ".pyenv/versions/3.9.18/bin/python"
FIELDS = ["Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"]

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(values: dict[str, Any] | None = None, faults: str = "", **options: Any) -> str:
            behaviour = Behaviour(faults=(Fault.parse(faults),) if faults else ())
            settings = Settings(
                port=0, options=Options(**options), values=values or {}, behaviour=behaviour
            )
            return stack.enter_context(Background(settings)).emulator.url

        yield start


@pytest.fixture
def nobody_there() -> Iterator[str]:
    with socket.socket() as bound:  # bound, and not listening: nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


WAYS = {
    "python": [sys.executable, str(HERE)],
    "python 3.9": [str(PYTHON_3_9), "-I", str(HERE)],
    "curl": ["sh", str(SHELL), "--client", "curl"],
    "wget": ["sh", str(SHELL), "--client", "wget"],
    "bash": ["sh", str(SHELL), "--client", "bash"],
}


def here() -> dict[str, list[str]]:
    """Every way to probe that this machine has, by name."""
    there = {"python": True, "python 3.9": PYTHON_3_9.exists()}
    return {n: w for n, w in WAYS.items() if there.get(n, bool(shutil.which(n)))}


def say(way: list[str], *options: str) -> tuple[int, dict[str, Any], str]:
    words = [*way, "--no-container", "--timeout", "1", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stdout


def agreed(*options: str) -> tuple[int, dict[str, Any]]:
    """What all ways say; they must say the same."""
    answers = {name: say(way, *options) for name, way in here().items()}
    code, answer, _ = answers["python"]
    for name, (other_code, other, text) in answers.items():
        assert (other_code, other) == (code, answer), name
        assert "FAKE" not in text, f"{name} shows a credential"
        assert "AQAE" not in text, f"{name} shows a token"
    return code, answer


def test_this_machine_has_the_shell_and_a_client() -> None:
    assert {"python", "curl", "bash"} <= set(here())


def test_v2_only(serve: Serve) -> None:
    code, answer = agreed("--endpoint", serve(http_tokens="required"))
    assert (code, answer["verdict"]) == (0, "v2-only")
    assert (answer["v1"], answer["v2"]) == ({"status": 401}, {"status": 200})
    assert answer["credentials"] == {"found": True, "fields": FIELDS}
    assert answer["schema"] == "imdsctl/host-probe/v1"


def test_v1_still_allowed(serve: Serve) -> None:
    code, answer = agreed("--endpoint", serve(http_tokens="optional"))
    assert (code, answer["verdict"], answer["v1"]["status"]) == (1, "v1-allowed", 200)


def test_switched_off(serve: Serve) -> None:
    code, answer = agreed("--endpoint", serve(http_endpoint="disabled"))
    assert (code, answer["verdict"], answer["v1"]["status"]) == (0, "imds-off", 403)


def test_an_instance_without_a_role_is_fine(serve: Serve) -> None:
    code, answer = agreed("--endpoint", serve({"iam": False}, http_tokens="required"))
    assert (code, answer["verdict"]) == (0, "v2-only")
    assert answer["credentials"] == {"found": False, "fields": []}


def test_a_role_without_credentials_is_broken(serve: Serve) -> None:
    iam = {"role": "app", "code": "AssumeRoleUnauthorizedAccess"}
    code, answer = agreed("--endpoint", serve({"iam": iam}, http_tokens="required"))
    assert (code, answer["verdict"]) == (1, "broken")
    assert answer["credentials"]["found"] is False


@pytest.mark.parametrize("tokens", ["optional", "required"])
def test_a_token_that_never_comes_is_unreachable(serve: Serve, tokens: str) -> None:
    code, answer = agreed("--endpoint", serve(faults="timeout:1:token", http_tokens=tokens))
    assert (code, answer["verdict"]) == (1, "v2-unreachable")
    assert (answer["token"], answer["v2"]) == ({"status": None}, {"status": None})


def test_a_service_in_trouble_is_broken(serve: Serve) -> None:
    code, answer = agreed("--endpoint", serve(faults="503:1"))
    assert (code, answer["verdict"], answer["token"]["status"]) == (1, "broken", 503)


def test_nobody_there_is_another_exit_code(nobody_there: str) -> None:
    code, answer = agreed("--endpoint", nobody_there)
    assert (code, answer["verdict"], answer["v1"]["status"]) == (3, "broken", None)


def test_ipv6_is_asked_with_the_token(serve: Serve) -> None:
    url = serve(http_tokens="required")
    _, answer = agreed("--endpoint", url, "--ipv6-endpoint", url)
    assert answer["ipv6"]["status"] == 200


def test_ipv6_itself() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    settings = Settings(
        host="127.0.0.1", port=0, ipv6=True, options=Options(http_tokens="required")
    )
    with ExitStack() as stack:
        try:
            running = stack.enter_context(Background(settings))
        except OSError:
            pytest.skip("no IPv6 on loopback here")
        url = running.emulator.ipv6_url
        assert url is not None
        code, answer = agreed("--endpoint", url)
    assert (code, answer["verdict"]) == (0, "v2-only")


def test_an_old_shell_is_enough(serve: Serve) -> None:
    url = serve(http_tokens="required")
    for shell in ("dash", "busybox", "bash"):
        if shutil.which(shell):
            way = [shell, *(["sh"] if shell == "busybox" else []), str(SHELL), "--client", "curl"]
            assert say(way, "--endpoint", url)[1]["verdict"] == "v2-only", shell


def test_the_shell_probe_works_when_piped_in(serve: Serve) -> None:
    words = ["sh", "-s", "--", "--endpoint", serve(http_tokens="required"), "--no-container"]
    done = subprocess.run(words, input=SHELL.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "v2-only"


@pytest.mark.parametrize(
    ("aws", "code", "sts"),
    [
        (
            "echo arn:aws:sts::123456789012:assumed-role/app/i-0abc",
            0,
            {"ok": True, "via": "aws", "arn": "arn:aws:sts::123456789012:assumed-role/app/i-0abc"},
        ),
        (
            "echo 'Unable to locate credentials' >&2; exit 253",
            1,
            {"ok": False, "via": "aws", "arn": None},
        ),
    ],
)
def test_aws_is_asked_who_this_is(
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aws: str,
    code: int,
    sts: dict[str, Any],
) -> None:
    (tmp_path / "aws").write_text(f"#!/bin/sh\n{aws}\n")
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert agreed("--endpoint", serve(http_tokens="required"), "--sts")[0] == code
    assert agreed("--endpoint", serve(http_tokens="required"), "--sts")[1]["sts"] == sts


def test_a_host_without_any_aws_client_is_no_failure(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sh", "curl", "sed", "tr", "tail", "head", "awk", "cat", "grep", "timeout", "id"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(found)
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "botocore").mkdir()
    (tmp_path / "botocore" / "__init__.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    url = serve(http_tokens="required")
    for way in (
        ["sh", str(SHELL), "--client", "curl"],
        [sys.executable, str(SHELL.with_suffix(".py"))],
    ):
        code, answer, _ = say(way, "--endpoint", url, "--sts")
        assert (code, answer["sts"]) == (0, {"ok": False, "via": None, "arn": None}), way


def test_a_misspelt_option_is_refused() -> None:
    for way in here().values():
        done = subprocess.run([*way, "--endpiont", "x"], capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("v1", "token", "v2", "verdict"),
    [
        (401, 200, 200, "v2-only"),
        (200, 200, 200, "v1-allowed"),
        (403, 403, None, "imds-off"),
        (200, None, None, "v2-unreachable"),
        (401, None, None, "v2-unreachable"),
        (None, None, None, "broken"),
        (None, 200, 200, "broken"),
        (401, 200, 401, "broken"),
        (404, 200, 200, "broken"),
        (401, 403, None, "broken"),
    ],
)
def test_three_statuses_make_a_verdict(
    v1: int | None, token: int | None, v2: int | None, verdict: str
) -> None:
    assert verdict_on(v1, token, v2, resolves=True) == verdict


def test_a_role_that_does_not_resolve_spoils_a_good_verdict() -> None:
    assert verdict_on(401, 200, 200, resolves=False) == "broken"
