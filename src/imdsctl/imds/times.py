"""Moments: the forms in which values give them, and the forms in which the service writes them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

UTC = timezone.utc  # noqa: UP017 - datetime.UTC came with Python 3.11

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?([Zz]|[+-]\d\d:\d\d)"
)
_RELATIVE = re.compile(r"\+(\d{1,9})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LATEST = 253402300799.0  # the last second of the year 9999


def moment(value: Any, started: float) -> float:
    """Seconds since 1970 of a moment as a user writes it.

    Args:
        value: a number (seconds since 1970), an RFC 3339 text (`2026-01-31T08:22:00Z`), a datetime
            (what TOML gives), or `+90`, `+90s`, `+5m`, `+2h`, `+1d`: so long after `started`.
        started: when the service began, in seconds since 1970.

    Raises:
        ValueError: it is none of these, or outside the years 1970 to 9999.
    """
    seconds = _seconds(value, started)
    if seconds is None or not 0 <= seconds <= _LATEST:
        raise ValueError(
            f"{value!r} is no time: use 2026-01-31T08:22:00Z, +90s after the start, or seconds"
        )
    return seconds


def _seconds(value: Any, started: float) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if not isinstance(value, str):
        return None
    if relative := _RELATIVE.fullmatch(value):
        return started + int(relative[1]) * _UNITS[relative[2]]
    if absolute := _RFC3339.fullmatch(value):
        *numbers, fraction, zone = absolute.groups()
        year, month, day, hour, minute, second = map(int, numbers)
        offset = timedelta(0)
        if zone not in "Zz":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            offset = -offset if zone[0] == "-" else offset
        try:
            there = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            return None
        return (there - offset - _EPOCH).total_seconds() + int(
            (fraction or "0").ljust(6, "0")
        ) / 1e6
    return None


def _at(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=math.floor(min(max(seconds, 0.0), _LATEST)))


def rfc3339(seconds: float) -> str:
    """`2026-01-31T08:22:00Z`, the form of times in credentials, spot notices and documents."""
    return _at(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def http_date(seconds: float) -> str:
    """`Sat, 31 Jan 2026 08:22:00 GMT`, the form of the Date header, whatever the locale."""
    return _http_date(math.floor(seconds))


@lru_cache(maxsize=64)
def _http_date(seconds: int) -> str:
    """Many answers of one second share it."""
    at = _at(seconds)
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} GMT"
    )


def event_date(seconds: float) -> str:
    """`31 Jan 2026 08:22:00 GMT`, the form of times in maintenance events."""
    return http_date(seconds)[5:]
