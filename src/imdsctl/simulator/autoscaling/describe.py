"""The lists of Auto Scaling: groups, their instances, launch configurations, activities."""

from collections.abc import Mapping
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.core.responses import ActionResult

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling.groups import find
from imdsctl.simulator.autoscaling.members import (
    KEPT,
    Activity,
    book_of,
    members_of,
    recipe_of,
)
from imdsctl.simulator.autoscaling.paging import page
from imdsctl.simulator.autoscaling.render import render
from imdsctl.simulator.world import current

_DISTRIBUTION = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
    "SpotInstancePools": 2,
}


def describe_auto_scaling_groups(self: Any) -> str:
    """DescribeAutoScalingGroups."""
    groups = self.autoscaling_backend.describe_auto_scaling_groups(
        self._get_param("AutoScalingGroupNames", []), filters=self._get_param("Filters", [])
    )
    rows, token = page(
        self, sorted(groups, key=lambda g: g.name), lambda g: g.name, default=50, most=100
    )
    whole = self._get_param("IncludeInstances") is not False
    return render(
        "DescribeAutoScalingGroups",
        {"AutoScalingGroups": [_group(row, whole=whole) for row in rows], "NextToken": token},
    )


def _group(group: Any, *, whole: bool) -> dict[str, Any]:
    recipe = recipe_of(group)
    shown: dict[str, Any] = {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min_size,
        "MaxSize": group.max_size,
        "DesiredCapacity": group.desired_capacity,
        "DefaultCooldown": group.default_cooldown,
        "AvailabilityZones": group.availability_zones,
        "LoadBalancerNames": group.load_balancer_names,
        "TargetGroupARNs": group.target_group_arns,
        "HealthCheckType": group.health_check_type,
        "HealthCheckGracePeriod": group.health_check_grace_period,
        "Instances": [member.view() for member in members_of(group)] if whole else [],
        "CreatedTime": group.created_time,
        "SuspendedProcesses": group.suspended_processes,
        "PlacementGroup": group.placement_group,
        "VPCZoneIdentifier": group.vpc_zone_identifier or "",
        "EnabledMetrics": group.enabled_metrics,
        "Status": getattr(group, "status", None),
        "Tags": group.tags,
        "TerminationPolicies": group.termination_policies,
        "NewInstancesProtectedFromScaleIn": bool(group.new_instances_protected_from_scale_in),
        "ServiceLinkedRoleARN": group.service_linked_role_arn,
        "CapacityRebalance": bool(group.capacity_rebalance),
        "DefaultInstanceWarmup": getattr(group, "default_instance_warmup", None),
        "WarmPoolConfiguration": _warm_pool(group.warm_pool),
        "TrafficSources": [],
    }
    if recipe.mixed is not None:
        shown["MixedInstancesPolicy"] = mixed_view(recipe.mixed)
    elif recipe.template is not None:
        shown["LaunchTemplate"] = recipe.template.view()
    else:
        shown["LaunchConfigurationName"] = recipe.launch_configuration
    return {key: value for key, value in shown.items() if value is not None}


def _warm_pool(pool: Any) -> dict[str, Any] | None:
    if pool is None:
        return None
    return {
        "MaxGroupPreparedCapacity": pool.max_group_prepared_capacity,
        "MinSize": pool.min_size,
        "PoolState": pool.pool_state,
        "InstanceReusePolicy": pool.instance_reuse_policy,
    }


def mixed_view(mixed: Mapping[str, Any]) -> dict[str, Any]:
    """A mixed instances policy as describes show it: with the distribution's defaults."""
    distribution = {**_DISTRIBUTION, **(mixed.get("InstancesDistribution") or {})}
    return {**mixed, "InstancesDistribution": distribution}


def describe_auto_scaling_instances(self: Any) -> str:
    """DescribeAutoScalingInstances."""
    wanted = set(self._get_param("InstanceIds", []))
    found = [
        (member, group)
        for group in self.autoscaling_backend.autoscaling_groups.values()
        for member in members_of(group)
        if not wanted or member.instance_id in wanted
    ]
    found.sort(key=lambda pair: str(pair[0].instance_id))
    rows, token = page(self, found, lambda pair: str(pair[0].instance_id), default=50, most=50)
    shown = []
    for member, group in rows:
        row = {**member.view(), "AutoScalingGroupName": group.name}
        row["HealthStatus"] = row["HealthStatus"].upper()
        shown.append(row)
    return render(
        "DescribeAutoScalingInstances", {"AutoScalingInstances": shown, "NextToken": token}
    )


def describe_launch_configurations(self: Any) -> ActionResult:
    """DescribeLaunchConfigurations."""
    found = self.autoscaling_backend.describe_launch_configurations(
        self._get_param("LaunchConfigurationNames", [])
    )
    rows, token = page(
        self, sorted(found, key=lambda c: c.name), lambda c: c.name, default=50, most=100
    )
    return ActionResult({"LaunchConfigurations": rows, "NextToken": token})


def describe_scaling_activities(self: Any) -> str:
    """DescribeScalingActivities: the last six weeks, the newest first."""
    backend = self.autoscaling_backend
    name, ids = self._get_param("AutoScalingGroupName"), set(self._get_param("ActivityIds", []))
    deleted_too = self._get_param("IncludeDeletedGroups") is True
    if name and name not in backend.autoscaling_groups and not deleted_too:
        find(backend, name)
    since = current().now - KEPT
    found = [
        activity
        for activity in book_of(backend).activities
        if activity.started >= since
        and (not name or activity.group == name)
        and (not ids or activity.id in ids)
        and (deleted_too or activity.group in backend.autoscaling_groups)
    ]
    if ids and len(found) < len(ids):
        raise ValidationError("Activity ids not found")
    rows, token = page(self, sorted(found, key=_newest_first), _newest_first, default=100, most=100)
    return render(
        "DescribeScalingActivities",
        {
            "Activities": [
                row.view(deleted=row.group not in backend.autoscaling_groups) for row in rows
            ],
            "NextToken": token,
        },
    )


def _newest_first(activity: Activity) -> str:
    """A text that sorts an activity before all older ones."""
    microseconds = int(activity.started.timestamp() * 1_000_000)
    return f"{10**17 - microseconds:018d}/{activity.id}"
