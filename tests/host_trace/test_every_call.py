"""Done when every call of a known mix is traced, and each is its caller's."""

import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer, access_log

CALLS = Path(__file__).with_name("calls.py")
CURL, C, PYTHON_PROCESSES, PYTHON_EACH = 907, 5100, 40, 100
ALL = CURL + C + PYTHON_PROCESSES * PYTHON_EACH
AT_ONCE = 2  # in each of three networks
FAMILIES, VERSIONS = ("4", "6", "mapped"), ("v1", "v2", "token")


def jobs() -> list[str]:
    chance = random.Random(10_007)
    every = [f"curl {chance.choice(('4', '6'))} {chance.choice(VERSIONS)}" for _ in range(CURL)]
    every += [f"c {chance.choice(FAMILIES)} {chance.choice(VERSIONS)}" for _ in range(C)]
    every += [f"python {PYTHON_EACH} {seed}" for seed in range(PYTHON_PROCESSES)]
    chance.shuffle(every)
    return every


def key(line: dict[str, Any]) -> tuple[object, ...]:
    return tuple(line[name] for name in ("version", "method", "path", "status", "user_agent"))


@pytest.fixture
def every_program(imds_c: Path) -> dict[str, tuple[str, str]]:
    """How each client looks to the kernel: its name and its file."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    return {
        "curl": ("curl", str(Path(curl).resolve())),
        "imds_c": ("imds_c", str(imds_c.resolve())),
        "python": (Path(sys.executable).name, str(Path(sys.executable).resolve())),
    }


def test_10007_calls_are_all_traced_and_each_is_its_callers(
    tracer: Callable[..., Tracer],
    worlds: list[World],
    unit: Unit,
    imds_c: Path,
    every_program: dict[str, tuple[str, str]],
) -> None:
    assert ALL == 10_007
    before = [len(access_log(world)) for world in worlds]
    # The whole machine is traced, as a user does it; what other tests ask meanwhile is not ours.
    trace = tracer("--buffer", "16M")
    work = jobs()
    running = []
    for number, world in enumerate(worlds):
        one = subprocess.Popen(
            unit.command(
                *(sys.executable, CALLS, "jobs", str(AT_ONCE), imds_c), network=world.network
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert one.stdin is not None
        one.stdin.write("\n".join(work[number :: len(worlds)]))
        one.stdin.close()
        one.stdin = None
        running.append(one)
    ended = [one.communicate(timeout=300)[0].strip() for one in running]
    assert ended == ["failed 0 []"] * len(worlds)
    served = [
        line
        for world, skip in zip(worlds, before, strict=True)
        for line in access_log(world)[skip:]
    ]
    ours = unit.path.name
    summary = trace.end()
    traced = [line for line in trace.lines if line["unit"] == ours]

    assert summary["lost"]["total"] == 0
    assert len(served) == ALL
    assert Counter(map(key, traced)) == Counter(map(key, served))
    for line in traced:
        program, _, pid = line["user_agent"].partition("/")
        assert line["pid"] == int(pid)
        assert (line["comm"], line["exe"]) == every_program[program]
        assert line["cmdline"]
        assert line["complete"]
        assert not line["open_before"]
    assert {line["dst"] for line in traced} == {"169.254.169.254", "fd00:ec2::254"}
    # Who started the clients is known, too: the driver, by its file.
    parents = {line["ancestors"][0]["exe"] for line in traced}
    assert parents == {str(Path(sys.executable).resolve())}
