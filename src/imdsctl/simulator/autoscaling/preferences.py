"""The preferences of an instance refresh: AWS's defaults, bounds and contradictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.exceptions import ValidationError

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto

_LONGEST = 172800
_MOST_ALARMS = 10
_WIDEST = 100
_BOUNDS = {
    "MinHealthyPercentage": (0, 100),
    "MaxHealthyPercentage": (100, 200),
    "InstanceWarmup": (0, 2**31 - 1),
    "CheckpointDelay": (0, _LONGEST),
    "BakeTime": (0, _LONGEST),
}
_CHOICES = {
    "ScaleInProtectedInstances": ("Refresh", "Ignore", "Wait"),
    "StandbyInstances": ("Terminate", "Ignore", "Wait"),
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of one refresh, with AWS's defaults (API Reference, RefreshPreferences).

    `max_healthy` None means that it was not given, which is not the same as 100: given as 100,
    a replacement is launched before an instance is terminated when there is no other way.
    """

    min_healthy: int = 90
    max_healthy: int | None = None
    warmup: int | None = None
    checkpoints: tuple[int, ...] = ()
    checkpoint_delay: int = 3600
    skip_matching: bool = False
    auto_rollback: bool = False
    protected: str = "Wait"
    standby: str = "Wait"
    alarms: tuple[str, ...] = ()
    bake_time: int = 0

    def view(self) -> dict[str, Any]:
        """The RefreshPreferences structure that describes show."""
        shown: dict[str, Any] = {
            "MinHealthyPercentage": self.min_healthy,
            "SkipMatching": self.skip_matching,
            "AutoRollback": self.auto_rollback,
            "ScaleInProtectedInstances": self.protected,
            "StandbyInstances": self.standby,
            "BakeTime": self.bake_time,
        }
        if self.max_healthy is not None:
            shown["MaxHealthyPercentage"] = self.max_healthy
        if self.warmup is not None:
            shown["InstanceWarmup"] = self.warmup
        if self.checkpoints:
            shown["CheckpointPercentages"] = list(self.checkpoints)
            shown["CheckpointDelay"] = self.checkpoint_delay
        if self.alarms:
            shown["AlarmSpecification"] = {"Alarms": list(self.alarms)}
        return shown


def read_preferences(given: Mapping[str, Any] | None) -> Preferences:
    """The preferences that a StartInstanceRefresh gives.

    Raises:
        ValidationError: a value is out of bounds, or contradicts another.
    """
    values = given or {}
    for name, (low, high) in _BOUNDS.items():
        if values.get(name) is not None and not low <= int(values[name]) <= high:
            raise ValidationError(f"{name} must be between {low} and {high}.")
    for name, choices in _CHOICES.items():
        if values.get(name) is not None and values[name] not in choices:
            raise ValidationError(f"{name} must be one of {', '.join(choices)}.")
    minimum, maximum = values.get("MinHealthyPercentage"), values.get("MaxHealthyPercentage")
    if maximum is not None and minimum is None:
        raise ValidationError(
            "You must specify MinHealthyPercentage when you specify MaxHealthyPercentage."
        )
    if maximum is not None and int(maximum) - int(minimum or 0) > _WIDEST:
        raise ValidationError(
            "The difference between MinHealthyPercentage and MaxHealthyPercentage can be at most "
            f"{_WIDEST}."
        )
    alarms = (values.get("AlarmSpecification") or {}).get("Alarms") or []
    if len(alarms) > _MOST_ALARMS:
        raise ValidationError(f"You can specify at most {_MOST_ALARMS} CloudWatch alarms.")
    checkpoints = _checkpoints(values)
    delay = values.get("CheckpointDelay")
    return Preferences(
        min_healthy=90 if minimum is None else int(minimum),
        max_healthy=None if maximum is None else int(maximum),
        warmup=None if values.get("InstanceWarmup") is None else int(values["InstanceWarmup"]),
        checkpoints=checkpoints,
        checkpoint_delay=3600 if delay is None else int(delay),
        skip_matching=bool(values.get("SkipMatching")),
        auto_rollback=bool(values.get("AutoRollback")),
        protected=values.get("ScaleInProtectedInstances") or "Wait",
        standby=values.get("StandbyInstances") or "Wait",
        alarms=tuple(str(alarm) for alarm in alarms),
        bake_time=int(values.get("BakeTime") or 0),
    )


def _checkpoints(values: Mapping[str, Any]) -> tuple[int, ...]:
    given = [int(percent) for percent in values.get("CheckpointPercentages") or []]
    if any(not 1 <= percent <= 100 for percent in given):  # noqa: PLR2004 - percent
        raise ValidationError("CheckpointPercentages must be between 1 and 100.")
    if given != sorted(set(given)):
        raise ValidationError("CheckpointPercentages must be unique and in ascending order.")
    if values.get("CheckpointDelay") is not None and not given:
        raise ValidationError(
            "You must specify CheckpointPercentages when you specify CheckpointDelay."
        )
    return tuple(given)
