"""A configuration update of an environment, as it runs: rolling, and rolled back if it fails.

Elastic Beanstalk Developer Guide, "Elastic Beanstalk rolling environment configuration updates":
a batch leaves, a batch with the new configuration comes, and the next one waits until it is
healthy; one that is not within the timeout (30 minutes) cancels the update, and another rolling
update brings the previous configuration back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups, launching
from imdsctl.simulator.autoscaling.members import BOOT, members_of
from imdsctl.simulator.autoscaling.recipes import Recipe
from imdsctl.simulator.world import current

TIMEOUT = timedelta(minutes=30)
"""How long a batch may take to become healthy (option `Timeout`, default PT30M)."""

_BEGIN = 20.0
_SETTLE = BOOT.total_seconds() + 90
_POLL = 60.0
_CLEANUP = 60.0
_BATCHES = 3


@dataclass(slots=True)
class Update:
    """One rolling update of a group to `recipe`, and back to `original` if it has to be.

    `finished` is told at the end why the new configuration is not in force, or nothing.
    `tell` takes the events of the environment.
    """

    group: Any
    recipe: Recipe
    original: Recipe
    replaces: bool
    finished: Callable[[str], None]
    tell: Callable[[str, str], None]
    abortable: bool = True
    failed: str = ""
    waiting: list[str] = field(default_factory=list)
    born: list[str] = field(default_factory=list)
    _batch_since: datetime | None = None
    _ticket: int = 0

    def begin(self) -> None:
        """Start soon."""
        if self.replaces:
            groups.set_recipe(self.group, self.recipe)
            self.waiting = [member.instance_id for member in members_of(self.group)]
        self._later(_BEGIN)

    def abort(self, why: str) -> None:
        """Bring the previous configuration back; the same way as the update itself."""
        self.failed, self.abortable, self._batch_since = why, False, None
        groups.set_recipe(self.group, self.original)
        here = {member.instance_id for member in members_of(self.group)}
        self.waiting = [instance_id for instance_id in self.born if instance_id in here]
        self.born = []
        self.tell("ERROR", f"{why} Rolling back to the previous configuration.")
        self._later(_BEGIN)

    def _later(self, seconds: float) -> None:
        self._ticket += 1
        ticket = self._ticket
        current().after(seconds, lambda: self._step() if ticket == self._ticket else None)

    def _step(self) -> None:
        sick = self._sick()
        if self._batch_since is not None and sick:
            waited = current().now - self._batch_since
            if waited < TIMEOUT:
                self._later(_POLL)
            elif self.failed:
                self.finished(f"{self.failed} The rollback failed too.")
            else:
                self.abort(f"Instance {sick} did not become healthy within the rolling timeout.")
        elif self.waiting:
            self._batch()
        elif self.abortable:
            # The clean-up of the old resources: from here on it cannot be cancelled any more.
            self.abortable = False
            self._later(_CLEANUP)
        else:
            self.finished(self.failed)

    def _sick(self) -> str:
        """A replacement that is not healthy; in a rollback nothing is waited for but the boot."""
        born = set(self.born)
        for member in members_of(self.group):
            if member.instance_id in born and member.health_status != "Healthy":
                return str(member.instance_id)
        return ""

    def _batch(self) -> None:
        size = max(1, len(members_of(self.group)) // _BATCHES)
        ids, self.waiting = self.waiting[:size], self.waiting[size:]
        leaving = [m for m in members_of(self.group) if m.instance_id in set(ids)]
        launching.bury(
            self.group, leaving, "instance {id} was replaced by a rolling configuration update."
        )
        made = launching.bear(
            self.group,
            len(leaving),
            "a rolling configuration update replaced instances of the group.",
            recipe=self.original if self.failed else self.recipe,
        )
        self.born += [member.instance_id for member in made]
        self.tell("INFO", f"Replaced {len(leaving)} instances; {len(self.waiting)} are left.")
        self._batch_since = current().now
        self._later(_SETTLE)
