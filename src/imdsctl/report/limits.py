"""What the evidence cannot tell, said in the report itself."""

from imdsctl.report.data import ReportData

_ALWAYS = (
    "CloudWatch counts calls and does not name the caller; only a trace on the host does.",
    "Instances that answer both versions emit MetadataNoToken, V2-only ones the Rejected metric.",
    "A stopped instance emits nothing. What it calls shows at its next start.",
    "Zero calls in a window is evidence, not proof: canaries and soak times cover the rest.",
)


def limits_of_evidence(data: ReportData) -> list[str]:
    """Sentences, the ones about this fleet first, those that hold for every fleet last."""
    head = data.headline
    said: list[str] = []
    days = _age_days(data)
    if days:
        said.append(
            f"What was read is {_n(days, 'day')} old, and may have changed since. "
            "`imdsctl scan` reads it again."
        )
    if data.unreadable:
        cells = len({(g.account, g.region) for g in data.unreadable})
        said.append(
            f"{_n(len(data.unreadable), 'reading')} in {_n(cells, 'account and region pair')} "
            "failed or is incomplete. Nothing here counts what they would have shown."
        )
    if head.v1_no_data:
        said.append(
            f"{_n(head.v1_no_data, 'instance')} on v1 without a single data point in CloudWatch: "
            "no data is not zero, so they count as unknown, never as quiet."
        )
    if head.v1_not_watched:
        said.append(
            f"The call metric of {_n(head.v1_not_watched, 'instance')} on v1 was not read at all."
        )
    if head.pending:
        said.append(
            f"{_n(head.pending, 'instance')} with options that EC2 reports as pending: accepted, "
            "not applied yet."
        )
    if data.window_days:
        said.append(
            f"The metric was read over {_n(data.window_days, 'day')}. Software that calls less "
            "often than that (a monthly job, a failover, the next boot) has not been seen."
        )
    said += _ALWAYS
    return said


def _age_days(data: ReportData) -> int:
    """Whole days from the oldest reading of the instances to the report."""
    read = [row.oldest for row in data.as_of if row.what == "instances"]
    return (data.generated_at - min(read)).days if read else 0


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
