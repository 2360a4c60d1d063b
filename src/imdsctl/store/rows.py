"""Items to rows and back: the body is JSON, what is counted or looked up has a column."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

import msgspec
from sqlalchemy import Row

from imdsctl.model.evidence import (
    ITEM_OF,
    Calls,
    Image,
    Instance,
    Item,
    Recorded,
    TemplateVersion,
)
from imdsctl.store.database import to_time

_DECODERS: Final = {what: msgspec.json.Decoder(item) for what, item in ITEM_OF.items()}
EVIDENCE: Final = (
    "reading",
    "subject",
    "name",
    "parent",
    "state",
    "posture",
    "pending",
    "v1_total",
    "rejected_total",
    "first_day",
    "last_day",
    "body",
)
"""The columns of the rows that `to_row` makes."""

CALLS_DAY: Final = ("reading", "subject", "day", "v1", "rejected")
"""The columns of the rows that `to_days` makes."""

_encode: Final = msgspec.json.Encoder().encode
_UNUSED: Final = (None,) * (len(EVIDENCE) - 3)


def to_row(reading: int, item: Item) -> tuple[Any, ...]:
    """The evidence row of an item; columns that its kind does not use are None."""
    return (reading, item.id, *_narrow(item), _encode(item))


def _narrow(item: Item) -> tuple[Any, ...]:
    """What stands between subject and body."""
    if isinstance(item, Instance):
        options = item.options
        pending = int(options.state == "pending")
        named = (item.name or None, None, item.state, options.posture, pending)
        return (*named, None, None, None, None)
    if isinstance(item, Calls):
        v1, rejected = item.v1, item.rejected
        totals = (v1.total if v1 else None, rejected.total if rejected else None)
        days = _days(item)
        span = (_day(item, 0), _day(item, days - 1)) if days else (None, None)
        return (None, None, None, None, None, *totals, *span)
    if isinstance(item, TemplateVersion):
        return (item.template_name, item.template_id, *_UNUSED[2:])
    if isinstance(item, Image):
        return (item.name or None, *_UNUSED[1:])
    return _UNUSED


def to_days(reading: int, item: Calls) -> list[tuple[Any, ...]]:
    """A row for every day on which something called."""
    v1 = item.v1.per_day if item.v1 else ()
    rejected = item.rejected.per_day if item.rejected else ()
    return [
        (reading, item.id, _day(item, index), *counts)
        for index, counts in enumerate(zip_longest(v1, rejected, fillvalue=0))
        if any(counts)
    ]


def to_recorded(row: Row[Any]) -> Recorded[Any]:
    """The item of a row of `current_evidence`."""
    return Recorded(
        id=f"e{row.id}",
        kind=row.what,
        source=row.source,
        observed_at=to_time(row.observed_at),
        item=_DECODERS[row.what].decode(row.body),
    )


def distinct(items: Sequence[Item]) -> list[Item]:
    """The items without repetitions of an id: AWS may list one twice, and its last word counts."""
    return list({item.id: item for item in items}.values())


def _days(item: Calls) -> int:
    return max(len(metric.per_day) if metric else 0 for metric in (item.v1, item.rejected))


def _day(item: Calls, index: int) -> str:
    return _date(item.window_start.date(), index)


@lru_cache(maxsize=1024)
def _date(first: date, index: int) -> str:
    return (first + timedelta(days=index)).isoformat()
