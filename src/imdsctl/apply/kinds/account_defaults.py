"""The account-level default of a region (ModifyInstanceMetadataDefaults)."""

from imdsctl.apply.handler import AtOnce, Handler, Look, Site
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Outcome


class AccountDefaults(AtOnce):
    """Touches only the members that the plan names; the endpoint is never among them."""

    def look(self, change: Change, site: Site) -> Look:
        """Compares those members."""
        found = site.fleet.account_defaults(change.cell)
        if isinstance(found, Unreadable):
            return Look.failed(found)
        members = found.options.members()
        live = {key: members.get(key) for key in change.after}
        return Look.compared(live, change, after=change.after, result={})

    def make(self, change: Change, site: Site) -> Outcome:
        """Sets them."""
        return site.control.set_account_defaults(change.cell, change.after)

    def undo(self, change: Change, site: Site) -> Outcome:
        """Sets them back; a member that had no preference gets none again."""
        return site.control.set_account_defaults(change.cell, change.inverse or {})


HANDLER: Handler = AccountDefaults()
