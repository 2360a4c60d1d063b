"""Taking this tool's own calls out of a metric's points, and no others."""

from collections.abc import Sequence

from msgspec.structs import replace

from imdsctl.aws.series import Series
from imdsctl.model.host import OwnCall

_EARLY, _LATE = 60.0, 300.0
"""Seconds by which a host's clock and the period in which CloudWatch counts a call may differ from
the time that Systems Manager tells: nothing is published on that."""


_COUNTED_BY = 300
"""Seconds that a point stands for at least: with basic monitoring EC2 counts by five minutes,
whatever the period that is asked for (EC2 User Guide, "CloudWatch metrics that are available for
your instances")."""


def without(
    series: Series | None, own: Sequence[OwnCall], period: int, *, refused: bool
) -> tuple[Series | None, int]:
    """The series less the probes' own calls, and how many were taken out.

    Each call is taken out of one point, the earliest one with any call in a period that overlaps
    its time. So somebody else's call in another period is never hidden, and where CloudWatch has
    not counted the probe yet, nothing is taken out.

    Args:
        series: the points of one metric.
        own: the calls; those that count in the other metric are passed over.
        period: of the points, in seconds.
        refused: whether the metric is that of the rejected calls.
    """
    mine = [call for call in own if call.refused in (None, refused)]
    if series is None or not mine or not series.values:
        return series, 0
    values = list(series.values)
    span = max(period, _COUNTED_BY)
    taken = 0
    for call in mine:
        first, last = call.first.timestamp() - _EARLY, call.last.timestamp() + _LATE
        for place, time in enumerate(series.times):
            if values[place] >= 1 and time + span > first and time <= last:
                values[place] -= 1
                taken += 1
                break
    if not taken:
        return series, 0
    if not any(values):
        # A series in which nobody ever calls keeps no points.
        return replace(series, times=(), values=()), taken
    return replace(series, values=tuple(values)), taken
