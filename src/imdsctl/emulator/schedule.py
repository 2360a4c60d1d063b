"""Things that happen to an instance, as values with times: Spot, rebalance, maintenance, lifecycle.

Times are as `imdsctl.imds.times.moment` reads them: `+30s` after the start, or RFC 3339.
"""

import re
from collections.abc import Mapping
from typing import Any

from imdsctl.imds.schedule import SPOT_NOTICE
from imdsctl.imds.times import moment

SPOT_ACTIONS = ("terminate", "stop", "hibernate")
EVENT_CODES = (
    "instance-reboot",
    "system-reboot",
    "system-maintenance",
    "instance-retirement",
    "instance-stop",
)
EVENT_STATES = ("active", "completed", "canceled")
"""EC2 User Guide, "View scheduled events": the active are in `scheduled`, the rest in `history`."""

EVENT_ID = "instance-event-1234567890abcdef0"

_DURATION = re.compile(r"[0-9]{1,9}[smhd]?")
_DESCRIPTIONS = {
    "instance-reboot": "The instance is scheduled for a reboot",
    "system-reboot": "The instance is scheduled for system-reboot",
    "system-maintenance": "The instance is scheduled for system-maintenance",
    "instance-retirement": "The instance is running on degraded hardware",
    "instance-stop": "The instance is running on degraded hardware",
}
_DAY = 86_400


def when(text: str) -> str:
    """A moment as the values have it: `30s`, `5m` or `90` count from the start.

    Raises:
        ValueError: it is neither a duration nor a time.
    """
    given = f"+{text}" if _DURATION.fullmatch(text) else text
    moment(given, 0.0)
    return given


def later(text: str, seconds: float) -> str | float:
    """The moment so many seconds after another."""
    if text.startswith("+"):
        return f"+{round(moment(text, 0.0) + seconds)}s"
    return moment(text, 0.0) + seconds


def spot(action: str, after: str, time: str | None = None) -> dict[str, Any]:
    """The values of a Spot interruption whose notice appears at `after`.

    EC2 User Guide, "Spot Instance interruption notices": the notice comes two minutes before.

    Args:
        action: one of SPOT_ACTIONS.
        after: when the notice appears.
        time: when the instance is interrupted; two minutes later if not given.

    Raises:
        ValueError: an unknown action or a time that is none.
    """
    if action not in SPOT_ACTIONS:
        raise ValueError(f"a Spot action is {', '.join(SPOT_ACTIONS)}, not {action!r}")
    shown = when(after)
    at = later(shown, SPOT_NOTICE) if time is None else when(time)
    notice = {"action": action, "time": at, "visible_from": shown}
    return {"instance_life_cycle": "spot", "spot": notice}


def rebalance(after: str) -> dict[str, Any]:
    """The values of a rebalance recommendation that appears at `after`."""
    return {"rebalance": {"notice_time": when(after)}}


def maintenance(
    code: str,
    after: str = "0",
    *,
    state: str = "active",
    not_before: str | None = None,
    not_after: str | None = None,
    not_before_deadline: str | None = None,
    event_id: str = EVENT_ID,
) -> dict[str, Any]:
    """The values of a scheduled event; the times not given are 0, 7 and 9 days after the start.

    Raises:
        ValueError: an unknown code or state, or a time that is none.
    """
    if code not in EVENT_CODES:
        raise ValueError(f"an event code is {', '.join(EVENT_CODES)}, not {code!r}")
    if state not in EVENT_STATES:
        raise ValueError(f"an event is {', '.join(EVENT_STATES)}, not {state!r}")
    mark = "" if state == "active" else f"[{state.capitalize()}] "
    event = {
        "Code": code,
        "Description": mark + _DESCRIPTIONS[code],
        "EventId": event_id,
        "State": state,
        "NotBefore": when(not_before or "0"),
        "NotAfter": when(not_after or f"{7 * _DAY}s"),
        "NotBeforeDeadline": when(not_before_deadline or f"{9 * _DAY}s"),
        "visible_from": when(after),
    }
    return {"maintenance": {"scheduled" if state == "active" else "history": [event]}}


def lifecycle(state: str, after: str = "0", *, before: str | None = "InService") -> dict[str, Any]:
    """The values of an Auto Scaling target lifecycle state that is reached at `after`.

    Args:
        state: EC2 User Guide, "Instance metadata categories", names them.
        after: when it is reached.
        before: the state until then; None for none.

    Raises:
        ValueError: a time that is none.
    """
    reached = when(after)
    steps: list[dict[str, Any]] = [{"from": reached, "state": state}]
    if before is not None and moment(reached, 0.0) > 0:
        steps.insert(0, {"from": 0, "state": before})
    return {"autoscaling": {"target_lifecycle_state": steps}}


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Values of several sources, the later overriding the earlier; paths and tags add up."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            old = result.get(name)
            if name in ("paths", "tags") and isinstance(old, dict) and isinstance(value, dict):
                result[name] = {**old, **value}
            else:
                result[name] = value
    return result
