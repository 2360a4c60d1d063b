"""imdsctl in a process of its own that a test may kill; started by a fork of a warm one."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    # The warm process must not have to load a simulated AWS.
    from imdsctl.simulator.calls import Reply
    from imdsctl.simulator.server import SimulatedAws

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["imdsctl.cli.apply", "imdsctl.aws.wiring", "imdsctl.store", "botocore.session"]
)


def _command(words: list[str], environment: Mapping[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # The output stays, for whoever has to find out why a test failed.
    log = os.open(folder / "killable.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    from imdsctl.cli import main  # noqa: PLC0415 - the warm process has it already

    code = main(words)
    sys.stdout.flush()
    os._exit(code)


class Killable:
    """One imdsctl command, running.

    Args:
        words: its arguments.
        folder: where it runs, and leaves its output in `killable.log`.
    """

    def __init__(self, words: list[str], folder: Path) -> None:
        self._process = _FORKS.Process(target=_command, args=(words, dict(os.environ), folder))
        self._process.start()

    def kill(self) -> None:
        """SIGKILL: no clean-up, no last word."""
        with contextlib.suppress(ProcessLookupError, ValueError):
            if self._process.pid is not None:
                os.kill(self._process.pid, signal.SIGKILL)

    def wait(self, seconds: float = 120) -> int:
        """Its exit code, or minus the signal that ended it."""
        self._process.join(seconds)
        code = self._process.exitcode
        assert code is not None, "the command does not end"
        self._process.close()
        return code


When = Literal["before", "between", "after"]


class Trap:
    """Stands between imdsctl and AWS, and kills imdsctl when a chosen request passes.

    `before`: the request is lost with the process; `between`: AWS carries it out and nobody is
    there for the answer; `after`: the answer arrives, and the process dies a moment later.
    """

    def __init__(self, aws: "SimulatedAws") -> None:
        assert aws._server is not None
        self._answer = aws._server.answer
        aws._server.answer = self.answer
        self._counting = threading.Lock()
        self._seen = 0
        self._at: int | None = None
        self._when: When = "before"
        self._delay = 0.0
        self._only = b""
        self._victim: Killable | None = None

    def set(
        self, victim: Killable, at: int, when: When, *, delay: float = 0.0, only: str = ""
    ) -> None:
        """Kill `victim` at the request number `at` of those that `only` is in.

        It is looked for in the path, the body, and the header that names the operation.
        """
        with self._counting:
            self._victim, self._at, self._when, self._delay = victim, at, when, delay
            self._only = only.encode()
            self._seen = 0

    def open(self) -> None:
        """Let everything pass."""
        with self._counting:
            self._victim = None

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> "Reply | None":
        with self._counting:
            named = headers.get("x-amz-target", "")
            self._seen += self._only in f"{method}{target}{named}".encode() + body
            victim = self._victim if self._seen == self._at else None
            if victim is not None:
                self._victim = None
        if victim is None:
            return self._answer(method, target, headers, body)
        if self._when == "before":
            victim.kill()
            return None
        reply = self._answer(method, target, headers, body)
        if self._when == "between":
            victim.kill()
        else:
            threading.Timer(self._delay, victim.kill).start()
        return reply
