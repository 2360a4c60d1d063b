"""Taking the probes' own calls out of the metrics: exactly those, and nobody else's."""

from datetime import UTC, datetime, timedelta

import pytest

from imdsctl.aws.own_calls import without
from imdsctl.aws.series import Series
from imdsctl.model.host import OwnCall

NINE = datetime(2026, 11, 11, 9, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def series(*points: tuple[float, float]) -> Series:
    times = tuple(at(minute).timestamp() for minute, _ in points)
    values = tuple(value for _, value in points)
    if not any(values):
        return Series("r", "Complete", len(points), times[0], times[-1])
    return Series("r", "Complete", len(points), times[0], times[-1], times, values)


def probe(minute: float, *, refused: bool | None = True) -> OwnCall:
    return OwnCall(first=at(minute), last=at(minute + 0.1), refused=refused)


def left(found: Series | None) -> list[float]:
    assert found is not None
    return list(found.values)


@pytest.mark.parametrize("period", [60, 300, 3600])
def test_a_point_that_is_the_probe_alone_becomes_silence(period: int) -> None:
    found, taken = without(series((0, 1)), [probe(3)], period, refused=True)
    assert (left(found), taken) == ([], 1)
    assert found is not None
    assert found.points == 1, "the data point is still there: no data is never zero"


def test_somebody_elses_calls_in_the_same_point_stay() -> None:
    found, taken = without(series((0, 4)), [probe(3)], 300, refused=True)
    assert (left(found), taken) == ([3], 1)


def test_a_call_at_another_time_is_never_taken_for_the_probe() -> None:
    for minute in (-60, -10, 15, 60):
        found, taken = without(series((minute, 1)), [probe(3)], 60, refused=True)
        assert (left(found), taken) == ([1], 0), minute


def test_a_probe_that_is_not_counted_yet_hides_nobody() -> None:
    found, taken = without(series((-20, 2), (0, 0)), [probe(3)], 300, refused=True)
    assert (left(found), taken) == ([2, 0], 0)


def test_each_probe_is_taken_out_once() -> None:
    points = series((0, 2), (5, 2))
    found, taken = without(points, [probe(1), probe(2)], 300, refused=True)
    assert (left(found), taken) == ([0, 2], 2)


def test_what_counts_in_the_other_metric_is_left_alone() -> None:
    accepted = probe(3, refused=False)
    assert without(series((0, 1)), [accepted], 300, refused=True)[1] == 0
    assert without(series((0, 1)), [accepted], 300, refused=False)[1] == 1
    unknown = probe(3, refused=None)
    assert without(series((0, 1)), [unknown], 300, refused=True)[1] == 1


def test_a_silent_series_and_none_at_all_stay_as_they_are() -> None:
    silent = series((0, 0))
    assert without(silent, [probe(3)], 300, refused=True) == (silent, 0)
    assert without(None, [probe(3)], 300, refused=True) == (None, 0)
