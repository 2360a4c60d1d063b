"""However a trace ends, the kernel is as it was."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer
from imdsctl.host import cgroups
from imdsctl.host.bpf import syscalls
from imdsctl.host.bpf.loader import attached


def kernel_objects(pid: int) -> dict[str, set[int]]:
    """The programs, maps and links that a process holds, by the kernel's own word."""
    found: dict[str, set[int]] = {"prog": set(), "map": set(), "link": set()}
    for one in Path(f"/proc/{pid}/fdinfo").iterdir():
        for line in one.read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("prog_id", "map_id", "link_id"):
                found[name[:-3]].add(int(value))
    return found


def in_kernel() -> dict[str, set[int]]:
    return {kind: set(syscalls.ids(kind)) for kind in ("prog", "map", "link")}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_program_map_link_or_mount_is_left(
    number: int, tracer: Callable[..., Tracer], world: World, unit: Unit, imds_c: Path
) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    trace = tracer()
    unit.run(imds_c, "4", "v1", "/latest/meta-data/", network=world.network)
    held = kernel_objects(trace.process.pid)
    assert (len(held["prog"]), len(held["map"]), len(held["link"])) == (4, 5, 4)
    there = in_kernel()
    assert all(held[kind] <= there[kind] for kind in held)

    os.kill(trace.process.pid, number)
    trace.process.wait(30)

    until = time.monotonic() + 10
    while any(held[kind] & in_kernel()[kind] for kind in held) and time.monotonic() < until:
        time.sleep(0.05)  # the kernel frees them after a grace period
    left = in_kernel()
    assert {kind: held[kind] & left[kind] for kind in held} == {
        "prog": set(),
        "map": set(),
        "link": set(),
    }
    at_root = {one for several in attached(cgroups.mount()).values() for one in several}
    assert not at_root & held["prog"]
    assert Path("/proc/self/mountinfo").read_text() == mounts
