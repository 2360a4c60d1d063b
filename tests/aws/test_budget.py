"""The tool stays within its share of the account's API rates."""

import threading
from datetime import timedelta

import pytest

from aws.scripted_aws import CELL, OTHER, ManualClock, ScriptedAws, error, instances_page
from imdsctl.aws.budget import Budget, published_rate
from imdsctl.aws.clock import RealClock
from imdsctl.aws.wiring import Aws, connect
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import Cell

MODIFY = (CELL, "ec2", "ModifyInstanceMetadataOptions")


def drawn_in(budget: Budget, clock: ManualClock, seconds: float) -> int:
    end = clock.now() + timedelta(seconds=seconds)
    count = 0
    while clock.now() < end:
        budget.draw(*MODIFY)
        count += 1
    return count


@pytest.mark.parametrize(("share", "burst", "per_second"), [(0.5, 50, 2.5), (0.1, 10, 0.5)])
def test_a_share_of_aws_rates_is_used_burst_and_refill(
    clock: ManualClock, share: float, burst: int, per_second: float
) -> None:
    count = drawn_in(Budget(clock, share), clock, 100)
    assert count == pytest.approx(burst + 100 * per_second, abs=2)


def test_a_bucket_never_holds_more_than_its_size(clock: ManualClock) -> None:
    budget = Budget(clock)
    budget.draw(*MODIFY)
    clock.time += timedelta(hours=1)
    for _ in range(50):
        budget.draw(*MODIFY)
    assert clock.slept == []
    budget.draw(*MODIFY)
    assert clock.slept == [pytest.approx(0.4)]


def test_every_account_region_and_api_has_its_own(clock: ManualClock) -> None:
    budget = Budget(clock)
    for _ in range(50):
        budget.draw(*MODIFY)
    budget.draw(Cell(OTHER, CELL.region), *MODIFY[1:])
    budget.draw(Cell(CELL.account, "us-east-1"), *MODIFY[1:])
    budget.draw(CELL, "ec2", "DescribeInstances")
    assert clock.slept == []


def test_throttling_halves_the_pace_and_success_brings_it_back(clock: ManualClock) -> None:
    budget = Budget(clock)
    drawn_in(budget, clock, 1)
    budget.throttled(*MODIFY)
    before = len(clock.slept)
    budget.draw(*MODIFY)
    assert clock.slept[before:] == [pytest.approx(1 / 1.25)]
    assert budget.pace(*MODIFY) == 0.5
    for _ in range(20):
        budget.succeeded(*MODIFY)
    assert budget.pace(*MODIFY) == 1
    for _ in range(20):
        budget.throttled(*MODIFY)
    assert 0 < budget.pace(*MODIFY) < 0.05


def test_threads_draw_no_more_than_there_is() -> None:
    class Stopped(RealClock):
        """Time stands still, so that every draw beyond the burst must wait."""

        def __init__(self) -> None:
            self.at = super().now()
            self.waited = 0

        def now(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as in RealClock
            return self.at

        def sleep(self, seconds: float) -> None:
            assert seconds > 0
            self.waited += 1

    clock = Stopped()
    budget = Budget(clock)

    def draw_twenty() -> None:
        for _ in range(20):
            budget.draw(*MODIFY)

    threads = [threading.Thread(target=draw_twenty) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.waited == 8 * 20 - 50


def test_the_rates_are_those_that_aws_publishes() -> None:
    assert published_rate("ec2", "DescribeInstances") == (100, 20)
    assert published_rate("ec2", "ModifyInstanceMetadataOptions") == (100, 5)
    assert published_rate("ec2", "ModifyInstanceMetadataDefaults") == (2, 2)
    assert published_rate("ec2", "CreateLaunchTemplate") == (50, 5)
    assert published_rate("cloudwatch", "GetMetricData") == (500, 500)


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_that_makes_no_sense_is_refused(clock: ManualClock, share: float) -> None:
    with pytest.raises(UsageError, match="share"):
        connect(role_name=None, share=share, clock=clock)


def test_every_attempt_draws_and_a_throttle_slows_down(
    aws: Aws, scripted: ScriptedAws, clock: ManualClock
) -> None:
    throttle = error("RequestLimitExceeded", 503)
    scripted.answers("DescribeInstances", throttle, throttle, instances_page(["i-1"]))
    list(aws.fleet.instances(CELL))
    # Two throttles leave a quarter of half of AWS's 20 a second, and an empty bucket each time.
    assert clock.slept == [pytest.approx(1 / 5), pytest.approx(1 / 2.5)]


def test_changes_beyond_the_burst_take_as_long_as_they_must(
    aws: Aws, scripted: ScriptedAws, clock: ManualClock
) -> None:
    scripted.answers("ModifyInstanceMetadataOptions", error("InvalidInstanceID.NotFound"))
    begin = clock.now()
    for n in range(70):
        aws.control.modify_instance(CELL, f"i-{n}", {"http_tokens": "required"})
    assert (clock.now() - begin).total_seconds() == pytest.approx(20 / 2.5)
