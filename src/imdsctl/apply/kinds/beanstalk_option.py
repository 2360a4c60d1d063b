"""An Elastic Beanstalk environment's option DisableIMDSv1 (UpdateEnvironment)."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from imdsctl.apply.handler import Handler, LeavesNothing, Look, Settled, Site, drained
from imdsctl.model.cell import calls_in_words
from imdsctl.model.evidence import Environment, GroupMember, Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Done, Outcome, Refused

MOVING: Final = ("Updating", "Aborting", "Launching", "LinkingFrom", "LinkingTo")
_GONE: Final = ("Terminating", "Terminated")
_POLL_SECONDS: Final = 60
_ID_TAG: Final = "elasticbeanstalk:environment-id"
_PATIENCE_SECONDS: Final = 2 * 86_400
_UNREAD_LOOKS: Final = 30
_WATCH_SECONDS: Final = 900
"""How long the replacements are watched once the environment is Ready: metrics lag behind."""


class BeanstalkOption(LeavesNothing):
    """Set once, followed until the environment is Ready, and cancelled if v1 calls are refused."""

    def look(self, change: Change, site: Site) -> Look:
        """What the environment has deployed, or what it is being brought to.

        Where the call got no answer, a draft that failed to deploy since then is ours: Elastic
        Beanstalk rolled it back while nobody looked.
        """
        environment = _live(change, site)
        if isinstance(environment, Look):
            return environment
        progress = site.progress(change.id)
        if environment.status in MOVING:
            return _look_at_update(environment, change, undoing=progress.undoing)
        live = {
            "disable_imdsv1": environment.disable_imdsv1,
            "failed_at": environment.failed_at.isoformat() if environment.failed_at else None,
        }
        if environment.disable_imdsv1 == change.after["disable_imdsv1"]:
            return Look(state="after", live=live)
        if environment.disable_imdsv1 != change.before["disable_imdsv1"]:
            now, was = environment.disable_imdsv1, change.before["disable_imdsv1"]
            return Look(
                state="drifted",
                live=live,
                detail=f"DisableIMDSv1 is {now or 'not set'} now; the plan saw {was or 'not set'}",
            )
        failed_since = (
            live["failed_at"] is not None
            and live["failed_at"] != progress.live_before.get("failed_at")
            and environment.draft == change.after["disable_imdsv1"]
        )
        if progress.state == "in-doubt" and not progress.undoing and failed_since:
            return Look(state="after", live=live, detail="the update failed while nobody looked")
        return Look(state="before", live=live)

    def make(self, change: Change, site: Site) -> Outcome:
        """UpdateEnvironment with this one option."""
        return site.control.set_environment_option(
            change.cell, change.before["environment_id"], change.after["disable_imdsv1"]
        )

    def undo(self, change: Change, site: Site) -> Outcome:
        """Cancels the update in progress; after its end, sets the option back or removes it."""
        live = _live(change, site)
        if isinstance(live, Environment) and live.abortable:
            site.control.abort_environment_update(change.cell, live.environment_id)
        # Only a Ready environment takes an update, and one that was cancelled is as before then.
        ready = _ready(change, site)
        if not isinstance(ready, Environment):
            return Refused("NotReady", ready)
        before = change.before["disable_imdsv1"]
        if ready.disable_imdsv1 == before:
            return Done()
        return site.control.set_environment_option(change.cell, ready.environment_id, before)

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Follows the update until the environment is Ready, watching the replacements."""
        since = site.clock.now()
        if undoing:
            return _restored(change, site)
        asked_back = ""

        def watch(environment: Environment) -> None:
            nonlocal asked_back
            if asked_back or not environment.abortable:
                return
            refused = _refused_calls(change, site, since)
            if refused and not isinstance(refused, Unreadable):
                asked_back = refused
                site.control.abort_environment_update(change.cell, environment.environment_id)

        environment = _ready(change, site, watch)
        if not isinstance(environment, Environment):
            return Settled(ok=False, detail=environment)
        if environment.disable_imdsv1 != change.after["disable_imdsv1"]:
            why = asked_back or "Elastic Beanstalk rolled the update back; its events say why"
            if environment.health == "Red":
                return Settled(
                    ok=False, detail=f"{why}; its health is Red: the rollback failed, too"
                )
            return Settled(ok=False, taken_back=True, detail=why)
        return _watched(change, site, since)


