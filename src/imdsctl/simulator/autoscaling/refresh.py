"""An instance refresh as it runs: batches, warm-up, checkpoints, baking, and the way back.

Everything happens in simulated time. A replacement that does not become healthy within an hour
ends the refresh, as does one of its alarms.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups, launching
from imdsctl.simulator.autoscaling.members import BOOT, Member, members_of
from imdsctl.simulator.autoscaling.preferences import Preferences
from imdsctl.simulator.autoscaling.recipes import Recipe
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.world import current

ACTIVE = frozenset({"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"})

_PATIENCE = timedelta(hours=1)
"""How long unhealthy replacements, protected instances and refused launches are waited for."""
_SOON = 5.0
_POLL = 60.0


@dataclass(slots=True)
class Batch:
    """Replacements that are warming up, and the old instances that go once they are healthy."""

    started: datetime
    ready_at: datetime
    new: list[str]
    leaving: list[str]
    size: int


@dataclass(slots=True)
class Refresh:
    """One instance refresh of a group.

    `waiting` holds the ids that are still to be replaced, `born` those of the replacements.
    `desired` is the DesiredConfiguration as it was given, `recipe` what it resolves to (or what
    the group launches from), `original` what the group launched from at the start.
    """

    group: Any
    preferences: Preferences
    desired: Mapping[str, Any] | None
    recipe: Recipe
    original: Recipe
    started: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pending"
    reason: str = ""
    ended: datetime | None = None
    waiting: list[str] = field(default_factory=list)
    born: list[str] = field(default_factory=list)
    total: int = 0
    done: int = 0
    batch: Batch | None = None
    rollback: dict[str, Any] | None = None
    _checkpoint_passed: int = 0
    _stuck_since: datetime | None = None
    _bake_until: datetime | None = None
    _ticket: int = 0

    def begin(self) -> None:
        """Choose what is to be replaced, and start soon."""
        self.waiting = [m.instance_id for m in members_of(self.group) if self._concerns(m)]
        self.total = len(self.waiting)
        self._later(_SOON)

    @property
    def active(self) -> bool:
        """Whether it has not come to an end."""
        return self.status in ACTIVE

    @property
    def percent(self) -> int:
        """How much of the work is done, in percent."""
        return 100 if not self.total else min(100, 100 * self.done // self.total)

    def view(self) -> dict[str, Any]:
        """The InstanceRefresh structure of DescribeInstanceRefreshes."""
        remaining = max(0, self.total - self.done)
        progress = {
            "LivePoolProgress": {"PercentageComplete": self.percent, "InstancesToUpdate": remaining}
        }
        shown: dict[str, Any] = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "StartTime": self.started,
            "EndTime": self.ended,
            "PercentageComplete": self.percent,
            "InstancesToUpdate": remaining,
            "ProgressDetails": progress,
            "Preferences": self.preferences.view(),
            "DesiredConfiguration": self.desired,
            "RollbackDetails": self.rollback,
            "Strategy": "Rolling",
        }
        if self.status == "Pending":
            for key in ("PercentageComplete", "InstancesToUpdate", "ProgressDetails"):
                del shown[key]
        return {key: value for key, value in shown.items() if value is not None}

    def cancel(self, *, wait: bool) -> None:
        """Stop replacing; what was replaced stays replaced.

        Args:
            wait: whether the replacements that are warming up are waited for.
        """
        self.status = "Cancelling"
        self.reason = "Cancelled by user."
        if not wait or self.batch is None:
            self._finish("Cancelled", self.reason)

    def roll_back(self, reason: str) -> None:
        """Replace the replacements with what the group was made from before."""
        self.rollback = {
            "RollbackReason": reason,
            "RollbackStartTime": current().now,
            "PercentageCompleteOnRollback": self.percent,
            "InstancesToUpdateOnRollback": max(0, self.total - self.done),
            "ProgressDetailsOnRollback": self.view()["ProgressDetails"]
            if self.status != "Pending"
            else None,
        }
        self.rollback = {key: value for key, value in self.rollback.items() if value is not None}
        self.status, self.reason = "RollbackInProgress", reason
        here = {m.instance_id for m in members_of(self.group)}
        self.waiting = [instance_id for instance_id in self.born if instance_id in here]
        self.total, self.done, self.born, self.batch = len(self.waiting), 0, [], None
        self.recipe, self._stuck_since, self._bake_until = self.original, None, None
        self._checkpoint_passed = 100
        # Old instances that a batch had not terminated yet make up for some of the replacements.
        surplus = max(0, len(groups.active(self.group)) - self.group.desired_capacity)
        self._terminate(self.waiting[:surplus])
        self.done += min(surplus, len(self.waiting))
        self.waiting = self.waiting[surplus:]
        self._later(_SOON)

    def _concerns(self, member: Member) -> bool:
        if self.preferences.skip_matching and self._matches(member):
            return False
        if member.lifecycle_state == "Standby" and self.preferences.standby == "Ignore":
            return False
        return not (member.protected_from_scale_in and self.preferences.protected == "Ignore")

    def _matches(self, member: Member) -> bool:
        """Whether an instance already is what its replacement would be."""
        recipe, origin = self.recipe, member.origin
        if recipe.template is None:
            return origin.launch_configuration == recipe.launch_configuration
        kinds = {o.instance_type for o in recipe.overrides if o.instance_type}
        if kinds and member.instance.instance_type not in kinds:
            return False
        account, region = self.group.account_id, self.group.region
        try:
            wanted = {(ref.id, ref.number(account, region)) for ref in recipe.templates}
        except Refused:
            return False
        return (origin.template_id, origin.template_version) in wanted

    def _later(self, seconds: float) -> None:
        self._ticket += 1
        ticket = self._ticket
        current().after(seconds, lambda: self._step() if ticket == self._ticket else None)

    def _step(self) -> None:
        here = self.group.autoscaling_backend.autoscaling_groups.get(self.group.name)
        if not self.active:
            return
        if here is not self.group:
            self._finish("Failed", "The Auto Scaling group was deleted.")
            return
        alarm = self._alarm()
        if alarm and self.status != "RollbackInProgress":
            self._fail(f"The CloudWatch alarm {alarm} is in the ALARM state.")
        elif self.batch is not None:
            self._watch(self.batch)
        elif self.status == "Cancelling":
            self._finish("Cancelled", self.reason)
        elif self._bake_until is not None:
            self._bake(self._bake_until)
        else:
            self._next()

    def _alarm(self) -> str | None:
        backend = cloudwatch_backends[self.group.account_id][self.group.region]
        for name in self.preferences.alarms:
            alarm = backend.alarms.get(name)
            if alarm is not None and alarm.state_value == "ALARM":
                return name
        return None

    def _sick(self) -> Member | None:
        """A replacement that is not healthy."""
        born = set(self.born)
        sick = (m for m in members_of(self.group) if m.instance_id in born)
        found: Member | None = next((m for m in sick if m.health_status != "Healthy"), None)
        return found

    def _watch(self, batch: Batch) -> None:
        now = current().now
        sick = self._sick()
        if now < batch.ready_at:
            self.reason = (
                "Waiting for instances to warm up before continuing. "
                f"For example: {batch.new[0]} is warming up."
            )
            self._later((batch.ready_at - now).total_seconds())
        elif sick is None:
            self._terminate(batch.leaving)
            self.done += batch.size
            self.batch, self._stuck_since = None, None
            self._after_batch()
        elif now - batch.ready_at < _PATIENCE:
            self.reason = f"Waiting for instance {sick.instance_id} to become healthy."
            self._later(_POLL)
        else:
            self.batch = None
            self._fail(
                f"The replacement instance {sick.instance_id} did not pass its health checks."
            )

    def _after_batch(self) -> None:
        if self.status == "Cancelling":
            self._finish("Cancelled", self.reason)
            return
        reached = [p for p in self.preferences.checkpoints if p <= self.percent]
        if self.status == "InProgress" and reached and reached[-1] > self._checkpoint_passed:
            self._checkpoint_passed = reached[-1]
            if self.waiting:
                self.reason = (
                    f"Waiting {self.preferences.checkpoint_delay} seconds at the checkpoint of "
                    f"{reached[-1]} percent before continuing."
                )
                self._later(self.preferences.checkpoint_delay)
                return
        self._next()

    def _next(self) -> None:
        """Start the next batch, or end."""
        if self.status == "Pending":
            self.status = "InProgress"
        if self._forget_the_gone():
            self._all_replaced()
            return
        last = self.preferences.checkpoints[-1:] or (100,)
        if self.status == "InProgress" and self.percent >= last[0]:
            self._all_replaced()
            return
        free = [m for m in self._still_waiting() if not self._holds(m)]
        if not free:
            self._wait_or_fail("Waiting for protected or standby instances to be released.")
            return
        sick = self._sick()
        if sick is not None:
            self._wait_or_fail(f"Waiting for instance {sick.instance_id} to become healthy.")
            return
        self._replace(free)

    def _still_waiting(self) -> list[Member]:
        wanted = set(self.waiting)
        return [m for m in members_of(self.group) if m.instance_id in wanted]

    def _forget_the_gone(self) -> bool:
        """Count those that left the group by themselves as replaced; whether none is left."""
        here = {m.instance_id for m in self._still_waiting()}
        self.done += len(self.waiting) - len(here)
        self.waiting = [instance_id for instance_id in self.waiting if instance_id in here]
        return not self.waiting

    def _holds(self, member: Member) -> bool:
        """Whether a preference to wait keeps an instance from being replaced now."""
        if self.status == "RollbackInProgress":
            return False
        standby = member.lifecycle_state == "Standby" and self.preferences.standby == "Wait"
        protected = member.protected_from_scale_in and self.preferences.protected == "Wait"
        return bool(standby or protected)

    def _wait_or_fail(self, reason: str) -> None:
        now = current().now
        self._stuck_since = self._stuck_since or now
        self.reason = reason
        if now - self._stuck_since < _PATIENCE:
            self._later(_POLL)
        else:
            self._fail(f"{reason} It took too long.")

    def _replace(self, free: list[Member]) -> None:
        size, ahead = self._batch_size(len(free))
        old = [member.instance_id for member in free[:size]]
        # The others leave at once, as far as the minimum of healthy instances allows.
        leaving, going = old[:ahead], old[ahead:]
        cause = f"an instance refresh with the ID {self.id} replaced instances of the group."
        made = launching.bear(self.group, size, cause, recipe=self.recipe)
        if not made:
            self._wait_or_fail("Instances could not be launched.")
            return
        if len(made) < size:
            going = going[: max(0, len(made) - len(leaving))]
        self._stuck_since = None
        self._terminate(going)
        replaced = set(going) | set(leaving)
        self.waiting = [i for i in self.waiting if i not in replaced]
        self.born += [member.instance_id for member in made]
        now = current().now
        self.batch = Batch(
            started=now,
            ready_at=now + BOOT + timedelta(seconds=self._warmup()),
            new=[member.instance_id for member in made],
            leaving=leaving,
            size=len(replaced),
        )
        self._watch(self.batch)

    def _warmup(self) -> int:
        for seconds in (
            self.preferences.warmup,
            getattr(self.group, "default_instance_warmup", None),
            self.group.health_check_grace_period,
        ):
            if seconds is not None:
                return int(seconds)
        return 0

    def _batch_size(self, free: int) -> tuple[int, int]:
        """How many to replace at once, and how many of these only leave once that is done."""
        capacity = max(1, len(groups.active(self.group)))
        allowed_down = capacity - -(-capacity * self.preferences.min_healthy // 100)
        highest = self.preferences.max_healthy
        ahead = 0 if highest is None else capacity * highest // 100 - capacity
        if allowed_down + ahead == 0:
            # One at a time; launched before the old one leaves only if 100 was asked for.
            allowed_down, ahead = (1, 0) if highest is None else (0, 1)
        size = min(free, allowed_down + ahead)
        for percent in self.preferences.checkpoints:
            if self.status == "InProgress" and percent > self.percent:
                target = -(-self.total * percent // 100)
                size = min(size, max(1, target - self.done))
                break
        return size, min(size, ahead)

    def _terminate(self, ids: list[str]) -> None:
        wanted = set(ids)
        members = [m for m in members_of(self.group) if m.instance_id in wanted]
        if members:
            cause = f"instance {{id}} was replaced by the instance refresh {self.id}."
            launching.bury(self.group, members, cause)

    def _all_replaced(self) -> None:
        if self.status == "RollbackInProgress":
            self._finish("RollbackSuccessful", self.reason)
        elif self.preferences.bake_time:
            self.status = "Baking"
            self.reason = "Waiting for the bake time to end."
            self._bake_until = current().now + timedelta(seconds=self.preferences.bake_time)
            self._later(min(_POLL, self.preferences.bake_time))
        else:
            self._succeed()

    def _bake(self, until: datetime) -> None:
        now, sick = current().now, self._sick()
        if sick is not None:
            self._fail(f"Instance {sick.instance_id} became unhealthy while baking.")
        elif now >= until:
            self._succeed()
        else:
            self._later(min(_POLL, (until - now).total_seconds()))

    def _succeed(self) -> None:
        if self.desired is not None:
            groups.set_recipe(self.group, self.recipe)
        self._finish("Successful", "")

    def _fail(self, reason: str) -> None:
        if self.status == "RollbackInProgress":
            self._finish("RollbackFailed", reason)
        elif self.preferences.auto_rollback and self.status != "Cancelling":
            self.roll_back(reason)
        else:
            self._finish("Failed", reason)

    def _finish(self, status: str, reason: str) -> None:
        self.status, self.reason, self.ended = status, reason, current().now
        self.batch = None
        self._ticket += 1
        # A refresh that was cut short may leave a group with more instances than it wants.
        groups.meet_capacity(self.group, "an instance refresh ended.")
