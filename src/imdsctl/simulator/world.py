"""Simulated time, and everything that is going to happen in it."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from imdsctl.simulator.errands import Errands
from imdsctl.simulator.life import Life


class World:
    """The one clock of a simulated AWS, its schedule, and the lives of its instances.

    The clock runs with real time and can be moved forward; whatever is scheduled in between
    happens in order, each thing at its own simulated time. All state is changed under `lock`
    (re-entrant), which the HTTP server also holds while it answers a call. `errands` are what
    takes real time; `address` is where the server listens.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.lock = threading.RLock()
        self.started_at = start or datetime.now(UTC)
        self.lives: dict[str, Life] = {}
        self.errands = Errands()
        self.address: tuple[str, int] | None = None
        self._real_start = time.monotonic()
        self._advanced = 0.0
        self._frozen_at: datetime | None = None
        self._schedule: list[tuple[datetime, int, Callable[[], None]]] = []
        self._ticket = itertools.count()

    @property
    def now(self) -> datetime:
        """The simulated now, in UTC."""
        if self._frozen_at is not None:
            return self._frozen_at
        real = time.monotonic() - self._real_start
        return self.started_at + timedelta(seconds=real + self._advanced)

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Schedule `what` for `seconds` of simulated time from now."""
        with self.lock:
            due = self.now + timedelta(seconds=seconds)
            heapq.heappush(self._schedule, (due, next(self._ticket), what))

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward by `seconds`, letting everything in between happen."""
        with self.lock:
            target = self.now + timedelta(seconds=seconds)
            self._happen_until(target)
            self._advanced += seconds
            return self.now

    def catch_up(self) -> None:
        """Let everything happen that real time has brought due; called before each answer."""
        with self.lock:
            if self._schedule and self._schedule[0][0] <= self.now:
                self._happen_until(self.now)

    def _happen_until(self, target: datetime) -> None:
        # What happens may itself make calls, which let everything happen that is due by then.
        outer = self._frozen_at
        try:
            while self._schedule and self._schedule[0][0] <= target:
                due, _, what = heapq.heappop(self._schedule)
                self._frozen_at = due
                what()
        finally:
            self._frozen_at = outer


_current: World | None = None


def use(world: World) -> None:
    """Make `world` the one that the extended AWS calls live in (moto's state is global too)."""
    global _current  # noqa: PLW0603 - moto's backends are process-wide, so is the world over them
    _current = world


def current() -> World:
    """The world in use.

    Raises:
        RuntimeError: no simulated AWS was started in this process.
    """
    if _current is None:
        raise RuntimeError("no simulated AWS is running in this process")
    return _current
