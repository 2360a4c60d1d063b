"""Which launch template version an Auto Scaling group launches (UpdateAutoScalingGroup)."""

from imdsctl.apply.groups import look_at_specs
from imdsctl.apply.handler import AtOnce, Handler, Look, Site
from imdsctl.model.plan import Change
from imdsctl.ports import Outcome


class AsgLaunchTemplate(AtOnce):
    """Only new instances are affected; the group's other settings stay."""

    def look(self, change: Change, site: Site) -> Look:
        """Compares the main spec and the overrides that the change names."""
        return look_at_specs(change, site)

    def make(self, change: Change, site: Site) -> Outcome:
        """Points it at the new versions."""
        specs = {w: site.spec(spec) for w, spec in change.after["specs"].items()}
        return site.control.repoint_group(change.cell, change.resource, specs)

    def undo(self, change: Change, site: Site) -> Outcome:
        """Points it back."""
        specs = {w: site.spec(spec) for w, spec in change.before["specs"].items()}
        return site.control.repoint_group(change.cell, change.resource, specs)


HANDLER: Handler = AsgLaunchTemplate()
