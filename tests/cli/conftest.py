"""What every test of the command line may ask for: `imdsctl` as a person or a script runs it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imdsctl.cli import main
from imdsctl.simulator.server import SimulatedAws

FLEET = """
history_days = 14
start = 2026-10-31T20:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
options = { http_tokens = "optional" }

[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 2
replaced_per_day = 1

[[account.region.instance]]
name = "quiet"
count = 3
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }

[[account.region.instance]]
name = "caller"
options = { http_tokens = "optional" }
callers = [{ program = "app", behaviour = "v1-only" }]

[[account.region.instance]]
name = "ready-made"
options = { http_tokens = "required" }
"""
"""Something of each: ready, blocked, done, and a launch path that is still on v1."""

DENIED = """
[[account.region]]
name = "us-east-1"
denied = true
"""

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Said:
    """What one command said."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Stdout as the one JSON object that it must be."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Imdsctl = Callable[..., Said]
StartAws = Callable[..., SimulatedAws]


@pytest.fixture
def imdsctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Imdsctl:
    """Runs one command in a folder of its own, as the `imdsctl` script does."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("IMDSCTL_") and n != "IMDSCTL_CLOCK"]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def aws(simulated_aws: StartAws) -> SimulatedAws:
    """A small simulated AWS, with the environment pointed at it."""
    return simulated_aws(FLEET)


@pytest.fixture
def scanned(aws: SimulatedAws, imdsctl: Imdsctl) -> SimulatedAws:
    """The same, after one scan."""
    assert imdsctl("scan", "--regions", "eu-west-1").code == 0
    return aws


@pytest.fixture
def planned(scanned: SimulatedAws, imdsctl: Imdsctl) -> SimulatedAws:
    """The same, with a plan in plan.json."""
    assert imdsctl("plan", "-f", "plan.json").code == 0
    return scanned


def process(*words: str, **settings: Any) -> subprocess.Popen[str]:
    """`imdsctl` in a process of its own, for signals, pipes and terminals."""
    return subprocess.Popen(
        [sys.executable, "-m", "imdsctl", *words],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **settings},
    )
