"""An instance refresh: the group's instances are replaced from a new launch template version."""

from datetime import datetime
from typing import Final

from imdsctl.apply.groups import live_group, look_at_specs
from imdsctl.apply.handler import Handler, Look, Settled, Site
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Outcome, RefreshStatus

ACTIVE: Final = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")
_POLL_SECONDS = 60
_PATIENCE_SECONDS = 7 * 86_400


class InstanceRefresh:
    """Started once, followed to its end, and rolled back if a replacement is refused v1 calls."""

    def look(self, change: Change, site: Site) -> Look:
        """`after` while our refresh runs and once the group has the new versions."""
        refreshes = site.health.refreshes(change.cell, change.resource)
        if isinstance(refreshes, Unreadable):
            return Look.failed(refreshes)
        running = next((r for r in refreshes if r.status in ACTIVE), None)
        if running is not None:
            wanted = {site.spec(spec).version for spec in change.after["specs"].values()}
            if {spec.version for spec in running.desired} == wanted:
                return Look(state="after", result={"refresh": running.id})
            return Look(state="drifted", detail=f"instance refresh {running.id} is running")
        look = look_at_specs(change, site)
        if look.state == "after" and refreshes:
            return Look(state="after", live=look.live, result={"refresh": refreshes[0].id})
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
            return site.control.rollback_refresh(change.cell, change.resource)
        specs = {w: site.spec(spec) for w, spec in change.before["specs"].items()}
        preferences = {**change.after["preferences"], "AutoRollback": False}
        return site.control.start_refresh(change.cell, change.resource, specs, preferences)

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Follows the newest refresh to its end, watching the replacements all the while."""
        since = site.clock.now()
        deadline = since.timestamp() + _PATIENCE_SECONDS
        asked_back = ""
        while site.clock.now().timestamp() < deadline:
            refreshes = site.health.refreshes(change.cell, change.resource)
            if not isinstance(refreshes, Unreadable) and refreshes:
                refresh = refreshes[0]
                if refresh.status not in ACTIVE:
                    return _ended(refresh, asked_back, undoing=undoing)
                started = refresh.started_at or since
                if not undoing and not asked_back:
                    asked_back = self._refused_calls(change, site, started)
                    if asked_back:
                        site.control.rollback_refresh(change.cell, change.resource)
            site.clock.sleep(_POLL_SECONDS)
        return Settled(ok=False, detail="the instance refresh did not end within a week")

    @staticmethod
    def _refused_calls(change: Change, site: Site, started: datetime) -> str:
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
            return ""
        bad = {k: n for k, n in rejected.items() if n}
        return ", ".join(f"{k}: {n} IMDSv1 calls rejected" for k, n in sorted(bad.items()))


def _ended(refresh: RefreshStatus, asked_back: str, *, undoing: bool) -> Settled:
    if refresh.status == "Successful" and not asked_back:
        return Settled(ok=True)
    if refresh.status == "RollbackSuccessful":
        return Settled(
            ok=undoing, taken_back=True, detail=asked_back or refresh.reason or refresh.status
        )
    detail = f"instance refresh {refresh.id} ended as {refresh.status}"
    return Settled(ok=False, detail=f"{detail}: {asked_back or refresh.reason}".rstrip(": "))


HANDLER: Handler = InstanceRefresh()
