"""An instance refresh: the group's instances are replaced from a new launch template version."""

from datetime import datetime
from typing import Final

from imdsctl.apply.groups import live_group, look_at_specs
from imdsctl.apply.handler import Handler, LeavesNothing, Look, Settled, Site
from imdsctl.model.cell import calls_in_words
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change, Facts
from imdsctl.ports import Outcome, RefreshStatus, Refused, Throttled

ACTIVE: Final = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")
_HALFWAY: Final = ("Failed", "Cancelled", "RollbackFailed")
_POLL_SECONDS = 60
_PATIENCE_SECONDS = 7 * 86_400
_UNREAD_LOOKS = 30
_CANCEL_SECONDS = 7200


IRREVERSIBLE: Final = "IrreversibleInstanceRefresh"
"""AWS's answer where it cannot roll a refresh back: an image by parameter, a floating version."""


class InstanceRefresh(LeavesNothing):
    """Started once, followed to its end, and rolled back if a replacement is refused v1 calls."""

    def look(self, change: Change, site: Site) -> Look:
        """`after` while our refresh runs and once the group has the new versions.

        Only this run's refresh wants the versions that this run created. So where its start got
        no answer, one that wants them is ours, even if it has ended and AWS rolled it back.
        """
        refreshes = site.health.refreshes(change.cell, change.resource)
        if isinstance(refreshes, Unreadable):
            return Look.failed(refreshes)
        progress = site.progress(change.id)
        running = next((r for r in refreshes if r.status in ACTIVE), None)
        if running is not None:
            rolling_back = running.status == "RollbackInProgress" and progress.state != "in-doubt"
            if rolling_back or (progress.undoing and _wants(running, change.before, site)):
                return Look(state="before", moving=True, detail="on its way back")
            if _wants(running, change.after, site):
                return Look(state="after", result={"refresh": running.id})
            return Look(state="drifted", detail=f"instance refresh {running.id} is running")
        ours = next((r for r in refreshes if _wants(r, change.after, site)), None)
        if ours is not None and progress.state == "in-doubt":
            return Look(state="after", result={"refresh": ours.id})
        look = look_at_specs(change, site)
        if look.state == "after" and ours is not None:
            return Look(state="after", live=look.live, result={"refresh": ours.id})
        if look.state == "before" and ours is not None and ours.status in _HALFWAY:
            return _halfway(change, site, ours) or look
        return look

    def make(self, change: Change, site: Site) -> Outcome:
        """StartInstanceRefresh with the new versions as the desired configuration."""
        specs = {w: site.spec(spec) for w, spec in change.after["specs"].items()}
        return site.control.start_refresh(
            change.cell, change.resource, specs, change.after["preferences"]
        )

    def undo(self, change: Change, site: Site) -> Outcome:
        """Rolls back the one in progress; after its end, refreshes back to the old versions."""
        refreshes = site.health.refreshes(change.cell, change.resource)
        if not isinstance(refreshes, Unreadable) and any(r.status in ACTIVE for r in refreshes):
            outcome = site.control.rollback_refresh(change.cell, change.resource)
            if not (isinstance(outcome, Refused) and outcome.code == IRREVERSIBLE):
                return outcome
            site.control.cancel_refresh(change.cell, change.resource)
            if why := _still_active(change, site):
                return Throttled("InstanceRefreshInProgress", why)
        specs = {w: site.spec(spec) for w, spec in change.before["specs"].items()}
        return site.control.start_refresh(
            change.cell, change.resource, specs, _back(change.after["preferences"])
        )

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Follows the refresh to its end, watching the replacements all the while."""
        mine = "" if undoing else site.progress(change.id).result.get("refresh", "")
        since = site.clock.now()
        deadline = since.timestamp() + _PATIENCE_SECONDS
        asked_back = ""
        unread = 0
        while site.clock.now().timestamp() < deadline:
            refreshes = site.health.refreshes(change.cell, change.resource)
            if isinstance(refreshes, Unreadable):
                unread += 1
                if unread > _UNREAD_LOOKS:
                    return Settled(ok=False, detail=f"it cannot be followed: {refreshes.why}")
            elif refreshes:
                unread = 0
                refresh = next((r for r in refreshes if r.id == mine), refreshes[0])
                refused: str | Unreadable = ""
                if not undoing and not asked_back and "rejected-calls" in change.gates:
                    refused = self._refused_calls(change, site, refresh.started_at or since)
                if refresh.status not in ACTIVE:
                    return _ended(refresh, asked_back, refused, undoing=undoing)
                if refused and not isinstance(refused, Unreadable):
                    asked_back = refused
                    outcome = site.control.rollback_refresh(change.cell, change.resource)
                    if isinstance(outcome, Refused) and outcome.code == IRREVERSIBLE:
                        # At least no further instance is replaced; the rest is for a rollback.
                        site.control.cancel_refresh(change.cell, change.resource)
            site.clock.sleep(_POLL_SECONDS)
        return Settled(ok=False, detail="the instance refresh did not end within a week")

    @staticmethod
    def _refused_calls(change: Change, site: Site, started: datetime) -> str | Unreadable:
        """What the replacements' rejected calls are, empty if there are none."""
        group = live_group(change, site)
        if isinstance(group, Look):
            return ""
        old = set(change.before["instances"])
        new = {m.id: started for m in group.members if m.id not in old}
        if not new:
            return ""
        rejected = site.metrics.rejected_since(change.cell, new, site.clock.now())
        if isinstance(rejected, Unreadable):
            return rejected
        bad = {k: n for k, n in rejected.items() if n}
        return ", ".join(f"{k}: {calls_in_words(n)} rejected" for k, n in sorted(bad.items()))


