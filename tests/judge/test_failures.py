"""What a gate said failed is known again when its words are read."""

from datetime import UTC, datetime

import pytest

from imdsctl.judge.names import means
from imdsctl.model.cell import FailedGate, calls_in_words


def failed(why: str) -> FailedGate:
    return FailedGate(run="r", at=datetime(2026, 11, 1, tzinfo=UTC), why=why)


@pytest.mark.parametrize("count", [1, 2, 1_234_567])
def test_calls_are_known_again_as_what_failed(count: int) -> None:
    assert failed(f"i-1: {calls_in_words(count)} rejected").by_calls


@pytest.mark.parametrize(
    "why", ["i-1: status check instance impaired", "no IMDSv1 call in 3 h", "an alarm named IMDSv1"]
)
def test_what_is_not_calls_is_not_taken_for_them(why: str) -> None:
    assert not failed(why).by_calls


def test_a_pattern_means_no_nameless_thing() -> None:
    assert means("web*", [None, "", "web-1"])
    assert not means("*", [None, ""])
