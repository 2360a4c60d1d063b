"""Groups as AWS keeps them: their recipe, their capacity, and what changes either."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import launching
from imdsctl.simulator.autoscaling.members import Member, members_of, note, recipe_of
from imdsctl.simulator.autoscaling.recipes import Recipe, make_recipe
from imdsctl.simulator.world import current

_FIRST_RETRY = 60.0
_LAST_RETRY = 3600.0


def backend_of(account: str, region: str) -> Any:
    """Moto's Auto Scaling backend of an account and region."""
    return autoscaling_backends[account][region]


def find(backend: Any, name: str) -> Any:
    """Moto's group of this name.

    Raises:
        ValidationError: there is none.
    """
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(
            f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )
    return group


def scale(account: str, region: str, name: str, by: int) -> list[str]:
    """See `imdsctl.simulator.autoscaling.scale`."""
    group = backend_of(account, region).autoscaling_groups.get(name)
    if group is None:
        raise LookupError(f"there is no Auto Scaling group {name!r} in {account} {region}")
    before = {member.instance_id for member in members_of(group)}
    wanted = max(0, group.desired_capacity + by)
    group.max_size = max(group.max_size, wanted)
    group.min_size = min(group.min_size, wanted)
    set_desired_capacity(group, wanted)
    return [m.instance_id for m in members_of(group) if m.instance_id not in before]


def set_recipe(group: Any, recipe: Recipe) -> None:
    """Let `group` launch from `recipe` from now on; its instances stay what they are."""
    group.imdsctl_recipe = recipe
    group.launch_configuration_name = recipe.launch_configuration
    group.launch_config = group.autoscaling_backend.launch_configurations.get(
        recipe.launch_configuration
    )
    group.mixed_instances_policy = recipe.mixed
    group.ec2_launch_template = None
    group.provided_launch_template_version = None
    if recipe.template is not None:
        group.ec2_launch_template = group.ec2_backend.get_launch_template(recipe.template.id)
        group.launch_template_version = recipe.template.version or "$Default"
        group.provided_launch_template_version = recipe.template.version


def set_launch_configuration(
    group: Any,
    launch_config_name: str | None,
    launch_template: Mapping[str, Any] | None,
    mixed_instances_policy: Mapping[str, Any] | None,
) -> None:
    """Replaces moto's method of this name: what is given takes the place of what there was."""
    given = [v for v in (launch_config_name, launch_template, mixed_instances_policy) if v]
    if not given:
        return
    if len(given) > 1:
        raise ValidationError(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName "
            "or MixedInstancesPolicy parameter."
        )
    known = group.autoscaling_backend.launch_configurations
    if launch_config_name and launch_config_name not in known:
        raise ValidationError(
            "Launch configuration name not found - Launch configuration "
            f"{launch_config_name} not found"
        )
    recipe = make_recipe(
        group.account_id,
        group.region,
        launch_configuration=launch_config_name,
        template=launch_template,
        mixed=mixed_instances_policy,
    )
    set_recipe(group, recipe)


def update(
    group: Any,
    *,
    availability_zones: list[str],
    desired_capacity: int | None,
    max_size: int | None,
    min_size: int | None,
    launch_config_name: str | None,
    launch_template: Mapping[str, Any] | None,
    vpc_zone_identifier: str | None,
    health_check_period: int | None,
    health_check_type: str | None,
    new_instances_protected_from_scale_in: bool | None = None,
    mixed_instances_policy: Mapping[str, Any] | None = None,
) -> None:
    """Replaces moto's method of this name: what is not given stays, and only births change."""
    set_launch_configuration(group, launch_config_name, launch_template, mixed_instances_policy)
    group._set_azs_and_vpcs(availability_zones, vpc_zone_identifier, update=True)  # noqa: SLF001 - moto's own step
    low = group.min_size if min_size is None else min_size
    high = group.max_size if max_size is None else max_size
    check_sizes(low, high, desired_capacity)
    group.min_size, group.max_size = low, high
    if health_check_period is not None:
        group.health_check_grace_period = health_check_period
    if health_check_type is not None:
        group.health_check_type = health_check_type
    if new_instances_protected_from_scale_in is not None:
        group.new_instances_protected_from_scale_in = new_instances_protected_from_scale_in
    wanted = group.desired_capacity if desired_capacity is None else desired_capacity
    set_desired_capacity(group, max(low, min(high, wanted)))


def check_sizes(low: int, high: int, desired: int | None) -> None:
    """Refuse sizes that contradict each other.

    Raises:
        ValidationError: the maximum is below the minimum, or the capacity outside of both.
    """
    if high < low:
        raise ValidationError(
            f"Max bound, {high}, must be greater than or equal to min bound, {low}"
        )
    if desired is not None and desired > high:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{low} "
            f"and max size:{high}"
        )
    if desired is not None and desired < low:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{low} "
            f"and max size:{high}"
        )


def set_desired_capacity(group: Any, new_capacity: int | None) -> None:
    """Replaces moto's method of this name: launches or terminates what the capacity asks for."""
    old = getattr(group, "desired_capacity", 0) or 0
    group.desired_capacity = group.min_size if new_capacity is None else new_capacity
    verb = "increasing" if group.desired_capacity >= old else "shrinking"
    meet_capacity(
        group,
        f"a user request explicitly set group desired capacity changing the desired capacity "
        f"from {old} to {group.desired_capacity}, {verb} the capacity.",
    )


