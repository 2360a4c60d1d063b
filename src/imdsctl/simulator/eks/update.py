"""An update of a managed node group, from the call to its end in simulated time."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imdsctl.simulator.autoscaling import groups as asg
from imdsctl.simulator.autoscaling.members import recipe_of
from imdsctl.simulator.autoscaling.recipes import Recipe
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.eks.nodegroups import add_to_copy, backend, record_of, set_release
from imdsctl.simulator.eks.recycling import Problem, Recycling
from imdsctl.simulator.world import current

_SOON = 10.0
_MOST_AT_ONCE = 100


@dataclass(slots=True)
class Update:
    """One update of `nodegroup` to `version` of its own template (None: to a newer release)."""

    account: str
    region: str
    nodegroup: Any
    version: str | None
    force: bool
    started: datetime
    params: Mapping[str, str]
    kind: str = "VersionUpdate"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    problem: Problem | None = None
    _queue: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Say that it runs, and start soon."""
        self.nodegroup.status = "UPDATING"
        self._queue = [one["name"] for one in self.nodegroup.resources["autoScalingGroups"]]
        current().after(_SOON, self._next)

    def view(self) -> dict[str, Any]:
        """The Update structure of the API."""
        problems = [self.problem] if self.problem is not None else []
        return {
            "id": self.id,
            "status": self.status,
            "type": self.kind,
            "params": [{"type": key, "value": value} for key, value in self.params.items()],
            "createdAt": self.started,
            "errors": [
                {
                    "errorCode": one.code,
                    "errorMessage": one.message,
                    "resourceIds": list(one.resources),
                }
                for one in problems
            ],
        }

    def _next(self) -> None:
        """Recycle the next Auto Scaling group; a node group of AWS's has one."""
        if not self._is_there():
            self._end(Problem("Unknown", "The node group was deleted."))
            return
        if not self._queue:
            self._end(None)
            return
        name = self._queue.pop(0)
        group = asg.backend_of(self.account, self.region).autoscaling_groups.get(name)
        if group is None:
            self._end(Problem("Unknown", f"The Auto Scaling group {name} was not found.", (name,)))
            return
        try:
            recipe = self._recipe(group)
        except Refused as refused:
            self._end(Problem("Unknown", refused.message, (name,)))
            return
        settings = self.nodegroup.update_config or {}
        Recycling(
            group=group,
            recipe=recipe,
            original=recipe_of(group),
            at_once=_at_once(settings, len(asg.active(group))),
            minimal=settings.get("updateStrategy") == "MINIMAL",
            drainable=self.force or record_of(self.nodegroup).drainable,
            concerns=self._is_old,
            cause=f"the update {self.id} of an EKS node group replaced instances of the group.",
            ended=self._recycled,
        ).begin()

    def _recipe(self, group: Any) -> Recipe:
        copy = record_of(self.nodegroup).copy
        if copy is None or self.version is None:
            return recipe_of(group)
        template = self.nodegroup.launch_template["id"]
        ref = add_to_copy(self.account, self.region, copy, template, self.version)
        return Recipe(template=ref)

    def _is_old(self, member: Any) -> bool:
        copy = record_of(self.nodegroup).copy
        if copy is None or self.version is None or member.origin.template_id != copy.id:
            return True
        return copy.sources.get(member.origin.template_version) != self.version

    def _is_there(self) -> bool:
        cluster = backend(self.account, self.region).clusters.get(self.nodegroup.cluster_name)
        name = self.nodegroup.nodegroup_name
        return cluster is not None and cluster.nodegroups.get(name) is self.nodegroup

    def _recycled(self, problem: Problem | None) -> None:
        if problem is not None:
            self._end(problem)
        else:
            self._next()

    def _end(self, problem: Problem | None) -> None:
        self.status, self.problem = ("Failed" if problem else "Successful"), problem
        self.nodegroup.status, self.nodegroup.modified_at = "ACTIVE", current().now
        if problem is None and self.version is not None:
            self.nodegroup.launch_template["version"] = self.version
            set_release(self.nodegroup, self.account, self.region)


def _at_once(settings: Mapping[str, Any], nodes: int) -> int:
    """How many nodes may be unavailable at a time; one where nothing is said."""
    if percent := settings.get("maxUnavailablePercentage"):
        return max(1, min(_MOST_AT_ONCE, nodes * int(percent) // 100))
    return min(_MOST_AT_ONCE, int(settings.get("maxUnavailable") or 1))
