"""Births and deaths of a group's instances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.core.exceptions import ServiceException

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling.members import (
    BOOT,
    Member,
    Origin,
    members_of,
    nature_of,
    note,
    recipe_of,
)
from imdsctl.simulator.autoscaling.recipes import Recipe, TemplateRef
from imdsctl.simulator.ec2 import launch as births
from imdsctl.simulator.ec2 import options as levels
from imdsctl.simulator.ec2 import templates
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.region import backend_of, state_of
from imdsctl.simulator.ec2.run import CALLERS_TAG, read_callers
from imdsctl.simulator.world import current

GROUP_TAG = "aws:autoscaling:groupName"


@dataclass(frozen=True, slots=True)
class _Batch:
    """Instances that are launched alike."""

    count: int
    template: TemplateRef | None = None
    instance_type: str | None = None
    image_id: str | None = None
    spot: bool = False


def _batches(recipe: Recipe, present: int, count: int) -> Iterator[_Batch]:
    """How `count` new instances beside `present` ones are spread over a recipe's overrides.

    On-Demand instances take the first override, as the strategy `prioritized` has it; Spot
    Instances are spread over all of them.
    """
    if recipe.template is None or not recipe.overrides:
        on_demand = min(count, max(0, recipe.on_demand_share(present + count) - present))
        for number, spot in ((on_demand, False), (count - on_demand, True)):
            if number:
                yield _Batch(number, recipe.template, spot=spot)
        return
    on_demand = recipe.on_demand_share(present + count)
    for place in range(present, present + count):
        spot = place >= on_demand
        chosen = recipe.overrides[(place - on_demand) % len(recipe.overrides) if spot else 0]
        yield _Batch(1, chosen.template, chosen.instance_type, chosen.image_id, spot)


def bear(
    group: Any,
    count: int,
    cause: str,
    *,
    recipe: Recipe | None = None,
    launched_at: datetime | None = None,
    terminated_at: datetime | None = None,
) -> list[Member]:
    """Launch instances into a group, and note each launch as a scaling activity.

    A launch that EC2 refuses becomes a failed activity. The members launched before `launched_at`
    are in service; those terminated in the past leave only their lives and their activities.

    Args:
        group: moto's group.
        count: how many.
        cause: why, as the activity tells it.
        recipe: what to launch from; None for what the group launches from now.
        launched_at: when, for a history; None for now.
        terminated_at: when they were terminated again, for a history.
    """
    if "Launch" in group._suspended_processes:  # noqa: SLF001 - moto has no other access to it
        return []
    made: list[Member] = []
    for batch in _batches(recipe or recipe_of(group), len(members_of(group)), count):
        try:
            ids, origin = _launch(
                group, recipe or recipe_of(group), batch, launched_at, terminated_at
            )
        except (Refused, ServiceException) as refused:
            note(
                group,
                "Launching a new EC2 instance.  Status Reason: "
                f"{refused.message} Launching EC2 instance failed.",
                cause,
                seconds=1,
                failure=f"{refused.message} Launching EC2 instance failed.",
            )
            break
        made += _enrol(group, ids, origin, cause, launched_at)
    group.instance_states.extend(made)
    return made


def _launch(
    group: Any,
    recipe: Recipe,
    batch: _Batch,
    launched_at: datetime | None,
    terminated_at: datetime | None,
) -> tuple[list[str], Origin]:
    account, region = group.account_id, group.region
    nature, tags = nature_of(group), group.get_propagated_tags()
    how: dict[str, Any] = {"instance_type": batch.instance_type, "spot": batch.spot}
    if batch.template is not None:
        number = batch.template.number(account, region)
        origin = Origin(None, batch.template.id, batch.template.name, number)
        version = templates.find_version(backend_of(account, region), batch.template.id, number)
        image = batch.image_id or (None if version.data.get("ImageId") else nature.image)
        how |= {"template": (batch.template.id, number), "image_id": image}
    else:
        origin = Origin(recipe.launch_configuration)
        how |= _from_configuration(group, recipe.launch_configuration)
    ids = births.launch(
        account,
        region,
        count=batch.count,
        tags=tags,
        callers=nature.callers or read_callers(tags.get(CALLERS_TAG)),
        metrics=nature.metrics,
        traced=nature.traced,
        software=nature.software,
        ssm=nature.ssm,
        role=nature.role,
        credentials=nature.credentials,
        asg=group.name,
        recorded_from=nature.recorded_from if launched_at else None,
        launched_at=launched_at,
        terminated_at=terminated_at,
        **how,
    )
    return ids, origin


def _from_configuration(group: Any, name: str | None) -> dict[str, Any]:
    """The launch parameters that a launch configuration stands for."""
    configuration = group.autoscaling_backend.launch_configurations.get(name)
    if configuration is None:
        raise AutoscalingClientError(
            "ValidationError", f"Launch configuration name not found - {name} not found."
        )
    data = configuration.user_data
    return {
        "image_id": configuration.image_id,
        "instance_type": configuration.instance_type,
        "options": levels.from_wire(configuration.metadata_options or {}),
        "spot": bool(configuration.spot_price),
        "user_data": data.decode() if data is not None else None,
        "iam_instance_profile": configuration.iam_instance_profile,
    }


def _enrol(
    group: Any, ids: Sequence[str], origin: Origin, cause: str, launched_at: datetime | None
) -> list[Member]:
    world, nature = current(), nature_of(group)
    known = state_of(backend_of(group.account_id, group.region)).instances
    made = []
    for instance_id in ids:
        life = world.lives[instance_id]
        life.predecessor = nature.first_options
        instance = known.get(instance_id)
        zone = instance.placement.zone if instance is not None else f"{group.region}a"
        note(
            group,
            f"Launching a new EC2 instance: {instance_id}",
            cause,
            started=launched_at,
            seconds=BOOT.total_seconds(),
            zone=zone,
        )
        if instance is None or life.terminated_at is not None:
            continue
        made.append(
            Member(
                instance,
                group,
                origin,
                protected=group.new_instances_protected_from_scale_in,
                in_service_at=None if launched_at else world.now + BOOT,
            )
        )
    if nature.first_options is None and ids:
        nature.first_options = world.lives[ids[0]].options[0][1]
    return made


def bury(group: Any, members: Sequence[Member], cause: str) -> None:
    """Terminate instances of a group, and note each as a scaling activity."""
    gone = {member.instance_id for member in members}
    # First out of the group, so that their end is not taken for a failure to be replaced.
    group.instance_states = [m for m in members_of(group) if m.instance_id not in gone]
    births.terminate(group.account_id, group.region, sorted(gone))
    for member in members:
        note(
            group,
            f"Terminating EC2 instance: {member.instance_id}",
            cause.replace("{id}", member.instance_id),
            zone=member.availability_zone,
        )
