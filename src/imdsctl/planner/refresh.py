"""Instance refresh: replace a group's instances, the first of them as the proof of a boot."""

from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.plan import Facts
from imdsctl.planner.draft import Draft


def plan_refresh(
    group: str,
    paths: list[JudgedPath],
    needs: list[str],
    draft: Draft,
    every_path: list[JudgedPath],
) -> None:
    """A refresh of `group` from its present versions to the new ones that `needs` create.

    A refresh can be rolled back only where the group names no `$Default` or `$Latest` at all (Auto
    Scaling User Guide, instance refresh rollback), so each of `every_path` that does is pinned to
    the number that this means today.
    """
    before = _specs(paths, pinned=True)
    after: Facts = {}
    for judged, need in zip(paths, needs, strict=True):
        created = next(change for change in draft.freeze if change.id == need)
        for where in judged.path.where:
            after[where] = {
                **before[where],
                "version": created.after["version"],
                "version_from": need,
            }
    pins = [p for p in every_path if p.path.number and not (p.path.version or "").isdigit()]
    order = list(needs)
    if pins:
        pin = draft.change(
            "asg-launch-template",
            group,
            name=group,
            detail="pin",
            before={"specs": _specs(pins, pinned=False)},
            after={"specs": _specs(pins, pinned=True)},
            inverse={"specs": _specs(pins, pinned=False)},
            reason="A refresh can be rolled back only from a pinned version; what is launched "
            "stays the same.",
        )
        draft.groups.append(pin)
        order.append(pin.id)
    members = sorted({member for path in paths for member in path.path.members})
    first = max(1, -(-100 // max(1, len(members))))
    draft.groups.append(
        draft.change(
            "instance-refresh",
            group,
            name=group,
            before={"specs": before, "instances": members},
            after={"specs": after, "preferences": preferences(first)},
            inverse={"specs": before},
            needs=order,
            gates=[*([] if group in draft.noisy else ["rejected-calls"]), "group-health"],
            reason="Its instances are replaced from the new version: the first replacement proves "
            "that booting works on V2 only before the others follow.",
        )
    )
    draft.refreshed.add(group)


def preferences(first_percent: int, *, auto_rollback: bool = True) -> Facts:
    """StartInstanceRefresh preferences, in AWS's names.

    The first checkpoint comes after about one instance; protected and standby instances are left
    alone rather than waited for (the API's default waits an hour and then fails).
    """
    checkpoints = [first_percent, 100] if first_percent < 100 else [100]  # noqa: PLR2004 - percent
    return {
        "MinHealthyPercentage": 90,
        "MaxHealthyPercentage": 100,
        "CheckpointPercentages": checkpoints,
        "CheckpointDelay": 900,
        "SkipMatching": True,
        "AutoRollback": auto_rollback,
        "ScaleInProtectedInstances": "Ignore",
        "StandbyInstances": "Ignore",
    }


def _specs(paths: list[JudgedPath], *, pinned: bool) -> Facts:
    return {
        where: {
            "id": judged.path.template,
            "name": judged.path.template_name,
            "version": str(judged.path.number) if pinned else judged.path.version,
        }
        for judged in paths
        for where in judged.path.where
    }
