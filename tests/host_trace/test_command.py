"""The command: filters, the log and its rotation, a summary on demand, the end, bad input."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from host_bpf.instances import Unit, World

from host_trace.tracers import PYZ_OR_CLI, Tracer

TALK = Path(__file__).with_name("talk.py")
Start = Callable[..., Tracer]


def talk(unit: Unit, world: World, *steps: str) -> int:
    """The process that asked."""
    client = unit.start(sys.executable, "-S", TALK, *steps, network=world.network)
    assert client.stdout is not None
    client.stdout.read()
    client.wait(20)
    client.stdout.close()
    return client.pid


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["--version", "v1"], ["v1"]),
        (["--version", "token"], ["token"]),
        (["--comm", Path(sys.executable).name], ["token", "v2", "v1"]),
        (["--comm", "curl"], []),
        (["--pid", "1"], []),
        (["--container", "web"], []),
    ],
)
def test_only_what_was_asked_for_is_written_and_all_is_counted(
    words: list[str], written: list[str], tracer: Start, unit: Unit, world: World
) -> None:
    trace = tracer("--cgroup", unit.name, *words)
    talk(unit, world, "token", "v2", "v1")
    summary = trace.end()
    assert [line["version"] for line in trace.lines] == written
    assert summary["requests"] == {"v1": 1, "v2": 1, "token": 1}
    assert summary["filtered"]


def test_a_summary_can_be_asked_for_while_the_trace_goes_on(
    tracer: Start, unit: Unit, world: World
) -> None:
    trace = tracer("--cgroup", unit.name)
    talk(unit, world, "v1")
    trace.wait_for(lambda lines: len(lines) == 1)
    trace.process.send_signal(signal.SIGUSR1)
    until = time.monotonic() + 10
    while trace.records[-1].get("record") != "summary":
        assert time.monotonic() < until
        time.sleep(0.02)
    assert trace.records[-1]["requests"]["v1"] == 1
    talk(unit, world, "v1")
    assert trace.end()["requests"]["v1"] == 2


def test_it_ends_by_itself_after_the_given_time(tracer: Start, unit: Unit) -> None:
    trace = tracer("--cgroup", unit.name, "--for", "1s")
    trace.process.wait(20)
    assert trace.process.returncode == 0
    assert trace.records[-1]["proves_silence"]


def test_a_log_is_rotated_by_size_and_each_file_stands_for_itself(
    tracer: Start, unit: Unit, world: World, tmp_path: Path
) -> None:
    log = tmp_path / "trace.jsonl"
    trace = tracer("--cgroup", unit.name, "--file", log, "--rotate-size", "2K", "--keep", "2")
    for _ in range(3):
        talk(unit, world, "token", "v2", "v2", "v1")
    trace.end()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["trace.jsonl", "trace.jsonl.1", "trace.jsonl.2"]
    records = [[json.loads(line) for line in one.read_text().splitlines()] for one in files]
    assert all(one[0]["record"] == "start" for one in records)
    assert records[0][-1]["record"] == "summary"
    kept = [one for file in reversed(records) for one in file if "record" not in one]
    assert kept == trace.lines[-len(kept) :]
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}


def test_a_log_is_rotated_by_age(tracer: Start, unit: Unit, world: World, tmp_path: Path) -> None:
    log = tmp_path / "trace.jsonl"
    trace = tracer("--cgroup", unit.name, "--file", log, "--rotate-age", "0.5s")
    talk(unit, world, "v1")
    trace.wait_for(lambda lines: len(lines) == 1)
    time.sleep(0.8)
    trace.end()
    assert log.with_name("trace.jsonl.1").exists()


def test_logrotate_moves_a_log_and_hangs_up_and_the_trace_goes_on_in_a_new_one(
    tracer: Start, unit: Unit, world: World, tmp_path: Path
) -> None:
    log = tmp_path / "trace.jsonl"
    trace = tracer("--cgroup", unit.name, "--file", log)
    talk(unit, world, "v1")
    trace.wait_for(lambda lines: len(lines) == 1)
    log.rename(tmp_path / "moved")
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
        trace.process.send_signal(number)
    talk(unit, world, "v1")
    assert trace.end()["requests"]["v1"] == 2
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one.get("record") for one in records] == ["start", None, "summary"]


def test_a_hang_up_ends_a_trace_but_not_under_nohup(tracer: Start, unit: Unit) -> None:
    trace = tracer("--cgroup", unit.name, command=["nohup", *PYZ_OR_CLI])
    trace.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert trace.process.poll() is None
    assert trace.end()["record"] == "summary"
    assert tracer("--cgroup", unit.name).end(signal.SIGHUP)["record"] == "summary"


def test_a_trace_that_began_long_after_the_boot_does_not_claim_to_hold_it(
    tracer: Start, unit: Unit
) -> None:
    if time.clock_gettime(time.CLOCK_BOOTTIME) < 150:
        pytest.skip("this machine has just booted")
    trace = tracer("--cgroup", unit.name, "--since-boot")
    assert not trace.start["since_boot"]
    assert not trace.end()["since_boot"]
    assert "does not hold the boot" in "".join(trace.said)


def test_people_on_a_terminal_see_a_table_and_then_the_summary(unit: Unit, world: World) -> None:
    ours, theirs = pty.openpty()
    trace = subprocess.Popen(
        [sys.executable, "-m", "imdsctl", "host", "trace", "--cgroup", unit.name],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    )
    os.close(theirs)
    assert trace.stderr is not None
    assert "tracing by bpf" in trace.stderr.readline()
    talk(unit, world, "v1")
    time.sleep(1.2)
    trace.send_signal(signal.SIGINT)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    trace.wait(20)
    trace.stderr.close()
    os.close(ours)
    text = seen.decode()
    assert "Ctrl-C ends it" in text
    assert "1 program called IMDSv1: 1 of 1 request" in text
    assert text.rindex("v1-only") > text.rindex("Ctrl-C ends it")
    assert trace.returncode == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--for", "soon"], "--for: 'soon' is no duration"),
        (["--for", "0s"], "no time at all"),
        (["--rotate-size", "much"], "--rotate-size: 'much' is no size"),
        (["--buffer", "5000"], "a power of two"),
        (["--version", "v3"], "v3"),
        (["--keep", "-1"], "keep"),
        (["--cgroup", "/no/such/group"], "no cgroup /no/such/group"),
        (["--file", "/no/such/folder/log"], "the log cannot be written"),
    ],
)
@pytest.mark.usefixtures("_kernel")
def test_bad_input_is_refused_with_the_reason(words: list[str], why: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "imdsctl", "host", "trace", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert why in " ".join(ran.stderr.split())
    assert ran.stdout == ""


def test_without_rights_it_says_what_it_takes_and_refuses() -> None:
    code = (
        "import os, sys\n"
        "from imdsctl.cli import main\n"
        "if os.geteuid() == 0:\n"
        "    import imdsctl.cli.host, imdsctl.cli.trace_view, imdsctl.host.trace.kernel\n"
        "    import imdsctl.host.trace.packets, rich.live, rich.pretty, imdsctl.cli.common\n"
        "    os.setgroups([]); os.setresgid(65534, 65534, 65534)\n"
        "    os.setresuid(65534, 65534, 65534)\n"
        "sys.exit(main(['host', 'trace', '--for', '1s']))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 5, ran.stderr
    said = " ".join(ran.stderr.split())
    assert "cannot trace here" in said
    assert "CAP_BPF" in said
    assert "CAP_NET_RAW" in said