def active(group: Any) -> list[Member]:
    """The members that count towards the desired capacity, oldest first."""
    return [m for m in members_of(group) if m.lifecycle_state in {"InService", "Pending"}]


def meet_capacity(group: Any, why: str, retry: float = _FIRST_RETRY) -> None:
    """Launch what is missing to a group's capacity, or terminate what is too much.

    A launch that fails is tried again later, after longer and longer waits, as long as the
    group wants more instances than it has.

    Args:
        group: moto's group.
        why: why, as the activities tell it.
        retry: seconds of simulated time to the next attempt.
    """
    wanted, present = _instances_wanted(group), active(group)
    if len(present) < wanted:
        missing = wanted - len(present)
        plural = "s" if missing > 1 else ""
        made = launching.bear(
            group,
            missing,
            f"{why} An instance was started in response to a difference between desired and "
            f"actual capacity: {missing} instance{plural} missing.",
        )
        if len(made) < missing and group.name not in _waiting(group):
            _waiting(group).add(group.name)
            current().after(retry, lambda: _try_again(group, why, min(retry * 2, _LAST_RETRY)))
    elif len(present) > wanted:
        expendable = [m for m in present if not m.protected_from_scale_in]
        if "NewestInstance" in group.termination_policies:
            expendable.reverse()
        launching.bury(
            group,
            expendable[: len(present) - wanted],
            f"{why} Instance {{id}} was selected for termination.",
        )
    with suppress(KeyError):
        # While it is being created the group is not in the backend yet.
        group.autoscaling_backend.update_attached_elbs(group.name)
        group.autoscaling_backend.update_attached_target_groups(group.name)


def _instances_wanted(group: Any) -> int:
    """The desired capacity in instances; a mixed instances policy may give them weights."""
    capacity: int = group.desired_capacity or 0
    overrides = ((recipe_of(group).mixed or {}).get("LaunchTemplate") or {}).get("Overrides") or []
    weight = str(overrides[0].get("WeightedCapacity") or "1") if overrides else "1"
    return -(-capacity // max(1, int(weight))) if weight.isdigit() else capacity


def _waiting(group: Any) -> set[str]:
    backend = group.autoscaling_backend
    if not hasattr(backend, "imdsctl_waiting"):
        backend.imdsctl_waiting = set()
    waiting: set[str] = backend.imdsctl_waiting
    return waiting


def _try_again(group: Any, why: str, retry: float) -> None:
    _waiting(group).discard(group.name)
    if group.autoscaling_backend.autoscaling_groups.get(group.name) is group:
        meet_capacity(group, why, retry)


def replace_terminated(backend: Any, instance_ids: list[str]) -> None:
    """Replaces moto's `notify_terminate_instances`: what EC2 terminated is launched anew."""
    gone = set(instance_ids)
    for group in list(backend.autoscaling_groups.values()):
        kept = [m for m in members_of(group) if m.instance_id not in gone]
        lost = [m for m in members_of(group) if m.instance_id in gone]
        if not lost:
            continue
        group.instance_states = kept
        for member in lost:
            note(
                group,
                f"Terminating EC2 instance: {member.instance_id}",
                "an instance was taken out of service in response to an EC2 health check "
                "indicating it has been terminated or stopped.",
                zone=member.availability_zone,
            )
        meet_capacity(group, "a terminated instance was found.")


def attach(backend: Any, group_name: str, instance_ids: list[str]) -> None:
    """Replaces moto's `attach_instances`: the instances keep the options they have."""
    from imdsctl.simulator.autoscaling.members import Origin  # noqa: PLC0415 - avoids a wide import
    from imdsctl.simulator.ec2.region import state_of  # noqa: PLC0415

    group = find(backend, group_name)
    wanted = group.desired_capacity + len(instance_ids)
    if wanted > group.max_size:
        raise ValidationError(
            f"New desired capacity {wanted} would exceed the group's maximum of {group.max_size}"
        )
    for instance in state_of(group.ec2_backend).find(instance_ids):
        group.ec2_backend.create_tags([instance.id], {launching.GROUP_TAG: group.name})
        current().lives[instance.id].asg = group.name
        group.instance_states.append(Member(instance, group, Origin()))
    group.desired_capacity = wanted


def create_from_spec(
    account: str,
    region: str,
    name: str,
    *,
    recipe: Mapping[str, Any],
    size: int,
    tags: Mapping[str, str],
) -> Any:
    """Create a group without instances, for a seeder that adds them with their history.

    Args:
        account: the account's id.
        region: the region's name.
        name: the group's name.
        recipe: `launch_configuration` or `template`, as `make_recipe` takes them.
        size: its desired capacity.
        tags: its tags, all of them propagated at launch.
    """
    group: FakeAutoScalingGroup = backend_of(account, region).create_auto_scaling_group(
        name=name,
        availability_zones=[f"{region}{letter}" for letter in "abc"],
        desired_capacity=0,
        max_size=max(2 * size, size + 4),
        min_size=0,
        launch_config_name=recipe.get("launch_configuration") or "",
        launch_template=recipe.get("template") or {},
        vpc_zone_identifier=None,
        default_cooldown=None,
        health_check_period=None,
        health_check_type="EC2",
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=[
            {"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()
        ],
    )
    group.desired_capacity = size
    return group
