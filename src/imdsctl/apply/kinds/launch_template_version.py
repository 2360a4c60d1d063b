"""A new launch template version on top of the one really used (CreateLaunchTemplateVersion)."""

from imdsctl.apply.handler import AtOnce, Handler, Look, Site
from imdsctl.model.evidence import Unreadable
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Change
from imdsctl.ports import Done, Outcome


class LaunchTemplateVersion(AtOnce):
    """The created version carries the run's mark, so that it is found again after a crash."""

    def look(self, change: Change, site: Site) -> Look:
        """`after` once a version with the mark exists."""
        versions = site.fleet.template_versions(change.cell, change.resource)
        if isinstance(versions, Unreadable):
            return Look.failed(versions)
        mark = site.note(change)
        ours = next((v for v in versions if v.description == mark), None)
        if ours is not None:
            return Look(state="after", result={"version": str(ours.number)})
        source = next((v for v in versions if str(v.number) == change.before["source"]), None)
        if source is None:
            return Look(state="gone", detail=f"version {change.before['source']} does not exist")
        live = {"source": str(source.number), "options": source.options.members()}
        return Look.compared(live, change, after={}, result={})

    def make(self, change: Change, site: Site) -> Outcome:
        """Creates it with the whole of MetadataOptions."""
        return site.control.create_template_version(
            change.cell,
            change.resource,
            change.before["source"],
            MetadataOptions(**change.after["options"]),
            site.token(change),
            site.note(change),
        )

    def undo(self, change: Change, site: Site) -> Outcome:
        """Deletes the version that this run created."""
        version = site.progress(change.id).result.get("version")
        if version is None:
            return Done()
        return site.control.delete_template_version(change.cell, change.resource, str(version))


HANDLER: Handler = LaunchTemplateVersion()
