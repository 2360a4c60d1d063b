"""Spot notices, rebalance, maintenance, lifecycle: at their time, not before."""

import json
import time

import pytest
from emulator_client import (
    Client,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

from imdsctl.emulator import schedule

SPOT = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
LIFECYCLE = "/latest/meta-data/autoscaling/target-lifecycle-state"
SCHEDULED = "/latest/meta-data/events/maintenance/scheduled"
HISTORY = "/latest/meta-data/events/maintenance/history"


def appears(client: Client, path: str, within: float = 4) -> str:
    end = time.monotonic() + within
    while time.monotonic() < end:
        answer = client.get(path)
        if answer.status == 200:
            return answer.body
        time.sleep(0.05)
    raise AssertionError(f"{path} never appeared")


def test_a_spot_notice_appears_two_minutes_before_the_interruption(
    emulator: StartEmulator,
) -> None:
    client = emulator(values=schedule.spot("terminate", "1s"))
    assert client.get(SPOT).status == 404
    notice = json.loads(appears(client, SPOT))
    assert notice["action"] == "terminate"
    at = time.mktime(time.strptime(notice["time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(at - client.emulator.started - 121) <= 2
    assert client.get("/latest/meta-data/spot/termination-time").body == notice["time"]
    assert client.get("/latest/meta-data/instance-life-cycle").body == "spot"


def test_a_rebalance_recommendation_and_a_lifecycle_state_come_in_time(
    emulator: StartEmulator,
) -> None:
    values = schedule.rebalance("1s") | schedule.lifecycle("Terminated", "1s")
    client = emulator(values=values)
    assert client.get(REBALANCE).status == 404
    assert client.get(LIFECYCLE).body == "InService"
    assert "noticeTime" in appears(client, REBALANCE)
    assert client.get(LIFECYCLE).body == "Terminated"


def test_a_maintenance_event_is_planned_or_history(emulator: StartEmulator) -> None:
    client = emulator(values=schedule.maintenance("system-reboot", not_before="2h"))
    (event,) = json.loads(client.get(SCHEDULED).body)
    assert event["Code"] == "system-reboot"
    assert event["State"] == "active"
    assert event["NotBefore"].endswith(" GMT")
    assert json.loads(client.get(HISTORY).body) == []
    over = emulator(values=schedule.maintenance("instance-stop", state="completed"))
    assert json.loads(over.get(SCHEDULED).body) == []
    (event,) = json.loads(over.get(HISTORY).body)
    assert event["Description"].startswith("[Completed] ")


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [("30s", 120, "+150s"), ("5m", 120, "+420s"), ("1970-01-01T00:01:00Z", 120, 180.0)],
)
def test_a_moment_later_than_another(text: str, seconds: float, expected: str | float) -> None:
    assert schedule.later(schedule.when(text), seconds) == expected


def test_words_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="a Spot action is"):
        schedule.spot("explode", "0")
    with pytest.raises(ValueError, match="an event code is"):
        schedule.maintenance("explode")
    with pytest.raises(ValueError, match="is no time"):
        schedule.rebalance("soon")


def test_later_layers_win_and_paths_add_up() -> None:
    first = {"mac": "1", "paths": {"a": "1", "b": "1"}, "spot": {"action": "stop", "time": 1}}
    second = {"mac": "2", "paths": {"b": "2"}, "spot": {"time": 2}}
    assert schedule.merged(first, second) == {
        "mac": "2",
        "paths": {"a": "1", "b": "2"},
        "spot": {"time": 2},
    }
