"""A share of AWS's published API rates, so that the tool never starves the account's own work.

Every account, region and API has a token bucket of its own, as at AWS (Amazon EC2 API Reference,
"Request throttling"; CloudWatch User Guide, "CloudWatch service quotas"). Each attempt of a call
draws a token, retries too. Where AWS throttles all the same (others share the account), the rate
is halved, and comes back as calls succeed.
"""

import threading
from datetime import datetime
from typing import Final, NamedTuple

from imdsctl.model.evidence import Cell
from imdsctl.ports import Clock


class Rate(NamedTuple):
    """A token bucket: how many calls it holds, and how many it gains a second."""

    size: float
    refill: float


_READ: Final = Rate(100, 20)
_CHANGE: Final = Rate(50, 5)
# Auto Scaling and STS publish no rates; these are far below what is seen to be refused.
_UNPUBLISHED_READ: Final = Rate(50, 10)
_UNPUBLISHED_CHANGE: Final = Rate(10, 2)

_PUBLISHED: Final = {
    "CreateLaunchTemplateVersion": Rate(100, 5),
    "GetMetricData": Rate(500, 500),
    "ListMetrics": Rate(25, 25),
    "ModifyInstanceMetadataDefaults": Rate(2, 2),
    "ModifyInstanceMetadataOptions": Rate(100, 5),
    "ModifyLaunchTemplate": Rate(100, 5),
}

_SLOWEST: Final = 1 / 32
_RECOVERY: Final = 1.05


def published_rate(service: str, operation: str) -> Rate:
    """AWS's rate for an operation, for one account in one region."""
    if rate := _PUBLISHED.get(operation):
        return rate
    reading = operation.startswith(("Describe", "Get", "List"))
    if service == "ec2":
        return _READ if reading else _CHANGE
    return _UNPUBLISHED_READ if reading else _UNPUBLISHED_CHANGE


class _Bucket:
    """One API's tokens; `pace` is the part of the rate that throttling has left, up to 1."""

    def __init__(self, rate: Rate, share: float, now: datetime) -> None:
        self.size = max(1.0, rate.size * share)
        self.refill = rate.refill * share
        self.pace = 1.0
        self.tokens = self.size
        self.at = now

    def draw(self, now: datetime) -> float:
        """Draw a token, and return the seconds to wait until it is really there.

        The token may be owed: whoever comes later waits behind it.
        """
        self._refill(now)
        self.tokens -= 1
        return max(0.0, -self.tokens / (self.refill * self.pace))

    def slow_down(self, now: datetime) -> None:
        """Halve the pace, and start anew from an empty bucket."""
        self._refill(now)
        self.tokens = min(self.tokens, 0.0)
        self.pace = max(_SLOWEST, self.pace / 2)

    def _refill(self, now: datetime) -> None:
        gained = max(0.0, (now - self.at).total_seconds()) * self.refill * self.pace
        self.tokens = min(self.size, self.tokens + gained)
        self.at = max(self.at, now)


class Budget:
    """The buckets of all accounts, regions and APIs; safe to use from many threads.

    Args:
        clock: tells the time and does the waiting.
        share: the part of AWS's rates to use, above 0 and up to 1.
    """

    def __init__(self, clock: Clock, share: float = 0.5) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"the share must be above 0 and at most 1, not {share}")
        self._clock = clock
        self._share = share
        self._buckets: dict[tuple[Cell, str, str], _Bucket] = {}
        self._lock = threading.Lock()

    def draw(self, cell: Cell, service: str, operation: str) -> None:
        """Wait until the account's budget has room for one more call."""
        now = self._clock.now()
        with self._lock:
            bucket = self._bucket(cell, service, operation, now)
            seconds = bucket.draw(now)
        if seconds > 0:
            self._clock.sleep(seconds)

    def throttled(self, cell: Cell, service: str, operation: str) -> None:
        """AWS refused a call for its rate: halve the pace and start from an empty bucket."""
        now = self._clock.now()
        with self._lock:
            self._bucket(cell, service, operation, now).slow_down(now)

    def succeeded(self, cell: Cell, service: str, operation: str) -> None:
        """A call got through: let the pace recover a little."""
        with self._lock:
            bucket = self._buckets.get((cell, service, operation))
            if bucket is not None and bucket.pace < 1:
                bucket.pace = min(1.0, bucket.pace * _RECOVERY)

    def pace(self, cell: Cell, service: str, operation: str) -> float:
        """The part of its budget that throttling has left to an API, up to 1."""
        with self._lock:
            bucket = self._buckets.get((cell, service, operation))
            return bucket.pace if bucket else 1.0

    def _bucket(self, cell: Cell, service: str, operation: str, now: datetime) -> _Bucket:
        key = (cell, service, operation)
        if key not in self._buckets:
            rate = published_rate(service, operation)
            self._buckets[key] = _Bucket(rate, self._share, now)
        return self._buckets[key]
