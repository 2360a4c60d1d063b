"""Work that a simulated AWS does in real time beside its clock: scripts that really run."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

_AT_A_TIME = 4


class Errands:
    """Runs errands in threads of their own, a few at a time, and their programs with them."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._futures: set[Future[None]] = set()
        self._programs: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    def start(self, errand: Callable[[], None]) -> None:
        """Run `errand` soon; it must not be waited for while the world's lock is held."""
        with self._lock:
            if self.stopping.is_set():
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="errand")
            self._futures = {one for one in self._futures if not one.done()}
            self._futures.add(self._pool.submit(errand))

    def program(self, words: Sequence[str], data: bytes, known: Callable[[int], None]) -> bytes:
        """What a program says on stdout, given `data` on stdin; empty where it was ended.

        Args:
            words: the program and its arguments.
            data: what it reads.
            known: called with the id of its process group once it runs.
        """
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with self._lock:
            self._programs.add(process)
            late = self.stopping.is_set()
        if late:
            end(process.pid)
        known(process.pid)
        try:
            return process.communicate(data)[0]
        finally:
            with self._lock:
                self._programs.discard(process)

    def settle(self, seconds: float) -> None:
        """Wait until no errand is under way, `seconds` of real time at most."""
        with self._lock:
            under_way = set(self._futures)
        wait(under_way, timeout=seconds)

    def stop(self) -> None:
        """End all programs, and wait for the threads."""
        with self._lock:
            self.stopping.set()
            programs, pool = list(self._programs), self._pool
        for process in programs:
            end(process.pid)
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def end(group: int) -> None:
    """Kill a process group that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