def _live(change: Change, site: Site) -> Environment | Look:
    """The environment as it is now, or the look that says why there is none to change."""
    found = drained(site.fleet.environments(change.cell, [change.resource]))
    if isinstance(found, Unreadable):
        return Look.failed(found)
    here = [one for one in found if one.status not in _GONE]
    if not here:
        return Look(state="gone", detail="the environment was terminated")
    if here[0].environment_id != change.before["environment_id"]:
        return Look(state="drifted", detail="it is another environment of the same name now")
    return here[0]


def _look_at_update(environment: Environment, change: Change, *, undoing: bool) -> Look:
    """Where an update in progress leads; a cancelled one leads to what is deployed."""
    before, after = change.before["disable_imdsv1"], change.after["disable_imdsv1"]
    cancelled = environment.status == "Aborting"
    goal = environment.draft if environment.deploying else environment.disable_imdsv1
    if undoing and (environment.disable_imdsv1 if cancelled else goal) == before:
        return Look(state="before", moving=True, detail="on its way back")
    if goal == after:
        # Where it was cancelled, how that ends is what counts: `settle` follows it.
        return Look(state="after", moving=True)
    return Look(
        state="drifted", detail=f"the environment is {environment.status}: another update runs"
    )


def _ready(
    change: Change, site: Site, watch: Callable[[Environment], None] = lambda _: None
) -> Environment | str:
    """The environment once it is Ready, or why that was not seen."""
    deadline = site.clock.now().timestamp() + _PATIENCE_SECONDS
    unread = 0
    while site.clock.now().timestamp() < deadline:
        environment = _live(change, site)
        if isinstance(environment, Environment):
            unread = 0
            if environment.status not in MOVING:
                return environment
            watch(environment)
        elif environment.state != "unreadable":
            return environment.detail
        else:
            unread += 1
            if unread > _UNREAD_LOOKS:
                return f"it cannot be followed: {environment.detail}"
        site.clock.sleep(_POLL_SECONDS)
    return "the environment was not Ready again within two days"


def _restored(change: Change, site: Site) -> Settled:
    environment = _ready(change, site)
    if not isinstance(environment, Environment):
        return Settled(ok=False, detail=environment)
    if environment.disable_imdsv1 != change.before["disable_imdsv1"]:
        return Settled(ok=False, detail="the environment's own update took it forward again")
    return Settled(ok=True)


def _watched(change: Change, site: Site, since: datetime) -> Settled:
    """Whether the replacements are well, for as long as the metrics lag behind."""
    end = site.clock.now().timestamp() + _WATCH_SECONDS
    while True:
        refused = _refused_calls(change, site, since)
        last = site.clock.now().timestamp() >= end
        if isinstance(refused, Unreadable):
            if last:
                detail = f"it is Ready, but whether calls are rejected could not be read: {refused}"
                return Settled(ok=False, detail=detail)
        elif refused:
            return Settled(ok=False, take_back=True, detail=refused)
        elif last:
            break
        site.clock.sleep(_POLL_SECONDS)
    members = _members(change, site)
    sick = [] if isinstance(members, Unreadable) else [m.id for m in members if not m.healthy]
    environment = _live(change, site)
    if isinstance(environment, Environment) and environment.health == "Red":
        return Settled(ok=False, take_back=True, detail="the environment's health is Red")
    if sick:
        return Settled(ok=False, take_back=True, detail=f"{sick[0]} is unhealthy in its group")
    return Settled(ok=True)


def _members(change: Change, site: Site) -> list[GroupMember] | Unreadable:
    """The members of the environment's groups: an immutable update has a second one for a while."""
    found = drained(site.fleet.groups(change.cell))
    if isinstance(found, Unreadable):
        return found
    return [
        member
        for group in found
        if group.name == change.before["group"]
        or group.tags.get(_ID_TAG) == change.before["environment_id"]
        for member in group.members
    ]


def _refused_calls(change: Change, site: Site, since: datetime) -> str | Unreadable:
    """What the replacements' rejected calls are, empty if there are none."""
    members = _members(change, site)
    if isinstance(members, Unreadable):
        return members
    old = set(change.before["instances"])
    started = site.progress(change.id).applied_at or since
    new = {member.id: started for member in members if member.id not in old}
    if not new:
        return ""
    rejected = site.metrics.rejected_since(change.cell, new, site.clock.now())
    if isinstance(rejected, Unreadable):
        return rejected
    bad = {k: n for k, n in rejected.items() if n}
    return ", ".join(f"{k}: {calls_in_words(n)} rejected" for k, n in sorted(bad.items()))


HANDLER: Handler = BeanstalkOption()
