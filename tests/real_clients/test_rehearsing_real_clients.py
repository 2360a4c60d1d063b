"""`imdsctl rehearse` on real clients: it names each for what it is."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest
from client_runs import why_no_world
from client_shelf import Client, named

IMDSCTL = (sys.executable, "-m", "imdsctl", "rehearse", "-o", "json")
SDK_IN_USE = ("botocore", "1.44.5")


def rehearse(client: Client, *options: str) -> tuple[int, dict[str, Any]]:
    """One rehearsal as a user types it; gives the exit code and what it reports."""
    if why := why_no_world() or client.missing():
        pytest.skip(f"{client.id}: {why}")
    with tempfile.TemporaryDirectory() as folder:
        # Set for the client alone: imdsctl is no place for a botocore of 2019.
        settings = [f"{name}={text}" for name, text in client.environment().items()]
        words = ["env", *settings, f"HOME={folder}"]
        if client.device == "/dev/fuse":
            words += ["unshare", "-rm"]  # what it mounts is seen by itself alone
        done = subprocess.run(
            [*IMDSCTL, "--timeout", "15", *options, "--", *words, *client.command()],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            env={k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "IMDSCTL_"))},
            check=False,
        )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return done.returncode, told


def verdict(told: dict[str, Any]) -> str:
    return str(told["finding"]["verdict"])


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("boto", "2.49.0"),
        ("botocore", "1.12.253"),
        ("botocore", "1.13.0"),
        ("awscli", "1.16.100"),
        ("ec2-metadata", "2.0.0"),
        ("aws-sdk for Node.js", "2.574.0"),
    ],
)
def test_a_client_from_before_v2_is_v1_only(name: str, version: str) -> None:
    code, told = rehearse(named(name, version))
    assert (verdict(told), code) == ("v1-only", 1)


def test_exit_code_0_of_an_old_client_is_no_proof() -> None:
    _, told = rehearse(named("botocore", "1.12.253"))
    assert told["exit_code"] == 0
    assert told["finding"]["breaks"] is True


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("botocore", "1.13.24"),
        SDK_IN_USE,
        ("aws-sdk for Node.js", "2.1693.0"),
        ("@smithy/credential-provider-imds", "4.5.2"),
        ("ec2-metadata", "3.0.0"),
        ("cloud-init", "22.4.2"),
    ],
)
def test_a_client_that_speaks_v2_is_ready(name: str, version: str) -> None:
    code, told = rehearse(named(name, version))
    assert (verdict(told), code) == ("ready", 0)


@pytest.mark.parametrize("tokens", ["optional", "required"])
def test_the_sdk_in_use_in_a_container_is_cut_off_by_the_hop_limit(tokens: str) -> None:
    client = named(*SDK_IN_USE)
    options = ("--container", "--hop-limit", "1", "--http-tokens", tokens)
    code, told = rehearse(client, *options)
    assert (verdict(told), code) == ("hop-limit", 1)
    code, told = rehearse(client, "--container", "--hop-limit", "2")
    assert (verdict(told), code) == ("ready", 0)


def test_the_hop_limit_does_not_excuse_an_old_client() -> None:
    code, told = rehearse(named("boto", "2.49.0"), "--container", "--http-tokens", "optional")
    assert (verdict(told), code) == ("v1-only", 1)


def test_s3fs_asks_v1_first_and_would_break() -> None:
    code, told = rehearse(named("s3fs", "1.90"), "--http-tokens", "optional")
    assert (verdict(told), code) == ("v1-first", 1)
    assert told["finding"]["breaks"] is True
