"""What comes and goes with time: Spot notices, rebalance advice, maintenance, lifecycle states."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imdsctl.imds.defaults import check_names
from imdsctl.imds.times import event_date, moment, rfc3339

SPOT_NOTICE = 120
"""Seconds before a Spot interruption at which the item appears (EC2 User Guide, "Spot Instance
interruption notices")."""

LIFECYCLE_STATES = (
    "Detached",
    "InService",
    "Standby",
    "Terminated",
    "Warmed:Hibernated",
    "Warmed:Running",
    "Warmed:Stopped",
    "Warmed:Terminated",
)
"""EC2 User Guide, "Instance metadata categories"."""


@dataclass(frozen=True)
class Timed:
    """An item whose text, or being there at all, depends on the moment.

    Attributes:
        text: its text at a moment (seconds since 1970).
        shown_from: when it appears; it then stays.
    """

    text: Callable[[float], str]
    shown_from: float = 0.0


def scheduled(values: Mapping[str, Any], started: float) -> dict[str, Timed]:
    """The items below `meta-data` that have a time, by path.

    Args:
        values: all values of the instance, as `defaults.complete` gives them.
        started: what `+90s` counts from, in seconds since 1970.

    Raises:
        ValueError: a value is wrong; the message names it.
    """
    return {
        **_spot(values["spot"], started),
        **_rebalance(values["rebalance"], started),
        **_maintenance(values["maintenance"], started),
        **_lifecycle(values["autoscaling"], started),
    }


def _from(shown: float, text: str) -> Timed:
    return Timed(lambda _now: text, shown)


def _spot(spot: Mapping[str, Any], started: float) -> dict[str, Timed]:
    if not spot:
        return {}
    check_names(spot, ("action", "time", "visible_from"), "value of spot")
    action = spot.get("action", "terminate")
    if action not in ("hibernate", "stop", "terminate"):
        raise ValueError(f"spot action is hibernate, stop or terminate, not {action!r}")
    at = moment(spot.get("time"), started)
    shown = at - SPOT_NOTICE
    if "visible_from" in spot:
        shown = moment(spot["visible_from"], started)
    notice = json.dumps({"action": action, "time": rfc3339(at)})
    found = {"spot/instance-action": _from(shown, notice)}
    if action == "terminate":
        found["spot/termination-time"] = _from(shown, rfc3339(at))
    return found


def _rebalance(rebalance: Mapping[str, Any], started: float) -> dict[str, Timed]:
    if not rebalance:
        return {}
    check_names(rebalance, ("notice_time",), "value of rebalance")
    at = moment(rebalance.get("notice_time"), started)
    text = json.dumps({"noticeTime": rfc3339(at)})
    return {"events/recommendations/rebalance": _from(at, text)}


def _maintenance(events: Mapping[str, Any], started: float) -> dict[str, Timed]:
    """Both lists; they are there and empty where nothing is planned."""
    check_names(events, ("scheduled", "history"), "value of maintenance")
    return {
        f"events/maintenance/{name}": _event_list(
            [_event(event, started) for event in events.get(name) or ()]
        )
        for name in ("scheduled", "history")
    }


def _event(event: Mapping[str, Any], started: float) -> tuple[float, dict[str, Any]]:
    """When an event shows, and its members; times other than AWS's own form are put into it."""
    members = {name: value for name, value in event.items() if name != "visible_from"}
    for name in ("NotBefore", "NotAfter", "NotBeforeDeadline"):
        if name in members:
            try:
                members[name] = event_date(moment(members[name], started))
            except ValueError:
                # `21 Jan 2019 09:00:43 GMT`, as AWS writes it, stays as it is.
                if not isinstance(members[name], str):
                    raise
    shown = moment(event["visible_from"], started) if "visible_from" in event else 0.0
    return shown, members


def _event_list(listed: Iterable[tuple[float, dict[str, Any]]]) -> Timed:
    events = tuple(listed)
    return Timed(lambda now: json.dumps([members for shown, members in events if now >= shown]))


def _lifecycle(autoscaling: Mapping[str, Any], started: float) -> dict[str, Timed]:
    check_names(autoscaling, ("target_lifecycle_state",), "value of autoscaling")
    wanted = autoscaling.get("target_lifecycle_state")
    if not wanted:
        return {}
    plan = [{"from": 0, "state": wanted}] if isinstance(wanted, str) else wanted
    for step in plan:
        check_names(step, ("from", "state"), "value of target_lifecycle_state")
        if step.get("state") not in LIFECYCLE_STATES:
            raise ValueError(
                f"target_lifecycle_state is one of {', '.join(LIFECYCLE_STATES)}, "
                f"not {step.get('state')!r}"
            )
    steps = sorted((moment(step.get("from", 0), started), str(step["state"])) for step in plan)
    return {
        "autoscaling/target-lifecycle-state": Timed(
            lambda now: [state for since, state in steps if now >= since][-1], steps[0][0]
        )
    }
