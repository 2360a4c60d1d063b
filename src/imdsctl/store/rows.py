"""Items to rows and back: the body is JSON, what is counted or looked up has a column."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Row

from imdsctl.model.evidence import (
    ITEM_OF,
    Calls,
    Image,
    Instance,
    Item,
    Metric,
    Recorded,
    TemplateVersion,
)
from imdsctl.store.database import to_time

_DECODERS: Final = {what: msgspec.json.Decoder(item) for what, item in ITEM_OF.items()}
_NARROW: Final = {
    "name": None,
    "parent": None,
    "state": None,
    "posture": None,
    "pending": None,
    "v1_total": None,
    "rejected_total": None,
    "first_day": None,
    "last_day": None,
}


def to_row(reading: int, item: Item) -> dict[str, Any]:
    """The evidence row of an item; columns that its kind does not use are None."""
    return {
        **_NARROW,
        **_narrow(item),
        "reading": reading,
        "subject": item.id,
        "body": msgspec.json.encode(item),
    }


def _narrow(item: Item) -> dict[str, Any]:
    match item:
        case Instance():
            return {
                "name": item.name or None,
                "state": item.state,
                "posture": item.options.posture,
                "pending": int(item.options.state == "pending"),
            }
        case Calls():
            days = [_day(item, index) for index in (0, _days(item) - 1)] if _days(item) else [None]
            return {
                "v1_total": item.v1.total if item.v1 else None,
                "rejected_total": item.rejected.total if item.rejected else None,
                "first_day": days[0],
                "last_day": days[-1],
            }
        case TemplateVersion():
            return {"name": item.template_name, "parent": item.template_id}
        case Image():
            return {"name": item.name or None}
        case _:
            return {}


def to_days(reading: int, item: Calls) -> list[dict[str, Any]]:
    """A row for every day on which something called."""
    rows = []
    for index in range(_days(item)):
        v1, rejected = _on(item.v1, index), _on(item.rejected, index)
        if v1 or rejected:
            day = _day(item, index)
            row = {"reading": reading, "subject": item.id, "day": day}
            rows.append({**row, "v1": v1, "rejected": rejected})
    return rows


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
    return (item.window_start.date() + timedelta(days=index)).isoformat()


def _on(metric: Metric | None, index: int) -> int:
    return metric.per_day[index] if metric and index < len(metric.per_day) else 0
