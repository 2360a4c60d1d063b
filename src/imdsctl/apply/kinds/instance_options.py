"""The metadata options of one instance (ModifyInstanceMetadataOptions)."""

from msgspec import structs

from imdsctl.apply.handler import Handler, LeavesNothing, Look, Settled, Site
from imdsctl.model.evidence import Unreadable
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Change
from imdsctl.ports import Done, Outcome, Refused

_POLL_SECONDS = 5
_PATIENCE_SECONDS = 600


class InstanceOptions(LeavesNothing):
    """Sends only the members that differ, so that nothing else is ever switched on."""

    def look(self, change: Change, site: Site) -> Look:
        """Compares all five members; `pending` ones are moving."""
        found = site.fleet.instances_by_id(change.cell, [change.resource])
        if isinstance(found, Unreadable):
            return Look.failed(found)
        instance = found.get(change.resource)
        if instance is None or instance.state in ("terminated", "shutting-down"):
            return Look(state="gone", detail="the instance was terminated")
        look = Look.compared(instance.options.members(), change, after=change.after, result={})
        return structs.replace(look, moving=instance.options.state == "pending")

    def make(self, change: Change, site: Site) -> Outcome:
        """From `before` to `after`."""
        return self._send(change, site, change.before, change.after)

    def undo(self, change: Change, site: Site) -> Outcome:
        """From `after` to the recorded options."""
        return self._send(change, site, change.after, change.before)

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Waits until EC2 reports `applied`; a stopped instance stays `pending` until it starts."""
        deadline = site.clock.now().timestamp() + _PATIENCE_SECONDS
        while True:
            found = site.fleet.instances_by_id(change.cell, [change.resource])
            if not isinstance(found, Unreadable):
                instance = found.get(change.resource)
                if instance is None or instance.state in ("terminated", "shutting-down"):
                    return Settled(ok=True, detail="terminated meanwhile")
                if instance.options.state != "pending":
                    return Settled(ok=True)
                if instance.state in ("stopped", "stopping"):
                    return Settled(ok=True, detail="takes effect at its next start")
            if site.clock.now().timestamp() >= deadline:
                why = found.why if isinstance(found, Unreadable) else "still pending"
                return Settled(ok=False, detail=f"not applied after 10 minutes: {why}")
            site.clock.sleep(_POLL_SECONDS)

    @staticmethod
    def _send(
        change: Change, site: Site, now: dict[str, object], then: dict[str, object]
    ) -> Outcome:
        members = {k: v for k, v in then.items() if now.get(k) != v and isinstance(v, str | int)}
        if not members:
            return Done()
        turns_on = members.get("http_endpoint") == "enabled"
        if turns_on and MetadataOptions(**change.before).http_endpoint == "disabled":
            return Refused("Refused", "would switch the metadata service on where it was off")
        return site.control.modify_instance(change.cell, change.resource, members)


HANDLER: Handler = InstanceOptions()
