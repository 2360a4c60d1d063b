"""The names by which the settings may mean a resource, and the words there that mean none."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from imdsctl.judge.owners import environment_names
from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Instance
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.policy import Policy


def instance_names(instance: Instance) -> tuple[str, str, str]:
    """An instance's id, Name tag and group."""
    return (instance.id, instance.name, instance.group or "")


def path_names(path: LaunchPath, environments: Mapping[str, str]) -> tuple[str | None, ...]:
    """A path's group, the environment that owns it (by group), the node group's id and name."""
    nodegroup = (path.nodegroup.id, path.nodegroup.name) if path.nodegroup else ()
    return (path.group, environments.get(path.group or ""), *nodegroup)


def means(pattern: str, names: Iterable[str | None]) -> bool:
    """Whether the settings mean one of these names; the pattern may hold `*`."""
    return any(name and fnmatchcase(name, pattern) for name in names)


def unheard(cells: Iterable[JudgedCell], policy: Policy) -> tuple[str, ...]:
    """What `[[exemption]]` and `[[mended]]` name, and nothing that was scanned is called.

    Mostly a slip of the pen, after which an instance that should stay as it is would be changed.
    """
    instances: set[str | None] = set()
    paths: set[str | None] = set()
    for cell in cells:
        for record in cell.evidence.instances:
            instances.update(instance_names(record.item))
        environments = environment_names(cell.evidence)
        for judged in cell.paths:
            paths.update(path_names(judged.path, environments))
    said = [("exemption", one.resource, instances) for one in policy.exemptions]
    said += [("mended", one.resource, instances | paths) for one in policy.mended]
    return tuple(
        f'[[{table}]] resource = "{resource}"'
        for table, resource, known in said
        if not means(resource, known)
    )
