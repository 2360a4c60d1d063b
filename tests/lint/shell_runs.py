"""Shell scripts run beside the emulator, in a network namespace of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import imdsctl


def ran_beside_imds(scripts: Sequence[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    """What each script printed, how it ended, and how many v1 and v2 requests it made.

    Args:
        scripts: name, shell, text, and what the emulator's tokens are: `optional` or `required`.
    """
    probe = subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True)
    if probe.returncode or not shutil.which("ip"):
        pytest.skip("needs unshare -rn (user namespaces) and ip")
    paths = [str(Path(imdsctl.__file__).parent.parent), *filter(None, sys.path)]
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, str(Path(__file__).parent / "shell_world.py")],
        input=json.dumps({"scripts": scripts}),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results
