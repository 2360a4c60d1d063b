"""Whatever ends a rehearsal: no process stays, and with the last process goes the network."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rehearsals import marked, new_mark, rehearse, start, why_impossible

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible() or "possible")

DAEMON = "setsid sleep 300 </dev/null >/dev/null 2>&1 & "
STUBBORN = "trap '' TERM INT; while :; do sleep 0.1; done"


def _soon(what: Callable[[], object], seconds: float = 15) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def _running(mark: str) -> bool:
    return any("sleep" in words for words in marked(mark))


def _network_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().strip()


def test_a_daemon_that_the_command_left_is_ended_and_told() -> None:
    mark = new_mark()
    said = rehearse("sh", "-c", DAEMON + "sleep 0.3; exit 0", options=("--container",), mark=mark)
    assert said.json()["left_running"] == 1
    assert marked(mark) == []


def test_a_timeout_ends_even_what_does_not_listen() -> None:
    mark = new_mark()
    said = rehearse("sh", "-c", STUBBORN, options=("--timeout", "0.5"), mark=mark)
    assert said.json()["ended"] == "timed-out"
    assert said.json()["seconds"] < 10
    assert marked(mark) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_it_leaves_nothing(number: signal.Signals) -> None:
    mark = new_mark()
    script = f"readlink /proc/self/ns/net >&2; {DAEMON}{STUBBORN}"
    with start("sh", "-c", script, options=("--container",), mark=mark) as process:
        network = _network_of(process)
        assert network.startswith("net:")
        assert network != _readlink(Path("/proc/self/ns/net"))
        assert _soon(lambda: _running(mark))
        os.kill(process.pid, number)
        assert _soon(lambda: not marked(mark)), marked(mark)
    # A dying process has no environment any more, and for a moment still its network.
    assert _soon(lambda: network not in {_readlink(p / "ns/net") for p in Path("/proc").iterdir()})


def _readlink(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def test_the_whole_process_group_killed_leaves_nothing() -> None:
    mark = new_mark()
    with start("sh", "-c", f"{DAEMON}{STUBBORN}", mark=mark) as process:
        assert _soon(lambda: _running(mark))
        os.killpg(process.pid, signal.SIGKILL)
        assert _soon(lambda: not marked(mark)), marked(mark)


def test_interrupted_it_says_what_it_saw_and_leaves_nothing() -> None:
    mark = new_mark()
    script = "curl -s -o /dev/null http://169.254.169.254/latest/; echo asked >&2; sleep 300"
    with start("sh", "-c", script, mark=mark) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "asked\n"
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert '"ended": "interrupted"' in out
    assert '"v1-only"' in out
    assert marked(mark) == []
