"""What is really so in a simulated AWS, and the levers on single instances.

The tool never sees this: it is there to measure the tool by.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from imdsctl.simulator.hosttrace import trace_lines
from imdsctl.simulator.life import (
    Life,
    Options,
    calls,
    cut_offs,
    safe_at_hop_limit,
    safe_now,
)
from imdsctl.simulator.world import World

_MICROSECOND = timedelta(microseconds=1)
_TRACED = timedelta(days=14)  # how far a trace goes back where no history is said

_Group = tuple[str, str, str | None]


def truth(world: World) -> dict[str, Any]:
    """All instances that ever lived, with what is true of each (`GET /_imdsctl/truth`).

    `state` is running, stopped or terminated; `options` are the five in force now, or at the
    end. `v1_calls` and `rejected_calls` are those of the whole life.
    """
    now = world.now
    groups = _options_of_groups(world)
    return {
        "instances": {
            instance_id: _of_instance(life, now, groups)
            for instance_id, life in world.lives.items()
        }
    }


def _options_of_groups(world: World) -> dict[_Group, dict[Options, datetime]]:
    """The options that instances of each Auto Scaling group have had, and since when."""
    groups: dict[_Group, dict[Options, datetime]] = {}
    for life in world.lives.values():
        if life.asg is not None:
            had = groups.setdefault((life.account, life.region, life.asg), {})
            for since, options in life.options:
                had[options] = min(since, had.get(options, since))
    return groups


def _of_instance(
    life: Life, now: datetime, groups: dict[_Group, dict[Options, datetime]]
) -> dict[str, Any]:
    options = life.options[-1][1] if life.options else Options()
    had = groups.get((life.account, life.region, life.asg), {})
    inherited = [entry for entry, since in had.items() if since < life.launched_at]
    until = now + _MICROSECOND
    return {
        "account": life.account,
        "region": life.region,
        "name": life.name,
        "asg": life.asg,
        "state": state(life),
        "options": asdict(options),
        "callers": [asdict(caller) for caller in life.callers],
        "safe_now": safe_now(options, life.callers),
        "safe_at_hop_limit": safe_at_hop_limit(options, life.callers),
        "cut_off": [
            {
                key: _stamp(value) if isinstance(value, datetime) else value
                for key, value in one.items()
            }
            for one in cut_offs(life, now, inherited)
        ],
        "v1_calls": calls(life, "no_token", life.launched_at, until),
        "rejected_calls": calls(life, "rejected", life.launched_at, until),
    }


def state(life: Life) -> Literal["running", "stopped", "terminated"]:
    """The state that an instance's life is in."""
    if life.terminated_at is not None:
        return "terminated"
    return "running" if life.runs and life.runs[-1][1] is None else "stopped"


def trace(world: World, instance_id: str) -> Iterator[dict[str, Any]]:
    """The host trace of an instance, from where its recorded history begins until now.

    Raises:
        KeyError: there is no such instance.
    """
    life = world.lives[instance_id]
    since = life.recorded_from or max(life.launched_at, world.started_at - _TRACED)
    return trace_lines(life, since, world.now)


def trigger(
    world: World, instance_id: str, event: Literal["failover", "reboot", "stop", "start"]
) -> None:
    """Let something happen to an instance now (`POST /_imdsctl/trigger`).

    A failover wakes the callers that only run then; the rest goes through EC2.

    Raises:
        KeyError: there is no such instance.
        ValueError: it cannot happen in the instance's state.
    """
    life = world.lives[instance_id]
    with world.lock:
        if event == "failover":
            if state(life) != "running":
                raise ValueError(f"{instance_id} is {state(life)}; only a running one fails over")
            life.failovers.append(world.now)
            return
        # moto is slow to import, and only these events need it.
        from imdsctl.simulator.ec2 import errors, lifecycle  # noqa: PLC0415

        change = {"reboot": lifecycle.reboot, "stop": lifecycle.stop, "start": lifecycle.start}
        try:
            change[event](life.account, life.region, [instance_id])
        except errors.Refused as refusal:
            raise ValueError(str(refusal)) from refusal


def _stamp(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
