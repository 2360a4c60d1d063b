"""Faults, latency and the throttle."""

import time

import pytest
from emulator_client import (
    INSTANCE_ID,
    TOKEN,
    TTL,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

from imdsctl.emulator.packets import PacketBudget, packets_of, retransmission
from imdsctl.emulator.settings import Behaviour, Fault


def test_a_share_of_requests_fails(emulator: StartEmulator) -> None:
    client = emulator(faults=("503:0.5",), seed=1)
    statuses = [client.get(INSTANCE_ID).status for _ in range(60)]
    assert set(statuses) == {200, 503}
    assert 15 < statuses.count(503) < 45


def test_a_fault_can_hit_token_requests_alone(emulator: StartEmulator) -> None:
    client = emulator(faults=("503:1:token",))
    assert client.call("PUT", TOKEN, {TTL: "60"}).status == 503
    assert client.get(INSTANCE_ID).status == 200


def test_a_timeout_never_answers_and_a_reset_tears_down(emulator: StartEmulator) -> None:
    silent = emulator(faults=("timeout:1:token",))
    with pytest.raises(TimeoutError):
        silent.call("PUT", TOKEN, {TTL: "60"}, timeout=0.3)
    assert silent.get(INSTANCE_ID).status == 200
    assert [call.status for call in silent.emulator.calls.list()] == [None, 200]
    with pytest.raises(ConnectionError):
        emulator(faults=("reset:1",)).get(INSTANCE_ID)


def test_latency_delays_every_answer(emulator: StartEmulator) -> None:
    client = emulator(latency=0.1)
    began = time.monotonic()
    assert client.get_v2(INSTANCE_ID).status == 200
    assert time.monotonic() - began >= 0.2


def test_the_throttle_loses_what_is_beyond_the_limit(emulator: StartEmulator) -> None:
    # A new connection with one request takes six packets: two seconds' worth in one go.
    client = emulator(packets_per_second=60)
    began = time.monotonic()
    statuses = [client.get(INSTANCE_ID).status for _ in range(20)]
    assert set(statuses) == {200}
    assert 0.6 < time.monotonic() - began < 10
    free = emulator()
    began = time.monotonic()
    for _ in range(20):
        free.get(INSTANCE_ID)
    assert time.monotonic() - began < 0.6


def test_packets_are_counted_as_a_client_sends_them() -> None:
    assert packets_of(150, first=True) == 6
    assert packets_of(150, first=False) == 2
    assert packets_of(3000, first=False) == 4


def test_a_budget_of_packets_refills_with_time() -> None:
    budget = PacketBudget(100, now=0.0)
    assert budget.take(100, 0.0)
    assert not budget.take(1, 0.0)
    assert budget.take(50, 0.5)
    assert not budget.take(1, 0.5)
    # It never holds more than a second's worth.
    assert budget.take(100, 60.0)
    assert not budget.take(1, 60.0)


def test_lost_packets_are_sent_again_ever_later() -> None:
    assert [retransmission(n) for n in range(6)] == [0.2, 0.4, 0.8, 1.6, 3.2, 3.2]


@pytest.mark.parametrize(
    "text", ["503", "503:0", "503:2", "200:0.5", "sometimes:0.5", "503:0.5:v3", "503:nan", ""]
)
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="fault"):
        Fault.parse(text)


def test_a_behaviour_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="latency"):
        Behaviour(latency=-1)
    with pytest.raises(ValueError, match="packets"):
        Behaviour(packets_per_second=0)
