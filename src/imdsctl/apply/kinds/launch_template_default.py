"""A launch template's default version (ModifyLaunchTemplate)."""

from imdsctl.apply.handler import AtOnce, Handler, Look, Site
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Outcome


class LaunchTemplateDefault(AtOnce):
    """Moves the default to the new version, and back to the recorded one."""

    def look(self, change: Change, site: Site) -> Look:
        """Compares the number of the default version."""
        versions = site.fleet.template_versions(change.cell, change.resource)
        if isinstance(versions, Unreadable):
            return Look.failed(versions)
        default = next((v for v in versions if v.default), None)
        if default is None:
            return Look(state="gone", detail="the launch template was deleted")
        after = {"default": site.version(change.after)}
        return Look.compared({"default": str(default.number)}, change, after=after, result={})

    def make(self, change: Change, site: Site) -> Outcome:
        """Moves it."""
        version = site.version(change.after)
        return site.control.set_default_version(change.cell, change.resource, version)

    def undo(self, change: Change, site: Site) -> Outcome:
        """Moves it back."""
        return site.control.set_default_version(
            change.cell, change.resource, change.before["default"]
        )


HANDLER: Handler = LaunchTemplateDefault()
