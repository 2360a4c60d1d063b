"""StartInstanceRefresh, and the calls that describe, cancel and roll back a refresh."""

from collections.abc import Mapping
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.core.responses import ActionResult

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling.describe import mixed_view
from imdsctl.simulator.autoscaling.groups import find
from imdsctl.simulator.autoscaling.members import KEPT, book_of, recipe_of
from imdsctl.simulator.autoscaling.paging import page
from imdsctl.simulator.autoscaling.preferences import read_preferences
from imdsctl.simulator.autoscaling.recipes import Recipe, TemplateRef, make_recipe
from imdsctl.simulator.autoscaling.refresh import Refresh
from imdsctl.simulator.ec2 import templates
from imdsctl.simulator.ec2.region import backend_of
from imdsctl.simulator.world import current


def start_instance_refresh(self: Any) -> ActionResult:
    """StartInstanceRefresh."""
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    strategy = self._get_param("Strategy") or "Rolling"
    if strategy != "Rolling":
        raise ValidationError(f"The strategy {strategy} is not supported by this group.")
    preferences = read_preferences(self._get_param("Preferences"))
    desired = self._get_param("DesiredConfiguration")
    recipe = recipe_of(group)
    if desired:
        recipe = make_recipe(
            group.account_id,
            group.region,
            template=desired.get("LaunchTemplate"),
            mixed=desired.get("MixedInstancesPolicy"),
        )
    if _active(self.autoscaling_backend, group.name) is not None:
        raise AutoscalingClientError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this "
            "Instance Refresh.",
        )
    refresh = Refresh(
        group=group,
        preferences=preferences,
        desired=_shown(recipe) if desired else None,
        recipe=recipe,
        original=recipe_of(group),
        started=current().now,
    )
    if preferences.auto_rollback and (why := _irreversible(refresh)):
        raise ValidationError(f"AutoRollback cannot be enabled: {why}")
    book_of(self.autoscaling_backend).refreshes.setdefault(group.name, []).append(refresh)
    refresh.begin()
    return ActionResult({"InstanceRefreshId": refresh.id})


def describe_instance_refreshes(self: Any) -> ActionResult:
    """DescribeInstanceRefreshes: the last six weeks, the newest first."""
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    ids = self._get_param("InstanceRefreshIds", [])
    known = book_of(self.autoscaling_backend).refreshes.get(group.name, [])
    since = current().now - KEPT
    found = [r for r in known if (not ids or r.id in ids) and (r.ended or current().now) >= since]
    rows, token = page(self, sorted(found, key=_newest_first), _newest_first, default=50, most=100)
    return ActionResult({"InstanceRefreshes": [row.view() for row in rows], "NextToken": token})


def cancel_instance_refresh(self: Any) -> ActionResult:
    """CancelInstanceRefresh: what was replaced stays replaced."""
    refresh = _needed(self)
    refresh.cancel(wait=self._get_param("WaitForTransitioningInstances") is not False)
    return ActionResult({"InstanceRefreshId": refresh.id})


def rollback_instance_refresh(self: Any) -> ActionResult:
    """RollbackInstanceRefresh."""
    refresh = _needed(self)
    if why := _irreversible(refresh):
        raise AutoscalingClientError(
            "IrreversibleInstanceRefresh", f"Rollback is not possible: {why}"
        )
    refresh.roll_back("Rollback requested by user.")
    return ActionResult({"InstanceRefreshId": refresh.id})


def _active(backend: Any, name: str) -> Refresh | None:
    for refresh in book_of(backend).refreshes.get(name, []):
        if refresh.active:
            found: Refresh = refresh
            return found
    return None


def _needed(response: Any) -> Refresh:
    """The group's refresh that can still be cancelled or rolled back."""
    backend = response.autoscaling_backend
    group = find(backend, response._get_param("AutoScalingGroupName"))  # noqa: SLF001 - moto's way in
    refresh = _active(backend, group.name)
    if refresh is None or refresh.status in {"Cancelling", "RollbackInProgress"}:
        raise AutoscalingClientError(
            "ActiveInstanceRefreshNotFound",
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
        )
    return refresh


def _irreversible(refresh: Refresh) -> str:
    """Why a refresh cannot be rolled back, or nothing (User Guide, "Undo changes")."""
    if refresh.desired is None:
        return "the instance refresh has no desired configuration."
    refs = {*refresh.original.templates, *refresh.recipe.templates}
    if any(ref.floats for ref in refs):
        return "the launch template version is $Latest or $Default."
    if any(_has_image_parameter(refresh.group, ref) for ref in refs):
        return "the launch template uses an AWS Systems Manager parameter for its AMI."
    return ""


def _has_image_parameter(group: Any, ref: TemplateRef) -> bool:
    backend = backend_of(group.account_id, group.region)
    version = templates.find_version(backend, ref.id, ref.version)
    return str(version.data.get("ImageId", "")).startswith("resolve:ssm:")


def _shown(recipe: Recipe) -> Mapping[str, Any]:
    """The DesiredConfiguration that describes show."""
    if recipe.mixed is not None:
        return {"MixedInstancesPolicy": mixed_view(recipe.mixed)}
    assert recipe.template is not None
    return {"LaunchTemplate": recipe.template.view()}


def _newest_first(refresh: Refresh) -> str:
    microseconds = int(refresh.started.timestamp() * 1_000_000)
    return f"{10**17 - microseconds:018d}/{refresh.id}"
