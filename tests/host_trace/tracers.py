"""A trace as a user runs it: the command, its lines, its end."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bpf.instances import World

PYZ_OR_CLI = [sys.executable, "-m", "imdsctl", "host", "trace"]


class Tracer:
    """`imdsctl host trace --json`, from its first line on."""

    def __init__(self, *arguments: str | Path, command: list[str] | None = None) -> None:
        words = [*(command or PYZ_OR_CLI), "--json", *map(str, arguments)]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.records: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._threads = [
            threading.Thread(target=self._collect, daemon=True),
            threading.Thread(target=self._hear, daemon=True),
        ]
        for one in self._threads:
            one.start()
        until = time.monotonic() + 30
        while not self.records:
            assert time.monotonic() < until, "the trace did not begin"
            assert self.process.poll() is None, "".join(self.said)
            time.sleep(0.02)
        self.start = self.records[0]
        assert self.start["record"] == "start"

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.records.append(json.loads(line))

    def _hear(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The requests up to now."""
        return [one for one in list(self.records) if "record" not in one]

    def wait_for(
        self, true: Callable[[list[dict[str, Any]]], bool], seconds: float = 20
    ) -> list[dict[str, Any]]:
        """The lines, once they are as expected."""
        until = time.monotonic() + seconds
        while not true(found := self.lines):
            assert time.monotonic() < until, found
            time.sleep(0.02)
        return found

    def end(self, number: int = signal.SIGINT) -> dict[str, Any]:
        """End it as Ctrl-C does; its summary."""
        self.process.send_signal(number)
        self.process.wait(60)
        for one in self._threads:
            one.join(10)
        self.close()
        summary = self.records[-1]
        assert summary["record"] == "summary", self.said
        return summary

    def close(self) -> None:
        """End it however it stands."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for one in self._threads:
            one.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def access_log(world: World) -> list[dict[str, Any]]:
    """What reached a world's metadata service."""
    return [json.loads(line) for line in world.requests()]
