"""Instance refresh: replace a group's instances, the first of them as the proof of a boot."""

from msgspec import structs

from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Group
from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.plan import Change, Facts
from imdsctl.model.verdict import Reason
from imdsctl.planner.containers import drain_notes, drains
from imdsctl.planner.draft import Draft, after_failure
from imdsctl.planner.preferences import (
    image_by_parameter,
    left_alone,
    preferences,
    waited_for,
)

_SHOWN = 3


def group_of(name: str | None, judged: JudgedCell) -> Group | None:
    """A group as it was read."""
    return next((r.item for r in judged.evidence.groups if r.item.name == name), None)


def obstacle(name: str, judged: JudgedCell, draft: Draft, *, proof: bool) -> Reason | None:
    """Why a group's instances cannot be replaced by a refresh, or None.

    `proof` says that the refresh is to prove that booting works. Without that need, instances
    whose tasks nobody would move are better changed in place.
    """
    group = group_of(name, judged)
    image = image_by_parameter(p.path.image for p in judged.paths if p.path.group == name)
    if image is not None and draft.refresh.auto_rollback:
        return Reason(
            rule="refresh-no-rollback",
            summary="AWS rolls no instance refresh back whose launch template names its image by a "
            f"Systems Manager parameter ({image}).",
            fix="Name the image by its id, or go without the way back: refresh.auto_rollback = "
            "false.",
        )
    if group is None:
        return None
    left = left_alone(group, draft.refresh)
    if left and len(left) == len(group.members):
        first, why = next(iter(sorted(left.items())))
        return Reason(
            rule="refresh-replaces-nobody",
            summary=f"A refresh would leave all {len(left)} instances as they are: {first}, for "
            f"one, because {why}.",
            fix="Set refresh.protected to Refresh (refresh.standby to Terminate), or take the "
            "protection away.",
        )
    if not proof and (why_not := drains(group, judged)):
        return Reason(
            rule="ecs-not-drained",
            summary=f"ECS would not move tasks off an instance before a refresh terminates it: "
            f"{why_not}.",
            fix="Set managedDraining to ENABLED on the capacity provider.",
        )
    return None


def plan_refresh(
    group: str, paths: list[JudgedPath], needs: list[str], judged: JudgedCell, draft: Draft
) -> None:
    """A refresh of `group` from its present versions to the new ones that `needs` create.

    A refresh can be rolled back only where the group names no `$Default` or `$Latest` at all (Auto
    Scaling User Guide, instance refresh rollback), so each place that does is pinned to the number
    that this means today, before a new version takes its name.
    """
    every_path = [p for p in judged.paths if p.path.group == group]
    before = _specs(paths, pinned=True)
    after: Facts = {}
    for path, need in zip(paths, needs, strict=True):
        created = next(change for change in draft.freeze if change.id == need)
        for where in path.path.where:
            after[where] = {
                **before[where],
                "version": created.after["version"],
                "version_from": need,
            }
    pins = [p for p in every_path if p.path.number and not (p.path.version or "").isdigit()]
    order = list(needs)
    if pins:
        pin = _pin(group, pins, draft)
        _version_after(pin, pins, draft)
        order.append(pin.id)
    members = sorted({member for path in paths for member in path.path.members})
    rollback = image_by_parameter(p.path.image for p in every_path) is None
    found = group_of(group, judged)
    refresh = draft.change(
        "instance-refresh",
        group,
        name=group,
        before={"specs": before, "instances": members},
        after={
            "specs": after,
            "preferences": preferences(draft.refresh, len(members), rollback=rollback),
        },
        inverse={"specs": before},
        needs=order,
        gates=[*([] if group in draft.noisy else ["rejected-calls"]), "group-health"],
        reason="Its instances are replaced from the new version: the first replacement proves "
        "that booting works on V2 only before the others follow.",
        notes=[
            *after_failure(*(path.verdict for path in paths)),
            *(_notes(found, pins, judged, draft, rollback=rollback) if found else ()),
        ],
    )
    draft.groups.append(refresh)
    draft.refreshed.add(group)
    for member, why in (left_alone(found, draft.refresh) if found else {}).items():
        draft.left[member] = (refresh.id, why)


def _pin(group: str, pins: list[JudgedPath], draft: Draft) -> Change:
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
    draft.freeze.append(pin)
    return pin


def _version_after(pin: Change, pins: list[JudgedPath], draft: Draft) -> None:
    """A group on `$Latest` has to be pinned before there is a version after the one it means."""
    latest = {p.path.template for p in pins if p.path.version == "$Latest"}
    draft.freeze[:] = [
        structs.replace(change, needs=[*change.needs, pin.id])
        if change.kind == "launch-template-version" and change.resource in latest
        else change
        for change in draft.freeze
    ]


def _notes(
    group: Group, pins: list[JudgedPath], judged: JudgedCell, draft: Draft, *, rollback: bool
) -> list[str]:
    """What the reviewer of a refresh has to know."""
    policy = draft.refresh
    notes = []
    if not (policy.auto_rollback and rollback):
        why = "refresh.auto_rollback = false" if rollback else "its image is named by a parameter"
        notes.append(
            f"AWS does not bring the old version back if this refresh fails ({why}): it is stopped "
            "halfway, and `imdsctl rollback` replaces the instances again."
        )
    left = sorted(left_alone(group, policy).items())
    if left:
        notes.append(
            f"{_count(len(left))} left as {_be(len(left))} by the refresh and changed in place "
            f"after it: {_short([key for key, _ in left])} ({left[0][1]})."
        )
    waited = sorted(waited_for(group, policy))
    if waited:
        notes.append(
            f"AWS waits an hour for {_short(waited)} to be released from protection or standby, "
            "and then fails the refresh."
        )
    if group.warm_pool:
        notes.append("The group has a warm pool, whose instances a refresh replaces as well.")
    if pins:
        was = pins[0].path.version
        notes.append(
            f"The group is pinned, first to the version that {was} means today, then to the new "
            f"one, and stays so; a rollback puts {was} back."
        )
    return [*notes, *drain_notes(group, judged, policy)]


def _count(number: int) -> str:
    return "1 instance is" if number == 1 else f"{number} instances are"


def _be(number: int) -> str:
    return "it is" if number == 1 else "they are"


def _short(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


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
