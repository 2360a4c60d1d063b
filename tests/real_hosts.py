"""Whether scripts can really run on simulated hosts here; without namespaces they cannot."""

import json
import subprocess
from dataclasses import asdict
from functools import cache

import pytest

from imdsctl.simulator.ssm.commands_host import WORDS
from imdsctl.simulator.ssm.commands_world import Order


@cache
def why_no_hosts() -> str:
    """Why not, empty where they can."""
    order = Order(
        script="exit 0",
        seconds=10,
        folder="/",
        options={"http_tokens": "required"},
        values={},
        hops=1,
        services=[],
        aws=("127.0.0.1", 9),
        environment={"PATH": "/usr/bin:/bin", "HOME": "/"},
    )
    done = subprocess.run(
        WORDS, input=json.dumps(asdict(order)).encode(), capture_output=True, check=False
    )
    return str(json.loads(done.stdout or b'{"impossible": "it died"}').get("impossible", ""))


def need_hosts() -> None:
    """Skip the test where no script can run on a host."""
    if why := why_no_hosts():
        pytest.skip(f"this machine makes no host for scripts: {why}")
