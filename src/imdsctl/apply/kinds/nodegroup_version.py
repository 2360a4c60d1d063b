"""The launch template version of an EKS managed node group (UpdateNodegroupVersion).

EKS replaces every node and cannot be told to stop: CancelUpdate is for other kinds of update (EKS
API Reference). So an update whose new nodes are refused v1 calls is followed to its end, and then
the node group is updated back. What EKS does with the nodes of an update that failed is not
documented; whatever is left of them is looked for, and replaced by an update back, too.
"""

import hashlib
import uuid
from typing import Final

from imdsctl.apply.handler import Handler, LeavesNothing, Look, Settled, Site
from imdsctl.apply.nodes import Watched, left_over, live_nodegroup, name_of, updates_of
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Done, NodegroupUpdate, Outcome, Refused, Throttled

_RUNNING: Final = "InProgress"
_POLL_SECONDS = 60
_PATIENCE_SECONDS = 7 * 86_400
_UNREAD_LOOKS = 30


class NodegroupVersion(LeavesNothing):
    """Started once, followed to its end, and taken back if a new node is refused v1 calls."""

    def look(self, change: Change, site: Site) -> Look:
        """`after` while our update runs and once the node group has the new version.

        Only this run's update wants the version that this run created. So where its start got no
        answer, one that wants it is ours, even if it has ended and failed.
        """
        nodegroup = live_nodegroup(change, site)
        if isinstance(nodegroup, Look):
            return nodegroup
        own, template = nodegroup.template, change.before["template"]
        if own is None or own.id != template["id"]:
            return Look(state="drifted", detail=f"it does not use {template['name']} now")
        progress = site.progress(change.id)
        if nodegroup.status == "UPDATING" or progress.state == "in-doubt":
            look = _look_at_updates(change, site)
            if look is not None:
                return look
        if own.version == str(change.before["version"]) and progress.state == "applied":
            # Our update failed, and EKS went back to the old version: perhaps not with all nodes.
            left = left_over(change, site)
            if isinstance(left, Unreadable):
                return Look.failed(left)
            if left:
                detail = f"nodes of the new version are left: {', '.join(left)}"
                return Look(state="drifted", partial=True, detail=detail)
        after = {"version": site.version(change.after)}
        return Look.compared({"version": own.version}, change, after=after, result={})

    def make(self, change: Change, site: Site) -> Outcome:
        """UpdateNodegroupVersion to the new version of the node group's own template."""
        return _update_to(change, site, site.version(change.after), site.token(change))

    def undo(self, change: Change, site: Site) -> Outcome:
        """Waits for the end of an update under way, then updates back to the old version."""
        ended = _wait(change, site)
        if isinstance(ended, Settled):
            return Refused("StillUpdating", ended.detail)
        return _undo(change, site, ended)

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Follows the update to its end, watching the new nodes all the while."""
        if undoing:
            return _settle_back(change, site)
        mine = str(site.progress(change.id).result.get("update", ""))
        since = site.clock.now()
        watched = Watched()
        while (site.clock.now() - since).total_seconds() < _PATIENCE_SECONDS:
            updates = updates_of(change, site, mine)
            if isinstance(updates, Unreadable):
                watched.unread += 1
                if watched.unread > _UNREAD_LOOKS:
                    return Settled(ok=False, detail=f"it cannot be followed: {updates.why}")
            else:
                watched.unread = 0
                wanted = site.version(change.after)
                update = next((u for u in updates if u.version == wanted), None)
                if update is None:
                    # Not made by an update that EKS remembers.
                    return Settled(ok=True)
                watched.look(change, site, update.created_at or since)
                if update.status != _RUNNING and watched.long_enough(site):
                    return _ended(change, site, update, watched)
            site.clock.sleep(_POLL_SECONDS)
        return Settled(ok=False, detail="the update did not end within a week")


def _look_at_updates(change: Change, site: Site) -> Look | None:
    """What the updates of the node group say; None where none of them decides."""
    updates = updates_of(change, site)
    if isinstance(updates, Unreadable):
        return Look.failed(updates)
    before, after = str(change.before["version"]), site.version(change.after)
    running = next((u for u in updates if u.status == _RUNNING), None)
    if running is not None and running.version == before and site.progress(change.id).undoing:
        return Look(state="before", moving=True, detail="on its way back")
    if running is not None and running.version != after:
        what = f"to version {running.version}" if running.version else running.kind
        return Look(state="drifted", detail=f"EKS update {running.id} ({what}) is running")
    ours = running or next((u for u in updates if u.version == after), None)
    return Look(state="after", result={"update": ours.id}) if ours is not None else None


def _update_to(change: Change, site: Site, version: str, token: str) -> Outcome:
    cluster, name = name_of(change)
    # EKS's own clients send a UUID.
    text = str(uuid.UUID(hex=hashlib.sha256(token.encode()).hexdigest()[:32]))
    return site.control.update_nodegroup(
        change.cell, (cluster, name), change.before["template"]["id"], version, text
    )


def _wait(change: Change, site: Site) -> list[NodegroupUpdate] | Settled:
    """All updates, newest first, once none of them is running."""
    unread = 0
    deadline = site.clock.now().timestamp() + _PATIENCE_SECONDS
    while site.clock.now().timestamp() < deadline:
        updates = updates_of(change, site)
        if isinstance(updates, Unreadable):
            unread += 1
            if unread > _UNREAD_LOOKS:
                return Settled(ok=False, detail=f"it cannot be followed: {updates.why}")
        elif not any(update.status == _RUNNING for update in updates):
            return updates
        site.clock.sleep(_POLL_SECONDS)
    return Settled(ok=False, detail="the update did not end within a week")


def _undo(change: Change, site: Site, updates: list[NodegroupUpdate]) -> Outcome:
    """Update back, unless nothing of the update is left.

    The token holds the newest update there is: the same for every attempt at one way back, and
    another one after that attempt has failed.
    """
    nodegroup = live_nodegroup(change, site)
    if isinstance(nodegroup, Look):
        return Done() if nodegroup.state == "gone" else Throttled("Unread", nodegroup.detail)
    before = str(change.before["version"])
    if nodegroup.template is not None and nodegroup.template.version == before:
        left = left_over(change, site)
        if isinstance(left, Unreadable):
            return Throttled("Unread", left.why)
        if not left:
            return Done()
    newest = updates[0].id if updates else ""
    return _update_to(change, site, before, f"{site.token(change)} back after {newest}")


def _settle_back(change: Change, site: Site) -> Settled:
    """How the way back came out."""
    updates = _wait(change, site)
    if isinstance(updates, Settled):
        return updates
    nodegroup = live_nodegroup(change, site)
    if isinstance(nodegroup, Look):
        return Settled(ok=nodegroup.state == "gone", detail=nodegroup.detail)
    before = str(change.before["version"])
    newest = updates[0] if updates else None
    failed = newest is not None and newest.version == before and newest.status != "Successful"
    if nodegroup.template is None or nodegroup.template.version != before or failed:
        why = "; ".join(newest.errors) if newest else ""
        detail = f"the update back to version {before} ended as {newest.status}" if newest else ""
        return Settled(
            ok=False, detail=f"{detail or 'it was not updated back'}: {why}".rstrip(": ")
        )
    left = left_over(change, site)
    if isinstance(left, Unreadable):
        return Settled(ok=False, detail=f"the nodes could not be read: {left.why}")
    if left:
        return Settled(ok=False, detail=f"nodes of the new version are left: {', '.join(left)}")
    return Settled(ok=True)


def _ended(change: Change, site: Site, update: NodegroupUpdate, watched: Watched) -> Settled:
    """What an update that has ended comes to."""
    if update.status == "Successful":
        if watched.words:
            return Settled(ok=False, take_back=True, detail=watched.words)
        if watched.unreadable is not None:
            why = watched.unreadable.why
            detail = f"it ended, but how the new nodes do could not be read: {why}"
            return Settled(ok=False, detail=detail)
        return Settled(ok=True)
    said = [f"EKS update {update.id} ended as {update.status}", *update.errors, watched.words]
    detail = "; ".join(filter(None, said))
    look = NodegroupVersion().look(change, site)
    # EKS went back by itself; where it did not, or not with every node, that is left to do.
    return Settled(
        ok=False, detail=detail, taken_back=look.state == "before", take_back=look.state != "before"
    )


HANDLER: Handler = NodegroupVersion()