def _halfway(change: Change, site: Site, refresh: RefreshStatus) -> Look | None:
    """A refresh that ended halfway left the group as it was, and new instances in it."""
    group = live_group(change, site)
    if isinstance(group, Look):
        return group
    new = {(spec["id"], site.version(spec)) for spec in change.after["specs"].values()}
    born = [
        m.id for m in group.members if m.template and (m.template.id, m.template.version) in new
    ]
    if not born:
        return None
    return Look(
        state="after",
        partial=True,
        result={"refresh": refresh.id},
        detail=f"the instance refresh ended as {refresh.status}; {len(born)} of "
        f"{len(group.members)} instances are new",
    )


def _back(preferences: Facts) -> Facts:
    """The preferences of a refresh back to the old version.

    It replaces whatever is not on the old version, also replacements that were born protected from
    scale-in, and neither an alarm nor a bake time holds it up: it is the way out.
    """
    kept = {k: v for k, v in preferences.items() if k not in ("AlarmSpecification", "BakeTime")}
    return {
        **kept,
        "AutoRollback": False,
        "SkipMatching": True,
        "ScaleInProtectedInstances": "Refresh",
    }


def _still_active(change: Change, site: Site) -> str:
    """Waits for a refresh that was cancelled; why it has not ended, if it has not."""
    deadline = site.clock.now().timestamp() + _CANCEL_SECONDS
    while site.clock.now().timestamp() < deadline:
        refreshes = site.health.refreshes(change.cell, change.resource)
        if not isinstance(refreshes, Unreadable) and not any(r.status in ACTIVE for r in refreshes):
            return ""
        site.clock.sleep(_POLL_SECONDS)
    return "the cancelled instance refresh has not ended yet"


def _wants(refresh: RefreshStatus, facts: Facts, site: Site) -> bool:
    """Whether a refresh brings the group to the versions that a plan's specs name."""
    desired = {(spec.id, spec.version) for spec in refresh.desired}
    wanted = {(spec["id"], site.version(spec)) for spec in facts["specs"].values()}
    return wanted <= desired


def _ended(
    refresh: RefreshStatus, asked_back: str, refused: str | Unreadable, *, undoing: bool
) -> Settled:
    if refresh.status == "RollbackSuccessful":
        return Settled(
            ok=undoing, taken_back=True, detail=asked_back or refresh.reason or refresh.status
        )
    if refresh.status != "Successful":
        why = asked_back or refresh.reason
        detail = f"instance refresh {refresh.id} ended as {refresh.status}: {why}"
        return Settled(ok=False, detail=detail.rstrip(": "))
    if isinstance(refused, Unreadable):
        detail = f"it ended, but whether calls are rejected could not be read: {refused.why}"
        return Settled(ok=False, detail=detail)
    found = asked_back or refused
    if found:
        return Settled(ok=False, detail=f"it ended before it could be rolled back: {found}")
    return Settled(ok=True)


HANDLER: Handler = InstanceRefresh()
