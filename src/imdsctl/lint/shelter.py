"""Parsers in processes of their own: one that crashes costs the text it had, not the run.

Grammars are compiled C, made for texts that people write. A wrong one can end the process, which no
`except` catches.
"""

import faulthandler
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

CRASHED: Final = "its parser crashed; nothing of it was read"


def sheltered(
    function: Callable[[T], R], items: Sequence[T], processes: int = 1
) -> Iterator[R | None]:
    """What a function makes of each item, in their order.

    Args:
        function: one of a module, since another process looks it up there.
        items: what it is called with; they and the answers go through pickle.
        processes: how many at a time.

    Returns:
        The answers, None for an item whose process ended.
    """
    known: dict[int, R] = {}
    at = 0
    while at < len(items):
        futures: dict[int, Future[R]] = {}
        executor = _pool(processes)
        try:
            for n in range(at, len(items)):
                if n not in known:
                    futures[n] = executor.submit(function, items[n])
            while at < len(items):
                yield known.pop(at) if at in known else futures.pop(at).result()
                at += 1
        except BrokenProcessPool:
            known |= {n: future.result() for n, future in futures.items() if _answered(future)}
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        if at < len(items) and at not in known:
            # A pool breaks as a whole, and does not say on which item: the first one goes alone.
            yield _alone(function, items[at])
            at += 1


def _answered(future: Future[R]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _alone(function: Callable[[T], R], item: T) -> R | None:
    with _pool(1) as executor:
        try:
            return executor.submit(function, item).result()
        except BrokenProcessPool:
            return None


def _pool(processes: int) -> ProcessPoolExecutor:
    # A crash is said in our own words; a dump of the interpreter's stack helps nobody with it.
    return ProcessPoolExecutor(processes, mp_context=_context(), initializer=faulthandler.disable)


def _context() -> BaseContext:
    """A fork is quick, and safe only where there is one thread to be copied."""
    quick = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if quick else "spawn")
