"""Control results as CSV: one row a result."""

from collections.abc import Iterable
from datetime import datetime

from imdsctl.model.control import ControlResult
from imdsctl.report.spreadsheet import table

HEADER = (
    "control",
    "status",
    "severity",
    "resource",
    "name",
    "account",
    "region",
    "effective",
    "why",
    "note",
    "remediation",
    "title",
    "benchmark",
    "evidence",
    "observed_at",
    "generated_at",
    "tool_version",
)


def render(results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime) -> str:
    """CSV with a header; `evidence` holds ids separated by spaces."""
    rows = (
        (
            r.control,
            r.status,
            r.severity,
            r.resource,
            r.name,
            r.account,
            r.region,
            r.effective,
            r.why,
            r.note,
            r.remediation,
            r.title,
            r.benchmark,
            " ".join(r.evidence),
            r.observed_at.isoformat() if r.observed_at else None,
            generated_at.isoformat(),
            tool_version,
        )
        for r in results
    )
    return table(HEADER, rows)
