"""A request and its process come in; a line of the trace goes out, and which lines are wanted."""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from imdsctl.host.redact import redact_text as _redact_text
from imdsctl.host.trace.flows import Call
from imdsctl.host.trace.processes import Process
from imdsctl.host.trace.settings import Settings
from imdsctl.imds.times import UTC

_METADATA = re.compile(r"/+(?:(?:latest|1\.0|\d{4}-\d{2}-\d{2})(?:/.*)?)?")
# The same few paths and user agents come again and again.
redact_text = lru_cache(maxsize=4096)(_redact_text)
_NANO = 1_000_000_000
_JUMP = _NANO // 20
_SHORT_PATH = 64


class Clock:
    """Times of the kernel's monotonic clock as times of day."""

    def __init__(self) -> None:
        self._ahead, self._slept = _differences()

    def adjust(self) -> None:
        """Follow the time of day where it was set, and the monotonic clock over a suspend.

        Smaller differences are left alone: lines that follow each other keep their order.
        """
        ahead, slept = _differences()
        if abs(ahead - self._ahead) > _JUMP:
            self._ahead, self._slept = ahead, slept

    def stamp(self, at: int) -> str:
        """RFC 3339 in UTC, to the microsecond; `at` in nanoseconds of CLOCK_MONOTONIC."""
        return _stamp(at + self._ahead)

    def stamp_of_boot(self, at: int) -> str:
        """The same of CLOCK_BOOTTIME, which goes on over a suspend."""
        return _stamp(at - self._slept + self._ahead)


def _differences() -> tuple[int, int]:
    """Of the time of day, and of the clock since the boot, to the monotonic clock."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return time.time_ns() - now, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - now


def _stamp(at: int) -> str:
    seconds, rest = divmod(at, _NANO)
    return f"{_second(seconds)}.{rest // 1000:06}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def is_metadata(path: str) -> bool:
    """Whether a path is one of AWS's metadata service: the list of versions, or below one.

    EC2 User Guide, "Access instance metadata": `latest`, `1.0`, or a date.
    """
    return bool(_METADATA.fullmatch(path))


def line_of(call: Call, process: Process, clock: Clock) -> dict[str, Any]:
    """The members of one line, as docs/host-trace.md describes them."""
    place = process.place
    seen = call.seen
    return {
        "ts": clock.stamp(call.at),
        "version": seen.version,
        "method": seen.method,
        "path": redact_text(seen.path),
        "pid": process.pid,
        "comm": process.comm or None,
        "exe": process.exe,
        "cmdline": process.cmdline,
        "ancestors": process.ancestors,
        "container": place.container,
        "user_agent": redact_text(seen.user_agent) or None,
        "status": call.status,
        "dst": call.dst,
        "user": process.user,
        "uid": process.uid,
        "unit": place.unit,
        "container_name": place.container_name,
        "image": place.image,
        "pod": place.pod,
        "task": place.task,
        "token_unanswered": call.token_unanswered,
        "open_before": call.who.open_before,
        "process_started": process.started,
        "process_before": process.before,
        "complete": seen.complete,
    }


def wanted(line: Mapping[str, Any], settings: Settings) -> bool:
    """Whether a line passes the filters."""
    if settings.version is not None and line["version"] != settings.version:
        return False
    if settings.pid is not None and line["pid"] != settings.pid:
        return False
    if settings.comm is not None:
        exe = posixpath.basename(str(line["exe"] or ""))
        if settings.comm not in (line["comm"], exe):
            return False
    if settings.container is not None:
        container = str(line["container"] or "")
        return settings.container == line["container_name"] or (
            bool(container) and container.startswith(settings.container)
        )
    return True


def other_of(call: Call, process: Process) -> tuple[str, str]:
    """Program and path of a request that is not about AWS's metadata, as it is listed apart.

    Of the path only the beginning is kept: nobody knows what another service's paths hold.
    """
    beginning = "/".join(call.seen.path.split("/")[:4])[:_SHORT_PATH]
    return process.exe or process.comm or "unknown", redact_text(beginning)
