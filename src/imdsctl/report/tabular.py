"""The report as data: JSON of everything, CSV of the instances."""

import msgspec

from imdsctl.report.data import InstanceRow, ReportData
from imdsctl.report.spreadsheet import table

HEADER = (
    "id",
    "account",
    "region",
    "name",
    "state",
    "group",
    "posture",
    "http_tokens",
    "http_put_response_hop_limit",
    "http_endpoint",
    "http_protocol_ipv6",
    "instance_metadata_tags",
    "calls",
    "rejected",
    "last_call",
    "coverage",
    "verdict",
    "confidence",
    "rules",
    "reason",
    "fix",
)


def render_json(data: ReportData) -> str:
    """One object, `imdsctl/report/v1`."""
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def render_csv(data: ReportData) -> str:
    """One row an instance. An empty `calls` means no data, which is not the same as 0."""
    return table(HEADER, (_row(i) for i in data.instances))


def _row(instance: InstanceRow) -> tuple[object, ...]:
    first = instance.reasons[0] if instance.reasons else None
    return (
        instance.id,
        instance.account,
        instance.region,
        instance.name,
        instance.state,
        instance.group,
        instance.posture,
        instance.http_tokens,
        instance.http_put_response_hop_limit,
        instance.http_endpoint,
        instance.http_protocol_ipv6,
        instance.instance_metadata_tags,
        instance.calls,
        instance.rejected,
        instance.last_call.isoformat() if instance.last_call else None,
        instance.coverage,
        instance.verdict,
        instance.confidence,
        " ".join(r.rule for r in instance.reasons),
        first.summary if first else None,
        first.fix if first else None,
    )
