"""Which clock counts, and that a simulated wait moves it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imdsctl.aws.clock import RealClock, SimulatedClock, clock_from_environment
from imdsctl.model.diagnostics import NoAwsError, UsageError

LOCAL = "http://127.0.0.1:5000"


def test_the_real_clock_is_the_default() -> None:
    clock = clock_from_environment({})
    assert isinstance(clock, RealClock)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.sleep(-1)


@pytest.mark.parametrize("url", [LOCAL, "http://localhost:5000", "http://[::1]:5000"])
def test_a_simulated_clock_is_on_this_machine(url: str) -> None:
    clock = clock_from_environment({"IMDSCTL_CLOCK": "simulated", "AWS_ENDPOINT_URL": url})
    assert isinstance(clock, SimulatedClock)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://10.0.0.1:5000",
        "https://ec2.eu-west-1.amazonaws.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://[::1:5000",
        "http://127.0.0.1:port",
    ],
)
def test_a_wait_that_does_not_wait_is_never_for_the_real_aws(url: str) -> None:
    with pytest.raises(UsageError, match=r"AWS_ENDPOINT_URL|on this machine"):
        clock_from_environment({"IMDSCTL_CLOCK": "simulated", "AWS_ENDPOINT_URL": url})


def test_an_unknown_clock_is_refused() -> None:
    with pytest.raises(UsageError, match="sundial"):
        clock_from_environment({"IMDSCTL_CLOCK": "sundial", "AWS_ENDPOINT_URL": LOCAL})


def test_a_simulated_aws_that_is_gone_is_named() -> None:
    with pytest.raises(NoAwsError, match=r"127\.0\.0\.1:1 does not answer"):
        SimulatedClock("http://127.0.0.1:1").now()


def test_a_simulated_wait_moves_the_clock_and_takes_no_time(simulated_aws: Any) -> None:
    server = simulated_aws()
    clock = SimulatedClock(server.url)
    before, real = clock.now(), datetime.now(UTC)
    clock.sleep(86_400)
    assert timedelta(0) <= clock.now() - before - timedelta(days=1) < timedelta(seconds=30)
    assert datetime.now(UTC) - real < timedelta(seconds=30)


def test_threads_that_wait_together_share_the_wait(
    simulated_aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = simulated_aws()
    clock = SimulatedClock(server.url)
    before = clock.now()
    looked = threading.Semaphore(0)
    look = clock.now

    def now() -> datetime:
        at = look()
        looked.release()
        return at

    monkeypatch.setattr(clock, "now", now)
    threads = [threading.Thread(target=clock.sleep, args=(3600,)) for _ in range(4)]
    # Nobody moves the clock before all four know until when they wait.
    with clock._moving:
        for thread in threads:
            thread.start()
        for _ in threads:
            assert looked.acquire(timeout=60)
    for thread in threads:
        thread.join()
    moved = clock.now() - before
    assert timedelta(hours=1) <= moved < timedelta(hours=2)
