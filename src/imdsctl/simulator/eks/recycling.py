"""Every node of one Auto Scaling group replaced, the way an update of a node group does it.

The phases are those of the EKS User Guide, "Understand each phase of node updates": new nodes
first, at least one in each Availability Zone that has some; then old ones are drained and
terminated, as many at a time as the node group allows; the size is what it was in the end. With
the update strategy MINIMAL old nodes go first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from imdsctl.simulator.autoscaling import groups, launching
from imdsctl.simulator.autoscaling.members import members_of
from imdsctl.simulator.autoscaling.recipes import Recipe
from imdsctl.simulator.world import current

_JOINING = 120.0
"""Seconds after which a new node may be Ready at the earliest."""
_POLL = 60.0
_DRAINING = 60.0
"""Seconds that EKS waits after it cordoned a drained node."""
_EVICTION = timedelta(minutes=15)
"""How long pods may take to leave a node (User Guide)."""
_BOOTSTRAP = timedelta(minutes=15)
"""How long a new node may take to join; not in the User Guide, so chosen."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it failed: EKS's error code, its words, and the ids it is about."""

    code: str
    message: str
    resources: tuple[str, ...] = ()


@dataclass(slots=True)
class Recycling:
    """The replacement of the nodes of `group` that `concerns` names, by nodes of `recipe`.

    `ended` is told None, or the problem that it failed with; then everything is as before, but for
    the nodes whose replacements had taken over already.
    """

    group: Any
    recipe: Recipe
    original: Recipe
    at_once: int
    minimal: bool
    drainable: bool
    concerns: Callable[[Any], bool]
    cause: str
    ended: Callable[[Problem | None], None]
    waiting: list[str] = field(default_factory=list)
    born: list[str] = field(default_factory=list)
    ahead: int = 0

    def begin(self) -> None:
        """Point the group at the new version, and launch the first new nodes."""
        old = [m for m in members_of(self.group) if self.concerns(m)]
        self.waiting = [m.instance_id for m in old]
        groups.set_recipe(self.group, self.recipe)
        if not old:
            self._finish()
            return
        if self.minimal:
            self._drain()
            return
        zones = {m.availability_zone for m in old}
        self.ahead = max(len(zones), min(self.at_once, len(old)))
        self.group.max_size += self.ahead
        self.group.desired_capacity += self.ahead
        self._launch_missing()
        self._await_ready(self._drain)

    def _launch_missing(self) -> None:
        missing = self.group.desired_capacity - len(groups.active(self.group))
        if missing > 0:
            made = launching.bear(self.group, missing, self.cause, recipe=self.recipe)
            self.born += [member.instance_id for member in made]

    def _await_ready(self, then: Callable[[], None]) -> None:
        deadline = current().now + _BOOTSTRAP

        def look() -> None:
            missing = self.group.desired_capacity - len(groups.active(self.group))
            sick = [m.instance_id for m in self._new() if m.health_status != "Healthy"]
            if not missing and not sick:
                then()
            elif current().now < deadline:
                self._launch_missing()
                current().after(_POLL, look)
            elif sick:
                self._fail("NodeCreationFailure", "Instances failed to join the cluster", sick)
            else:
                message = "Couldn't proceed with upgrade process as new nodes are not joining"
                self._fail("NodeCreationFailure", message, [self.group.name])

        current().after(_JOINING, look)

    def _new(self) -> list[Any]:
        born = set(self.born)
        return [m for m in members_of(self.group) if m.instance_id in born]

    def _drain(self) -> None:
        here = {m.instance_id for m in members_of(self.group)}
        self.waiting = [one for one in self.waiting if one in here]
        if not self.waiting:
            self._finish()
        elif self.drainable:
            current().after(_DRAINING, self._terminate)
        else:
            current().after(_EVICTION.total_seconds(), self._not_drained)

    def _not_drained(self) -> None:
        message = "Reached max retries while trying to evict pods from nodes in node group"
        self._fail("PodEvictionFailure", message, self.waiting[: self.at_once])

    def _terminate(self) -> None:
        going, self.waiting = self.waiting[: self.at_once], self.waiting[self.at_once :]
        leaving = [m for m in members_of(self.group) if m.instance_id in set(going)]
        launching.bury(self.group, leaving, f"{self.cause} Instance {{id}} was drained.")
        # Nodes that were launched ahead take the place of as many of the last old ones.
        spare = min(self.ahead, max(0, self.ahead - len(self.waiting)))
        self.group.max_size -= spare
        self.group.desired_capacity -= spare
        self.ahead -= spare
        self._launch_missing()
        self._await_ready(self._drain)

    def _finish(self) -> None:
        self._restore_size()
        groups.meet_capacity(self.group, self.cause)
        self.ended(None)

    def _fail(self, code: str, message: str, resources: list[str]) -> None:
        groups.set_recipe(self.group, self.original)
        self._restore_size()
        # The new nodes go first; where old ones are gone already, healthy new ones stay.
        surplus = len(groups.active(self.group)) - self.group.desired_capacity
        new = sorted(self._new(), key=lambda m: m.health_status == "Healthy")
        sick = [m for m in new if m.health_status != "Healthy"]
        going = new[: max(surplus, len(sick))]
        launching.bury(self.group, going, f"{self.cause} Instance {{id}} was taken back.")
        groups.meet_capacity(self.group, self.cause)
        self.ended(Problem(code, message, tuple(resources)))

    def _restore_size(self) -> None:
        self.group.max_size -= self.ahead
        self.group.desired_capacity -= self.ahead
        self.ahead = 0
