"""Runs as the only program of a small machine: the host trace's test on its kernel.

Builds three networks with the project's emulator in each, traces a known mix of calls with the
file that goes to hosts, and prints `RESULT {json}`.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from imdsctl.emulator.server import Emulator
from imdsctl.emulator.settings import Settings
from imdsctl.host.bpf import syscalls

HERE = Path("/test")
PYZ = [sys.executable, "-S", str(HERE / "imdsctl-host.pyz"), "trace", "--json"]
NETWORKS, EACH = 3, 67  # 201 of the client in C, and 3 processes in Python with 10 each
ITEM = "/latest/meta-data/instance-id"
_libc = ctypes.CDLL(None, use_errno=True)


def mount(kind: str, where: str) -> None:
    Path(where).mkdir(parents=True, exist_ok=True)
    if _libc.mount(kind.encode(), where.encode(), kind.encode(), 0, None):
        raise OSError(ctypes.get_errno(), f"mount {kind}")


def network(number: int) -> int:
    """A namespace with both addresses on its loopback, and the emulator in it; the pid."""
    heard, said = os.pipe()
    pid = os.fork()
    if pid:
        os.close(said)
        with os.fdopen(heard) as words:
            assert words.readline() == "ready\n"
        return pid
    try:
        assert _libc.unshare(0x40000000) == 0
        for command in (
            "link set lo up",
            "addr add 169.254.169.254/32 dev lo",
            "-6 addr add fd00:ec2::254/128 dev lo",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        time.sleep(2)  # the address is looked for before it is used
        serve(HERE / f"access{number}.log", said)
    finally:
        traceback.print_exc()
        os._exit(1)


def serve(log: Path, said: int) -> None:
    async def run() -> None:
        emulator = Emulator(Settings(host="169.254.169.254", port=80, ipv6=True, access_log=log))
        await emulator.start()
        os.write(said, b"ready\n")
        await asyncio.sleep(3600)

    asyncio.run(run())


def started(words: list[str], pid: int) -> "subprocess.Popen[bytes]":
    """A command, in the network of a process."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as there, Path("/proc/self/ns/net").open() as here:
        assert _libc.setns(there.fileno(), 0x40000000) == 0
        try:
            return subprocess.Popen(words)
        finally:
            assert _libc.setns(here.fileno(), 0x40000000) == 0


def calls(seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    words = []
    for _ in range(EACH):
        version = chance.choice(("v1", "v2", "token"))
        path = "/latest/api/token" if version == "token" else ITEM
        words.append([str(HERE / "imds_c"), chance.choice(("4", "6", "mapped")), version, path])
    words.append([sys.executable, "-S", str(HERE / "calls.py"), "asks", "10", str(seed)])
    return words


def traced(*words: str) -> "subprocess.Popen[str]":
    one = subprocess.Popen([*PYZ, *words], stdout=subprocess.PIPE, text=True)
    assert one.stdout is not None
    return one


def every_call(pids: list[int]) -> dict[str, Any]:
    trace = traced()
    assert trace.stdout is not None
    start = json.loads(trace.stdout.readline())
    running: list[subprocess.Popen[bytes]] = []
    for number, pid in enumerate(pids):
        for words in calls(number):
            if len(running) >= 4:
                assert running.pop(0).wait() == 0
            running.append(started(words, pid))
    for one in running:
        assert one.wait() == 0
    trace.send_signal(signal.SIGINT)
    records = [json.loads(line) for line in trace.communicate(timeout=120)[0].splitlines()]
    summary, lines = records[-1], [one for one in records if "record" not in one]
    served = served_lines(len(pids))
    names = ("version", "method", "path", "status", "user_agent")
    keys = [Counter(tuple(one[name] for name in names) for one in some) for some in (lines, served)]
    right = sum(one["user_agent"].split("/")[1] == str(one["pid"]) for one in lines)
    named = sum(
        one["exe"] == str(HERE / "imds_c") for one in lines if one["user_agent"][:4] == "imds"
    )
    return {
        "method": start["method"],
        "limits": start["limits"],
        "served": len(served),
        "traced": len(lines),
        "same": keys[0] == keys[1],
        "right_pid": right,
        "right_exe": named,
        "expected_exe": EACH * NETWORKS,
        "lost": summary["lost"]["total"],
    }


def served_lines(number: int) -> list[dict[str, Any]]:
    found = []
    for one in range(number):
        with contextlib.suppress(FileNotFoundError):
            found += (HERE / f"access{one}.log").read_text().splitlines()
    return [json.loads(line) for line in found]


def losing(pids: list[int]) -> dict[str, Any]:
    before = len(served_lines(len(pids)))
    trace = traced("--buffer", "4K")
    assert trace.stdout is not None
    trace.stdout.readline()
    words = [str(HERE / "imds_c"), "4", "v2", ITEM, "25"]
    trace.send_signal(signal.SIGSTOP)  # nobody reads for a while
    running = [started(words, pid) for pid in pids * 4]
    for one in running:
        assert one.wait() == 0
    trace.send_signal(signal.SIGCONT)
    trace.send_signal(signal.SIGINT)
    summary = json.loads(trace.communicate(timeout=120)[0].splitlines()[-1])
    return {
        "sent": len(served_lines(len(pids))) - before,
        "traced": sum(summary["requests"].values()),
        "lost": summary["lost"]["sent"],
        "code": trace.returncode,
    }


def killed() -> dict[str, Any]:
    def count() -> dict[str, int]:
        found = {}
        for kind in ("prog", "map", "link"):
            with contextlib.suppress(OSError):
                found[kind] = len(syscalls.ids(kind))
        return found

    before = count()
    trace = traced()
    assert trace.stdout is not None
    trace.stdout.readline()
    during = count()
    trace.kill()
    trace.wait()
    trace.stdout.close()
    for _ in range(100):
        if count() == before:
            break
        time.sleep(0.1)
    return {"before": before, "during": during, "after": count()}


def main() -> None:
    mount("proc", "/proc")
    mount("sysfs", "/sys")
    mount("tmpfs", "/tmp")
    mount("cgroup2", "/sys/fs/cgroup")
    for module in sorted(HERE.glob("modules/*.ko")):
        subprocess.run(["insmod", str(module)], check=False)
    result: dict[str, Any] = {"kernel": platform.release(), "python": platform.python_version()}
    try:
        pids = [network(number) for number in range(NETWORKS)]
        result["calls"] = every_call(pids)
        result["losing"] = losing(pids)
        result["killed"] = killed()
    except (OSError, AssertionError, ValueError, LookupError, subprocess.SubprocessError):
        result["error"] = traceback.format_exc()
    sys.stdout.write("\nRESULT " + json.dumps(result) + "\n")
    sys.stdout.flush()
    os.sync()


if __name__ == "__main__":
    main()
    subprocess.run(["poweroff", "-f"], check=False)
