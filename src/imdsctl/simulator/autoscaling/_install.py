"""Puts this room's methods in the place of moto's."""

from imdsctl.simulator import _moto_env  # noqa: F401, I001 - must come before moto

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse

from imdsctl.simulator.autoscaling import calls, describe, groups, refresh_calls


def install() -> None:
    """See `imdsctl.simulator.autoscaling.install`."""
    # moto's type hints know nothing of being extended, hence setattr.
    for name, method in {
        "_set_launch_configuration": groups.set_launch_configuration,
        "update": groups.update,
        "set_desired_capacity": groups.set_desired_capacity,
    }.items():
        setattr(FakeAutoScalingGroup, name, method)
    for name, method in {
        "notify_terminate_instances": groups.replace_terminated,
        "attach_instances": groups.attach,
    }.items():
        setattr(AutoScalingBackend, name, method)
    for operation in (
        calls.create_auto_scaling_group,
        calls.update_auto_scaling_group,
        calls.delete_auto_scaling_group,
        calls.set_desired_capacity,
        calls.terminate_instance_in_auto_scaling_group,
        calls.create_launch_configuration,
        calls.delete_launch_configuration,
        describe.describe_auto_scaling_groups,
        describe.describe_auto_scaling_instances,
        describe.describe_launch_configurations,
        describe.describe_scaling_activities,
        refresh_calls.start_instance_refresh,
        refresh_calls.describe_instance_refreshes,
        refresh_calls.cancel_instance_refresh,
        refresh_calls.rollback_instance_refresh,
    ):
        setattr(AutoScalingResponse, operation.__name__, operation)
