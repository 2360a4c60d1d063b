"""Reading one Auto Scaling group for a change of it."""

from imdsctl.apply.handler import Look, Site, drained, specs_as_facts
from imdsctl.model.evidence import Group, Unreadable
from imdsctl.model.plan import Change, Facts


def live_group(change: Change, site: Site) -> Group | Look:
    """The group as it is now, or the look that says why there is none."""
    found = drained(site.fleet.groups(change.cell, [change.resource]))
    if isinstance(found, Unreadable):
        return Look.failed(found)
    if not found:
        return Look(state="gone", detail="the group was deleted")
    return found[0]


def live_specs(group: Group, wheres: Facts) -> Facts:
    """What the group names at the places that a change touches."""
    specs = {"main" if s.override is None else str(s.override): s.template for s in group.specs}
    return specs_as_facts({where: specs[where] for where in wheres if where in specs})


def wanted_specs(specs: Facts, site: Site) -> Facts:
    """Specs of a plan with the versions that they mean."""
    return specs_as_facts({where: site.spec(spec) for where, spec in specs.items()})


def look_at_specs(change: Change, site: Site) -> Look:
    """Compare the places that a change touches with what the plan saw and wants."""
    group = live_group(change, site)
    if isinstance(group, Look):
        return group
    live = live_specs(group, change.before["specs"])
    if live == wanted_specs(change.after["specs"], site):
        return Look(state="after", live={"specs": live})
    if live == wanted_specs(change.before["specs"], site):
        return Look(state="before", live={"specs": live})
    names = ", ".join(f"{spec['name']} version {spec['version']}" for spec in live.values())
    return Look(
        state="drifted",
        live={"specs": live},
        detail=f"the group launches from {names or group.launch_configuration or 'nothing'} now",
    )
