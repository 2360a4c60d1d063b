"""What the host trace costs: the callers, everybody else's packets, and the tracer itself.

Each load is run untraced and traced, in turns, several times; the medians are set side by side.
Needs root and a C compiler.
"""

import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from imdsctl.host.bpf import syscalls

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
ITEM = "/latest/meta-data/instance-id"
ROUNDS, REQUESTS, PROCESSES, EXCHANGES = 5, 1000, 300, 20_000
ENABLE_STATS, MANY = 32, 500
KINDS = {8: "packet hook", 18: "connect hook"}
TICKS = os.sysconf("SC_CLK_TCK")


class Tracer:
    """A trace that writes its log to a file, and the processor time that it takes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "imdsctl",
                "host",
                "trace",
                "--json",
                "--buffer",
                "16M",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.null = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)

    def cpu(self) -> float:
        """Seconds of processor time up to now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.null.wait(10)


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def exchanges() -> None:
    """One byte there and back over loopback, which is no business of the trace's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        if not (child := os.fork()):
            one = socket.create_connection(server.getsockname())
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(EXCHANGES):
                one.sendall(b"x")
                one.recv(1)
            os._exit(0)
        other, _ = server.accept()
        with other:
            other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(EXCHANGES):
                other.recv(1)
                other.sendall(b"x")
        os.waitpid(child, 0)


def compare(name: str, each: int, run: Callable[[], object], *arguments: str) -> None:
    """Microseconds each, untraced and traced, the ratio, and the tracer's own."""
    plain: list[float] = []
    traced: list[float] = []
    cpu: list[float] = []
    run()
    for _ in range(ROUNDS):
        plain.append(timed(run) / each)
        tracer = Tracer(*arguments)
        before = tracer.cpu()
        traced.append(timed(run) / each)
        time.sleep(0.5)
        cpu.append((tracer.cpu() - before) / each)
        tracer.end()
    a, b = statistics.median(plain) * 1e6, statistics.median(traced) * 1e6
    print(
        f"{name:44} {a:9.1f} {b:9.1f}  ×{b / a:.2f}  {b - a:+8.1f}  "
        f"{statistics.median(cpu) * 1e6:10.1f}"
    )


def hooks(run: Callable[[], object], what: str) -> None:
    """What the kernel itself says that each run of a program takes, while it keeps count."""
    attributes = bytearray(struct.pack("<I", 0))
    counting = syscalls._call("enable stats", ENABLE_STATS, attributes)  # noqa: SLF001
    tracer = Tracer()
    try:
        run()
        for one in sorted(Path(f"/proc/{tracer.process.pid}/fdinfo").iterdir()):
            found = dict(line.split(":", 1) for line in one.read_text().splitlines() if ":" in line)
            runs = int(found.get("run_cnt", 0))
            if "prog_id" in found and "link_id" not in found and runs > MANY:
                kind = KINDS.get(int(found["prog_type"]), "?")
                each = int(found["run_time_ns"]) / runs
                print(f"a run in the kernel, {kind}, {what}: {each:.0f} ns ({runs:,} runs)")
    finally:
        tracer.end()
        os.close(counting)


def main() -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if os.geteuid() or compiler is None:
        sys.exit("the host trace is measured as root, with a C compiler")
    with tempfile.TemporaryDirectory() as folder:
        client = Path(folder) / "imds_c"
        subprocess.run([compiler, "-O2", "-o", client, TESTS / "host_trace/imds_c.c"], check=True)
        world = subprocess.Popen(
            [sys.executable, TESTS / "host_bpf/world.py", f"{folder}/log"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert world.stdin is not None
        assert world.stdout is not None
        inside: list[str | Path] = [
            "nsenter",
            f"--net=/proc/{world.stdout.readline().split()[1]}/ns/net",
        ]

        def one_process() -> None:
            words = [*inside, client, "4", "v1", ITEM, str(REQUESTS)]
            subprocess.run(words, check=True)

        def process_each() -> None:
            script = f'n=0; while [ $n -lt {PROCESSES} ]; do "$0" 4 v1 {ITEM}; n=$((n+1)); done'
            subprocess.run([*inside, "sh", "-c", script, client], check=True)

        head = f"{'untraced':>9} {'traced':>9}  ratio {'added':>8} {'tracer CPU':>11}"
        print(f"{'microseconds':44} {head}")
        compare("a request, connections of one process", REQUESTS, one_process)
        compare("a request, a process each (curl-like)", PROCESSES, process_each)
        compare("a packet there and back, not IMDS", EXCHANGES, exchanges)
        hooks(exchanges, "packets that are not IMDS's")
        hooks(one_process, "requests")
        tracer = Tracer()
        time.sleep(1)
        before = tracer.cpu()
        time.sleep(10)
        idle = (tracer.cpu() - before) / 10
        peak = Path(f"/proc/{tracer.process.pid}/status").read_text()
        rss = next(line.split()[1] for line in peak.splitlines() if line.startswith("VmHWM"))
        tracer.end()
        print(f"the tracer when nothing happens: {idle:.2%} of one CPU, {int(rss) // 1024} MB")
        world.stdin.close()
        world.wait(10)


if __name__ == "__main__":
    main()
