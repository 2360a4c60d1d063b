"""Real commands in real namespaces, without any privilege."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rehearsals import BOTOCORE, ITEM, TOKEN, TTL, python, rehearse, unprivileged, why_impossible

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible() or "possible")

ITEM6 = "http://[fd00:ec2::254]/latest/meta-data/instance-id"
TOKEN6 = "http://[fd00:ec2::254]/latest/api/token"

SETFCAP = 1 << 31

READS = """
import sys, urllib.error, urllib.request
base = "http://169.254.169.254/latest/"
def ask(path, method="GET", **headers):
    fields = {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        request = urllib.request.Request(base + path, method=method, headers=fields)
        return urllib.request.urlopen(request, timeout=3).read().decode()
    except urllib.error.HTTPError as error:
        return error.code
def token():
    return ask("api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
def with_token(path):
    return ask(path, X_aws_ec2_metadata_token=token())
"""


def _code_of(method: str, url: str) -> str:
    header = f"-H '{TTL}'" if method == "PUT" else ""
    return (
        f"curl -sg -m 1 -o /dev/null -w '%{{http_code}}\\n' -X {method} {header} '{url}' >&2; true"
    )


def test_these_tests_have_no_privilege() -> None:
    words = [*unprivileged(), "-c", "print(open('/proc/self/status').read())"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    effective = next(line for line in said.splitlines() if line.startswith("CapEff"))
    assert int(effective.split()[1], 16) & ~SETFCAP == 0
    assert rehearse("true").json()["world"]["isolation"] == "user-namespace"


@pytest.mark.parametrize(("item", "token"), [(ITEM, TOKEN), (ITEM6, TOKEN6)], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize(
    ("place", "hops", "answers"),
    [
        ((), "1", "200"),
        (("--container",), "1", "000"),
        (("--container",), "2", "200"),
    ],
    ids=["instance", "container, limit 1", "container, limit 2"],
)
def test_a_tokens_answer_goes_as_far_as_the_hop_limit(
    item: str, token: str, place: tuple[str, ...], hops: str, answers: str
) -> None:
    both = f"{_code_of('PUT', token)}; {_code_of('GET', item)}"
    options = (*place, "--hop-limit", hops, "--http-tokens", "optional")
    said = rehearse("sh", "-c", both, options=options)
    assert said.err.split() == [answers, "200"]
    first = said.json()["requests"][0]
    assert (first["version"], first["status"]) == ("token", 200)
    assert first["arrived"] is (answers == "200")


def test_a_script_that_asks_without_a_token_is_v1_only() -> None:
    said = rehearse("curl", "-sf", ITEM)
    assert said.code == 1
    caller = said.json()["finding"]["callers"][0]
    assert (caller["name"], caller["verdict"], caller["refused"]) == ("curl", "v1-only", 1)
    assert caller["exe"].endswith("/curl")


def test_current_botocore_is_ready() -> None:
    said = rehearse(python(), "-c", BOTOCORE)
    assert "ASIAFAKE" in said.err, "it got credentials"
    assert said.code == 0
    finding = said.json()["finding"]
    assert finding["verdict"] == "ready"
    assert [one["version"] for one in said.json()["requests"]] == ["token", "v2", "v2"]
    assert all(one["pid"] == finding["callers"][0]["pids"][0] for one in said.json()["requests"])


def test_current_botocore_in_a_container_names_the_hop_limit() -> None:
    said = rehearse(python(), "-c", BOTOCORE, options=("--container", "--hop-limit", "1"))
    assert "None" in said.err, "it got no credentials"
    assert said.code == 1
    told = said.json()
    assert told["exit_code"] == 0
    assert told["finding"]["verdict"] == "hop-limit"
    assert told["finding"]["callers"][0]["unanswered"] == 1


def test_an_old_client_that_says_nothing_is_not_ready() -> None:
    said = rehearse("sh", "-c", f"curl -sf {ITEM} >/dev/null; exit 0")
    assert said.json()["exit_code"] == 0
    assert said.code == 1
    assert said.json()["finding"]["verdict"] == "v1-only"


def test_a_client_that_asks_v1_first_and_gives_up_is_v1_first() -> None:
    asks = READS + "ask('meta-data/ami-id'); with_token('meta-data/mac')"
    said = rehearse(python(), "-c", asks)
    assert (said.code, said.json()["finding"]["verdict"]) == (1, "v1-first")


def test_a_client_that_asks_v1_first_and_then_v2_goes_on_working() -> None:
    asks = READS + "ask('meta-data/ami-id'); with_token('meta-data/ami-id')"
    said = rehearse(python(), "-c", asks)
    assert said.json()["finding"]["verdict"] == "v1-first"
    assert said.json()["finding"]["breaks"] is False
    assert said.code == 0


def test_two_curls_of_one_script_are_one_caller() -> None:
    script = (
        f"T=$(curl -s -X PUT -H '{TTL}' {TOKEN}); "
        f'curl -s -H "X-aws-ec2-metadata-token: $T" {ITEM} >/dev/null'
    )
    said = rehearse("sh", "-c", script)
    callers = said.json()["finding"]["callers"]
    assert [(one["name"], one["verdict"]) for one in callers] == [("curl run by sh", "ready")]
    assert len(callers[0]["pids"]) == 2


def test_a_script_that_falls_back_in_a_container_names_the_hop_limit() -> None:
    script = f"curl -s -m 1 -X PUT -H '{TTL}' {TOKEN} || curl -s {ITEM} >/dev/null"
    options = ("--container", "--http-tokens", "optional")
    said = rehearse("sh", "-c", script, options=options)
    assert said.json()["finding"]["verdict"] == "hop-limit"
    assert said.code == 1


def test_a_token_request_that_was_forwarded_by_a_proxy_is_a_fallback() -> None:
    asks = READS + "ask('api/token', 'PUT', X_Forwarded_For='10.0.0.1'); ask('meta-data/mac')"
    said = rehearse(python(), "-c", asks)
    assert said.json()["finding"]["verdict"] == "fallback"


def test_silence_proves_nothing() -> None:
    said = rehearse("true")
    assert (said.code, said.json()["finding"]["verdict"]) == (3, "nothing-called")


def test_a_command_that_fails_is_not_called_well() -> None:
    said = rehearse("sh", "-c", f"curl -s {ITEM} -H '{TTL}' >/dev/null; exit 7")
    assert (said.code, said.json()["exit_code"]) == (1, 7)


def test_a_command_that_does_not_exist_is_a_mistake() -> None:
    said = rehearse("no-such-program")
    assert said.code == 2
    assert "no-such-program could not be started" in said.err
    assert said.out == ""


def test_no_secret_of_a_command_line_is_reported() -> None:
    secret = "hunter2hunter2"
    said = rehearse(
        "curl", "-s", ITEM, "-H", f"X-aws-ec2-metadata-token: {secret}", "-u", f"me:{secret}"
    )
    assert said.json()["requests"][0]["version"] == "v2"
    assert "X-aws-ec2-metadata-token: ***" in said.out
    assert secret not in said.out + said.err.replace("401 - Unauthorized", "")


def test_a_rehearsed_server_does_not_meet_the_metadata_service_on_port_80() -> None:
    # Only root may bind port 80, so this one alone needs root.
    if os.geteuid() != 0:
        pytest.skip("binding port 80 takes root")
    serves = "import socket; s = socket.create_server(('0.0.0.0', 80)); " + BOTOCORE
    said = rehearse(sys.executable, "-c", serves, privileged=True)
    assert said.code == 0, said.err
    assert said.json()["world"]["isolation"] in ("network-namespace", "user-namespace")


def test_the_matrix_shows_where_it_breaks() -> None:
    said = rehearse(python(), "-c", BOTOCORE, options=("--matrix", "--container"))
    told = [
        (one["world"]["http_tokens"], one["world"]["hop_limit"], one["finding"]["verdict"])
        for one in said.json()["runs"]
    ]
    assert told == [
        ("optional", 1, "hop-limit"),
        ("optional", 2, "ready"),
        ("required", 1, "hop-limit"),
        ("required", 2, "ready"),
    ]
    assert said.code == 1


def test_the_instances_values_can_be_given() -> None:
    # Not in pytest's own folder: nobody may not enter it.
    with tempfile.NamedTemporaryFile("w", suffix=".toml", dir="/tmp") as file:
        file.write('[values]\ninstance_type = "x9.mega"\n')
        file.flush()
        Path(file.name).chmod(0o644)
        asks = READS + "print(with_token('meta-data/instance-type'))"
        said = rehearse(python(), "-c", asks, options=("--values", file.name))
    assert said.code == 0, said.err
    assert "x9.mega" in said.err


def test_by_environment_names_its_limits_and_sees_new_clients() -> None:
    said = rehearse(python(), "-c", BOTOCORE, options=("--by-environment",))
    told = said.json()
    assert (said.code, told["finding"]["verdict"]) == (0, "ready")
    assert told["world"]["isolation"] == "environment"
    assert any("no old client" in limit for limit in told["limits"])
