"""Items to rows and back: the body is JSON, what is counted or looked up has a column."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

import msgspec

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

_calls: Final = msgspec.json.Decoder(Calls)
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


def to_recorded(
    number: int, what: str, source: str, observed_at: str, body: bytes
) -> Recorded[Any]:
    """The item of a row of `current_evidence`: its columns id, what, source, observed_at, body."""
    return Recorded(
        id=f"e{number}",
        kind=what,
        source=source,
        observed_at=to_time(observed_at),
        item=_DECODERS[what].decode(body),
    )


def to_days(body: bytes) -> Iterator[tuple[str, int, int]]:
    """The days that the body of a `Calls` tells of: day, v1 calls, rejected calls."""
    item = _calls.decode(body)
    v1 = item.v1.per_day if item.v1 else ()
    rejected = item.rejected.per_day if item.rejected else ()
    for index, (answered, refused) in enumerate(zip_longest(v1, rejected, fillvalue=0)):
        yield _day(item, index), answered, refused


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
