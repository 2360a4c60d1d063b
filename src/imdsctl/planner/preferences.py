"""What an instance refresh is asked for, and whom it leaves alone."""

from collections.abc import Iterable
from typing import Final

from imdsctl.model.evidence import Group
from imdsctl.model.plan import Facts
from imdsctl.model.policy import RefreshPolicy

_WHOLE: Final = 100
_WIDEST: Final = 100
_MOST_ALARMS: Final = 10
_SSM_IMAGE: Final = "resolve:ssm:"


def preferences(policy: RefreshPolicy, members: int, *, rollback: bool) -> Facts:
    """StartInstanceRefresh's preferences for a group of `members`, in AWS's names.

    Without checkpoints of the operator's own the first one comes after about one instance: it
    proves a boot before the others follow. `rollback` is False where AWS can bring nothing back.
    """
    first = max(1, -(-_WHOLE // max(1, members)))
    checkpoints = policy.checkpoint_percentages or ([first, _WHOLE] if first < _WHOLE else [_WHOLE])
    wanted: Facts = {
        "MinHealthyPercentage": policy.min_healthy_percentage,
        "MaxHealthyPercentage": policy.max_healthy_percentage,
        "CheckpointPercentages": list(checkpoints),
        "CheckpointDelay": policy.checkpoint_delay,
        "SkipMatching": policy.skip_matching,
        "AutoRollback": policy.auto_rollback and rollback,
        "ScaleInProtectedInstances": policy.protected,
        "StandbyInstances": policy.standby,
    }
    if policy.instance_warmup is not None:
        wanted["InstanceWarmup"] = policy.instance_warmup
    if policy.alarms:
        wanted["AlarmSpecification"] = {"Alarms": list(policy.alarms)}
    if policy.bake_time:
        wanted["BakeTime"] = policy.bake_time
    return wanted


def contradiction(policy: RefreshPolicy) -> tuple[str, str] | None:
    """The first setting that AWS would refuse, or that would do nothing, and why; else None.

    Single values out of bounds are not looked for here (API Reference, RefreshPreferences).
    """
    percentages = policy.checkpoint_percentages
    checks = (
        (
            "max_healthy_percentage",
            policy.max_healthy_percentage - policy.min_healthy_percentage > _WIDEST,
            (
                f"is {policy.max_healthy_percentage}: it may be at most {_WIDEST} above "
                f"min_healthy_percentage, which is {policy.min_healthy_percentage}"
            ),
        ),
        (
            "checkpoint_percentages",
            percentages != sorted(set(percentages))
            or any(not 1 <= percent <= _WHOLE for percent in percentages),
            f"is {percentages}: percentages from 1 to 100, each once, in ascending order",
        ),
        (
            "checkpoint_percentages",
            bool(percentages) and percentages[-1] != _WHOLE,
            f"is {percentages}: the last one must be 100, or instances would stay on IMDSv1",
        ),
        (
            "alarms",
            len(policy.alarms) > _MOST_ALARMS,
            f"names {len(policy.alarms)} alarms: AWS takes at most {_MOST_ALARMS}",
        ),
        (
            "alarms",
            any(not name.strip() for name in policy.alarms)
            or len(set(policy.alarms)) < len(policy.alarms),
            "holds an empty name, or one twice: give the name of each CloudWatch alarm once",
        ),
        (
            "alarms",
            bool(policy.alarms) and not policy.auto_rollback,
            "would stop a refresh halfway: set refresh.auto_rollback = true beside it",
        ),
    )
    return next(((name, why) for name, wrong, why in checks if wrong), None)


def left_alone(group: Group, policy: RefreshPolicy) -> dict[str, str]:
    """The members that a refresh leaves as they are, by id with the reason."""
    found: dict[str, str] = {}
    for member in group.members:
        if member.protected and policy.protected == "Ignore":
            found[member.id] = "it is protected from scale-in"
        elif member.lifecycle_state == "Standby" and policy.standby == "Ignore":
            found[member.id] = "it is in standby"
    return found


def waited_for(group: Group, policy: RefreshPolicy) -> list[str]:
    """The members for whose release AWS waits an hour before the refresh fails."""
    return [
        member.id
        for member in group.members
        if (member.protected and policy.protected == "Wait")
        or (member.lifecycle_state == "Standby" and policy.standby == "Wait")
    ]


def image_by_parameter(images: Iterable[str | None]) -> str | None:
    """An image that a template names by a Systems Manager parameter: such have no rollback.

    EC2 Auto Scaling User Guide, "Undo changes with a rollback".
    """
    return next((image for image in images if image and image.startswith(_SSM_IMAGE)), None)
