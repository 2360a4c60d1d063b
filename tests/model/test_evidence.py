"""What the evidence says of itself."""

from datetime import UTC, datetime, timedelta

import pytest

from imdsctl.model.evidence import Calls, Metric

END = datetime(2026, 11, 21, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("running", "v1", "rejected", "coverage"),
    [
        (100, 100, None, 1.0),
        (100, 90, None, 0.9),
        (100, 40, 50, 0.9),
        (100, None, None, 0.0),
        (100, None, 100, 1.0),
        (100, 80, 80, 1.0),
        (0, 5, None, 0.0),
    ],
)
def test_coverage_is_the_share_of_hours_with_data_of_either_metric(
    running: int, v1: int | None, rejected: int | None, coverage: float
) -> None:
    calls = Calls(
        id="i-1",
        account="111111111111",
        region="eu-west-1",
        window_start=END - timedelta(days=14),
        window_end=END,
        hours_running=running,
        v1=None if v1 is None else Metric(hours_with_data=v1),
        rejected=None if rejected is None else Metric(hours_with_data=rejected),
    )
    assert calls.coverage == pytest.approx(coverage)
