"""Control results as JSON of our own: `imdsctl/check/v1`."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from imdsctl.model.control import ControlResult


def render(results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime) -> str:
    """One object: counts by status, counts by control, and every result."""
    kept = list(results)
    controls: dict[str, dict[str, Any]] = {}
    for result in kept:
        entry = controls.setdefault(
            result.control,
            {
                "control": result.control,
                "title": result.title,
                "benchmark": result.benchmark,
                "severity": result.severity,
                "counts": Counter(),
            },
        )
        entry["counts"][result.status] += 1
    answer = {
        "schema": "imdsctl/check/v1",
        "tool_version": tool_version,
        "generated_at": generated_at,
        "counts": Counter(r.status for r in kept),
        "controls": list(controls.values()),
        "results": kept,
    }
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"
