"""What a user sees of a trace: requests as they are sent, their callers, and what it concludes."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer
from imdsctl.host import cgroups

TALK = Path(__file__).with_name("talk.py")
ITEM = "/latest/meta-data/instance-id"
Start = Callable[..., Tracer]


def talk(unit: Unit, world: World, *steps: str) -> list[str]:
    """What came of each step."""
    ran = unit.run(sys.executable, "-S", TALK, *steps, network=world.network)
    assert ran.returncode == 0, ran.stderr
    return [line.split(" ", 1)[1] for line in ran.stdout.splitlines()]


def of(unit: Unit, trace: Tracer) -> list[dict[str, Any]]:
    return [line for line in trace.lines if line["unit"] == unit.path.name]


def program(summary: dict[str, Any], unit: Unit) -> dict[str, Any]:
    (found,) = [one for one in summary["programs"] if one["unit"] == unit.path.name]
    return dict(found)


@pytest.mark.parametrize(
    ("steps", "conclusion", "versions"),
    [
        (["v1"], "v1-only", [("v1", 200)]),
        (["token", "v2", "v2"], "v2", [("token", 200), ("v2", 200), ("v2", 200)]),
        (["v1", "token", "v2"], "v1-first", [("v1", 200), ("token", 200), ("v2", 200)]),
        (["forwarded", "v1"], "fallback", [("token", 403), ("v1", 200)]),
    ],
)
def test_a_programs_requests_and_what_they_mean(
    steps: list[str],
    conclusion: str,
    versions: list[tuple[str, int]],
    tracer: Start,
    unit: Unit,
    world: World,
) -> None:
    trace = tracer("--cgroup", unit.name)
    assert talk(unit, world, *steps) == [str(status) for _, status in versions]
    summary = trace.end()
    lines = of(unit, trace)
    assert [(line["version"], line["status"]) for line in lines] == versions
    found = program(summary, unit)
    assert (found["conclusion"], found["confidence"]) == (conclusion, "high")
    assert found["program"] == f"{Path(sys.executable).resolve().name} {TALK}"
    assert trace.process.returncode == int(any(version == "v1" for version, _ in versions))


def test_an_answer_that_does_not_arrive_means_the_hop_limit_and_not_old_software(
    tracer: Start, unit: Unit, container: World
) -> None:
    trace = tracer()
    assert talk(unit, container, "patient:1", "token", "v1") == ["ok", "TimeoutError", "200"]
    found = program(trace.end(), unit)
    token, v1 = of(unit, trace)
    assert (token["version"], token["status"]) == ("token", None)
    assert (v1["version"], v1["status"], v1["token_unanswered"]) == ("v1", 200, True)
    assert (found["conclusion"], found["unanswered"], found["v1"]) == ("hop-limit", 1, 1)
    assert "raise the hop limit" in found["fix"]


def test_a_script_that_asks_through_curl_is_named_and_judged_as_one(
    tracer: Start, unit: Unit, container: World, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    script = tmp_path / "backup.sh"
    script.write_text(
        "#!/bin/sh\n"
        "T=$(curl -sm1 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
        "http://169.254.169.254/latest/api/token)\n"
        f"curl -sm3 -o /dev/null http://169.254.169.254{ITEM}\n"
    )
    script.chmod(0o755)
    trace = tracer()
    assert unit.run(script, network=container.network).returncode == 0
    found = program(trace.end(), unit)
    assert (found["program"], found["conclusion"]) == ("curl (run by backup.sh)", "hop-limit")


def test_requests_are_found_however_they_were_sent(tracer: Start, unit: Unit, world: World) -> None:
    trace = tracer()
    ways = ("split", "pipelined", "half", "fastopen", "pieces")
    said = talk(unit, world, *ways, "keep", "v1", "token", "v2")
    assert said == ["401", "2,1", "200", "200", "401", "ok", "200", "200", "200"]
    trace.end()
    lines = of(unit, trace)
    split = [line for line in lines if line["user_agent"] == "split"]
    assert [(line["version"], line["status"]) for line in split] == [("v2", 401)]
    pipelined = [line for line in lines if line["user_agent"] == "pipelined"]
    assert [line["version"] for line in pipelined] == ["v1", "v2", "v1"]
    assert pipelined[0]["status"] == 200
    half = [line for line in lines if line["user_agent"] == "half"]
    assert [(line["version"], line["status"]) for line in half] == [("v1", 200)]
    fastopen = [line for line in lines if line["user_agent"] == "fastopen"]
    assert [(line["version"], line["comm"] != "") for line in fastopen] == [("v1", True)]
    pieces = [line for line in lines if line["user_agent"] == "pieces"]
    assert [(line["version"], line["status"]) for line in pieces] == [("v2", 401)]
    kept = [line for line in lines if (line["user_agent"] or "").startswith("talk/")]
    assert [(line["version"], line["status"]) for line in kept] == [
        ("v1", 200),
        ("token", 200),
        ("v2", 200),
    ]
    assert all(line["complete"] for line in lines)


def test_a_connection_from_before_the_trace_is_marked_and_still_its_owners(
    tracer: Start, unit: Unit, world: World
) -> None:
    client = subprocess.Popen(
        unit.command(sys.executable, "-S", TALK, "keep", "line", "v1", network=world.network),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    assert client.stdout.readline() == "keep ok\n"
    pid = int(client.stdout.readline().split()[1])
    trace = tracer()
    client.communicate("go\n", timeout=10)
    summary = trace.end()
    (line,) = of(unit, trace)
    assert (line["pid"], line["open_before"], line["version"]) == (pid, True, "v1")
    assert line["process_before"]
    # It may have fallen back before anyone looked.
    assert program(summary, unit)["confidence"] == "medium"


def test_what_else_lives_at_the_address_is_listed_apart(
    tracer: Start, unit: Unit, world: World
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    trace = tracer("--cgroup", unit.name)
    url = "http://169.254.169.254/computeMetadata/v1/instance/id?token=hush"
    unit.run("curl", "-s", "-o", "/dev/null", url, network=world.network)
    summary = trace.end()
    assert trace.lines == []
    (other,) = summary["others"]
    assert (other["path"], other["requests"]) == ("/computeMetadata/v1/instance", 1)
    assert other["program"].endswith("/curl")
    assert summary["requests"] == {"v1": 0, "v2": 0, "token": 0}
    assert summary["proves_silence"]
    assert trace.process.returncode == 0


def test_a_script_that_ends_at_once_still_has_its_arguments_and_parents(
    tracer: Start, unit: Unit, world: World, imds_c: Path
) -> None:
    trace = tracer()
    unit.run(imds_c, "4", "v1", ITEM, network=world.network)
    trace.end()
    (line,) = of(unit, trace)
    assert (line["comm"], line["exe"]) == ("imds_c", str(imds_c))
    assert line["cmdline"] == f"{imds_c} 4 v1 {ITEM}"
    assert line["ancestors"][0]["pid"] > 0
    assert line["user"] == "root"


def test_without_a_mounted_cgroup_tree_it_works_all_the_same(
    tracer: Start, unit: Unit, world: World, imds_c: Path
) -> None:
    hide = [*("unshare", "-m", "sh", "-c", 'umount -l "$0" && exec "$@"'), str(cgroups.mount())]
    trace = tracer(command=[*hide, sys.executable, "-m", "imdsctl", "host", "trace"])
    unit.run(imds_c, "6", "v1", ITEM, network=world.network)
    trace.end()
    lines = [line for line in trace.lines if line["exe"] == str(imds_c)]
    assert [line["version"] for line in lines] == ["v1"]
    assert trace.start["method"] == "bpf"
