"""A launch template with the settings of a launch configuration takes its place in a group."""

from imdsctl.apply.groups import live_group
from imdsctl.apply.handler import AtOnce, Handler, Look, Site
from imdsctl.model.evidence import TemplateSpec, Unreadable
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Change
from imdsctl.ports import Done, Outcome, Refused, Throttled

_EXISTS = "InvalidLaunchTemplateName.AlreadyExistsException"


class LaunchConfigurationReplacement(AtOnce):
    """Two calls: create the template (idempotent by token and name), then repoint the group."""

    def look(self, change: Change, site: Site) -> Look:
        """`after` once the group launches from the template that the run created."""
        group = live_group(change, site)
        if isinstance(group, Look):
            return group
        if group.launch_configuration == change.before["launch_configuration"]:
            return Look(state="before", live={"launch_configuration": group.launch_configuration})
        main = next((s.template for s in group.specs if s.override is None), None)
        if main is not None and main.name == change.after["template"]:
            return Look(state="after", result={"id": main.id, "name": main.name})
        return Look(state="drifted", detail="the group launches from something else now")

    def make(self, change: Change, site: Site) -> Outcome:
        """Creates the template if it is not there yet, then points the group at it."""
        name = change.after["template"]
        created = site.control.template_from_configuration(
            change.cell,
            change.before["launch_configuration"],
            name,
            MetadataOptions(**change.after["options"]),
            site.token(change),
        )
        if isinstance(created, Refused) and created.code == _EXISTS:
            ours = self._ours(change, site)
            if isinstance(ours, Unreadable):
                return Throttled("Unread", ours.why)
            if ours is None:
                return Refused(created.code, f"there is a launch template {name} of somebody else")
            created = Done({"id": ours, "name": name, "version": "1"})
        if not isinstance(created, Done):
            return created
        spec = TemplateSpec(id=created.result["id"], name=name, version="1")
        pointed = site.control.repoint_group(change.cell, change.resource, {"main": spec})
        if isinstance(pointed, Refused):
            # The change is not made, and will not be: nothing of it stays behind.
            self.clear(change, site)
        return created if isinstance(pointed, Done) else pointed

    def undo(self, change: Change, site: Site) -> Outcome:
        """Puts the group back on its launch configuration."""
        return site.control.restore_launch_configuration(
            change.cell, change.resource, change.before["launch_configuration"]
        )

    def clear(self, change: Change, site: Site) -> Outcome:
        """Deletes the template, also one of a run that was killed before the group used it."""
        ours = self._ours(change, site)
        if isinstance(ours, Unreadable):
            return Throttled("Unread", ours.why)
        return Done() if ours is None else site.control.delete_template(change.cell, ours)

    @staticmethod
    def _ours(change: Change, site: Site) -> str | Unreadable | None:
        """The id of the template that the change creates, None where there is none like it."""
        versions = site.fleet.template_versions(change.cell, change.after["template"])
        if isinstance(versions, Unreadable):
            return versions
        if not versions:
            return None
        only = versions[0]
        made_here = only.template_id == site.progress(change.id).result.get("id")
        alike = len(versions) == 1 and only.options.members() == change.after["options"]
        from_it = only.description.endswith(str(change.before["launch_configuration"]))
        return only.template_id if made_here or (alike and from_it) else None


HANDLER: Handler = LaunchConfigurationReplacement()
