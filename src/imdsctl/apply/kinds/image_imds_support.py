"""ImdsSupport v2.0 on an image of the account's own (ModifyImageAttribute): for good."""

from imdsctl.apply.handler import AtOnce, Handler, Look, Site, drained
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Outcome, Refused


class ImageImdsSupport(AtOnce):
    """Set once, and never again: a second call changes nothing."""

    def look(self, change: Change, site: Site) -> Look:
        """Whether the image has it, if it is still there and still the account's own."""
        found = drained(site.fleet.images(change.cell, [change.resource]))
        if isinstance(found, Unreadable):
            return Look.failed(found)
        if not found:
            return Look(state="gone", detail="the image was deregistered")
        if not found[0].own:
            return Look(state="drifted", detail=f"it belongs to account {found[0].owner}")
        live = {"imds_support": found[0].imds_support}
        return Look.compared(live, change, after=change.after, result={})

    def make(self, change: Change, site: Site) -> Outcome:
        """Sets it."""
        return site.control.set_imds_support(change.cell, change.resource)

    def undo(self, change: Change, site: Site) -> Outcome:
        """EC2 has no call for it."""
        return Refused("Irreversible", "the only way back is a new image from the snapshot")


HANDLER: Handler = ImageImdsSupport()
