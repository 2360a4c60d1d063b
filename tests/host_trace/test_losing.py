"""What there is no room for is counted, exactly, and the summary owns up to it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer, access_log

BUSY, EACH = 300, 13
ITEM = "/latest/meta-data/instance-id"


def test_what_is_lost_is_counted_exactly_with_300_busy_processes(
    tracer: Callable[..., Tracer], world: World, unit: Unit, imds_c: Path
) -> None:
    before = len(access_log(world))
    trace = tracer("--cgroup", unit.name, "--buffer", "4K", "--version", "v1")
    ask = [str(imds_c), "4", "v2", ITEM, str(EACH)]
    script = 'n=$1; shift; while [ $n -gt 0 ]; do "$@" & n=$((n-1)); done; wait'
    busy = subprocess.run(
        unit.command("sh", "-c", script, "sh", str(BUSY), *ask, network=world.network),
        timeout=240,
        check=False,
    )
    assert busy.returncode == 0
    summary = trace.end()
    sent = len(access_log(world)) - before
    traced = sum(summary["requests"].values())

    assert sent == BUSY * EACH
    assert summary["lost"]["sent"] > 0
    assert sent == traced + summary["lost"]["sent"]
    # Nobody called v1 here, and nobody may say so.
    assert summary["requests"]["v1"] == 0
    assert not summary["proves_silence"]
    assert trace.process.returncode == 3
