"""A cgroup as systemd makes one for a unit, and an instance's network, for tests as root."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from imdsctl.host import cgroups

WORLD = Path(__file__).with_name("world.py")


class Unit:
    """A cgroup, and commands run in it and in a network namespace."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"/{path.relative_to(cgroups.mount())}"

    def command(self, *command: str | Path, network: int | None) -> list[str]:
        """What to start so that a command runs inside."""
        enter = [] if network is None else ["nsenter", f"--net=/proc/{network}/ns/net"]
        script = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return ["sh", "-c", script, str(self.path), *enter, *map(str, command)]

    def run(
        self, *command: str | Path, network: int | None = None, timeout: float = 20
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        return subprocess.run(
            self.command(*command, network=network),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *command: str | Path, network: int | None = None) -> subprocess.Popen[str]:
        """Start a command inside; it is ended with the test."""
        return subprocess.Popen(
            self.command(*command, network=network),
            stdout=subprocess.PIPE,
            text=True,
        )

    def empty(self) -> None:
        """End everything inside."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            try:
                pids = (self.path / "cgroup.procs").read_text().split()
            except FileNotFoundError:
                return
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.02)

    def remove(self) -> None:
        """End everything inside and take the cgroup away, as a unit that stops does."""
        self.empty()
        until = time.monotonic() + 5
        while self.path.exists() and time.monotonic() < until:
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.02)


class World:
    """A network with a metadata service in it, and a process there by which it is entered."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / "access.log"
        self._process = subprocess.Popen(
            [sys.executable, WORLD, self.log, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("ready "), line
        self.network = int(line.split()[1])

    def run(self, *command: str | Path, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run a command in this network, outside of any test's cgroup."""
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.network}/ns/net", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def requests(self) -> list[str]:
        """What reached the service: its access log's lines."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
