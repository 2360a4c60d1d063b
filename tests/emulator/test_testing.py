"""`imdsctl.testing`, as other projects use it."""

import subprocess
import sys
import urllib.request
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from botocore.session import Session

from imdsctl.testing import Imds

MODULE = "imdsctl.testing.plugin"
INSTALLED = any(one.value == MODULE for one in entry_points(group="pytest11"))

SUITE = """
import os
import urllib.request

import pytest


def v1():
    url = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    agent = {"User-Agent": "old-app/1.0"}
    ask = urllib.request.Request(url + "/latest/meta-data/instance-id", headers=agent)
    return urllib.request.urlopen(ask, timeout=5).read().decode()


def v2():
    import botocore.session

    return botocore.session.Session().get_credentials().access_key


@pytest.mark.v2_only
def test_good():
    assert v2().startswith("ASIAFAKE")


@pytest.mark.v2_only
def test_bad():
    v1()


def test_unmarked(imds):
    assert v1() == "i-1234567890abcdef0"
    assert imds.v1_calls == 1


@pytest.mark.imds(values={"instance_id": "i-0abc"}, http_tokens="optional")
def test_configured(imds):
    assert v1() == "i-0abc"
"""


def v1(imds: Imds) -> str:
    with urllib.request.urlopen(f"{imds.url}/latest/meta-data/instance-id", timeout=5) as answer:
        return str(answer.read().decode())


def test_calls_are_counted_by_how_they_spoke(monkeypatch: pytest.MonkeyPatch) -> None:
    with Imds(values={"iam": {"role": "web"}}) as imds:
        for name, text in imds.isolated_environment({}).items():
            monkeypatch.setenv(name, text)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        credentials = Session().get_credentials()
        assert credentials.access_key.startswith("ASIAFAKE")
        assert (imds.token_calls, imds.v2_calls, imds.v1_calls) == (1, 2, 0)
        assert v1(imds) == "i-1234567890abcdef0"
        assert imds.v1_calls == 1
        assert imds.requests[-1].version == "v1"
        imds.reset()
        assert imds.v1_calls == 0


def test_options_and_values_can_change() -> None:
    with Imds(hop_limit=2, endpoint="enabled") as imds:
        assert imds.options["http_put_response_hop_limit"] == 2
        imds.set_values(paths={"meta-data/instance-id": "changed"})
        assert v1(imds) == "changed"
        imds.set_options(http_tokens="required")
        with pytest.raises(OSError, match="401"):
            v1(imds)
    with pytest.raises(OSError, match="refused"):
        v1(imds)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="http_tokens"):
        Imds(http_tokens="never")
    with pytest.raises(ValueError, match="did you mean instance_id"):
        Imds(values={"instanceid": "i-1"})


def test_an_sdk_in_a_subprocess_uses_it_whatever_surrounds_it() -> None:
    code = "import botocore.session as s; print(s.Session().get_credentials().access_key)"
    with Imds(http_tokens="required") as imds:
        base = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "HOME": "/nonexistent"}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=imds.isolated_environment(base),
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.startswith("ASIAFAKE")
        assert imds.v2_calls == 2


def test_the_plugin_fails_a_marked_test_that_called_v1(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    load = [] if INSTALLED else ["-p", MODULE]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *load]
    ran = subprocess.run(
        [*command, "--strict-markers", "test_suite.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "FAILED test_suite.py::test_bad" in ran.stdout
    assert "1 calls over IMDSv1:" in ran.stdout
    assert "GET /latest/meta-data/instance-id  old-app/1.0" in ran.stdout


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        f"import sys, pytest; before = set(sys.modules); import {MODULE}; "
        "print(*(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) <= {"imdsctl", "imdsctl.testing", MODULE}
    heavy = (
        "import sys, imdsctl.testing.imds; "
        "print('botocore' in sys.modules, 'msgspec' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
