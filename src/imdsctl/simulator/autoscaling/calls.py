"""The calls of Auto Scaling that change groups and launch configurations."""

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups, launching
from imdsctl.simulator.autoscaling.members import book_of, members_of
from imdsctl.simulator.ec2 import options as levels
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.world import current

# moto's own methods, taken before they are replaced.
_moto_create_group = AutoScalingResponse.create_auto_scaling_group
_moto_update_group = AutoScalingResponse.update_auto_scaling_group
_moto_create_configuration = AutoScalingResponse.create_launch_configuration
_moto_delete_group = AutoScalingBackend.delete_auto_scaling_group


def create_auto_scaling_group(self: Any) -> ActionResult:
    """CreateAutoScalingGroup."""
    name = self._get_param("AutoScalingGroupName")
    if name in self.autoscaling_backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} "
            "already exists",
        )
    groups.check_sizes(
        self._get_int_param("MinSize"),
        self._get_int_param("MaxSize"),
        self._get_int_param("DesiredCapacity"),
    )
    result: ActionResult = _moto_create_group(self)
    group = self.autoscaling_backend.autoscaling_groups[name]
    group.created_time = current().now
    group.default_instance_warmup = self._get_int_param("DefaultInstanceWarmup")
    return result


def update_auto_scaling_group(self: Any) -> ActionResult:
    """UpdateAutoScalingGroup: running instances keep what they were born with."""
    group = groups.find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    result: ActionResult = _moto_update_group(self)
    warmup = self._get_int_param("DefaultInstanceWarmup")
    if warmup is not None:
        # -1 takes the value away again (API Reference, UpdateAutoScalingGroup).
        group.default_instance_warmup = None if warmup < 0 else warmup
    return result


def delete_auto_scaling_group(self: Any) -> ActionResult:
    """DeleteAutoScalingGroup: refused while there are instances, unless it is forced."""
    group = groups.find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    if members_of(group) and self._get_param("ForceDelete") is not True:
        raise AutoscalingClientError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot "
            "instance request(s) still in the group.",
        )
    group.min_size = 0
    launching.bury(group, list(members_of(group)), "instance {id} was terminated with its group.")
    _moto_delete_group(self.autoscaling_backend, group.name)
    return EmptyResult()


def set_desired_capacity(self: Any) -> ActionResult:
    """SetDesiredCapacity, within the group's bounds."""
    group = groups.find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    wanted = self._get_int_param("DesiredCapacity")
    for beyond, word, bound in (
        (wanted > group.max_size, "above max", group.max_size),
        (wanted < group.min_size, "below min", group.min_size),
    ):
        if beyond:
            raise ValidationError(
                f"New SetDesiredCapacity value {wanted} is {word} value {bound} for the "
                "AutoScalingGroup."
            )
    groups.set_desired_capacity(group, wanted)
    return EmptyResult()


def terminate_instance_in_auto_scaling_group(self: Any) -> ActionResult:
    """TerminateInstanceInAutoScalingGroup."""
    wanted = self._get_param("InstanceId")
    for group in self.autoscaling_backend.autoscaling_groups.values():
        for member in members_of(group):
            if member.instance_id == wanted:
                return _terminate(self, group, member)
    raise ValidationError(f"Instance Id not found - No managed instance found for: {wanted}")


def _terminate(response: Any, group: Any, member: Any) -> ActionResult:
    if response._get_param("ShouldDecrementDesiredCapacity") is True:  # noqa: SLF001 - moto's way in
        if group.desired_capacity - 1 < group.min_size:
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance "
                "without replacement will violate group's min size constraint. Either set "
                "shouldDecrementDesiredCapacity flag to false or lower group's min size."
            )
        group.desired_capacity -= 1
    cause = "instance {id} was taken out of service in response to a user request."
    launching.bury(group, [member], cause)
    activity = book_of(group.autoscaling_backend).activities[-1]
    groups.meet_capacity(group, "a user request terminated an instance.")
    return ActionResult({"Activity": activity.view(deleted=False)})


def create_launch_configuration(self: Any) -> ActionResult:
    """CreateLaunchConfiguration: it cannot be changed afterwards."""
    name = self._get_param("LaunchConfigurationName")
    if name in self.autoscaling_backend.launch_configurations:
        raise AutoscalingClientError(
            "AlreadyExists",
            "Launch Configuration by this name already exists - A launch configuration already "
            f"exists with the name {name}",
        )
    try:
        levels.from_wire(self._get_params().get("MetadataOptions"))
    except Refused as refused:
        raise ValidationError(refused.message) from refused
    result: ActionResult = _moto_create_configuration(self)
    self.autoscaling_backend.launch_configurations[name].created_time = current().now
    return result


def delete_launch_configuration(self: Any) -> ActionResult:
    """DeleteLaunchConfiguration: refused while a group launches from it."""
    backend, name = self.autoscaling_backend, self._get_param("LaunchConfigurationName")
    if name not in backend.launch_configurations:
        raise ValidationError("Launch configuration name not found - null")
    if any(g.launch_configuration_name == name for g in backend.autoscaling_groups.values()):
        raise AutoscalingClientError(
            "ResourceInUse",
            f"Cannot delete launch configuration {name} because it is attached to an "
            "AutoScalingGroup",
        )
    backend.delete_launch_configuration(name)
    return EmptyResult()
