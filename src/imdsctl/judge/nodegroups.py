"""Which EKS managed node group owns an Auto Scaling group, and with whose launch template.

The group itself always launches from a template that EKS made. Where the owner gave the node group
a template, that is a copy of it, and the owner's template is the one to change (EKS User Guide,
"Customize managed nodes with launch templates").
"""

from collections.abc import Iterable, Mapping
from typing import Final

from imdsctl.model.evidence import Group, Nodegroup, Recorded, TemplateSpec, TemplateVersion
from imdsctl.model.launch_path import LaunchPath, NodegroupOwner

NAME_TAG: Final = "eks:nodegroup-name"
CLUSTER_TAG: Final = "eks:cluster-name"

Versions = Mapping[str, Mapping[int, Recorded[TemplateVersion]]]


class Nodegroups:
    """The node groups of one cell, looked up for its Auto Scaling groups."""

    def __init__(self, records: Iterable[Recorded[Nodegroup]], versions: Versions) -> None:
        self._known = {record.item.id: record for record in records}
        self._versions = versions

    def of(self, group: Group) -> NodegroupOwner | None:
        """The node group that a group belongs to by the tags that EKS left on it."""
        if NAME_TAG not in group.tags:
            return None
        owner = NodegroupOwner(cluster=group.tags.get(CLUSTER_TAG, ""), name=group.tags[NAME_TAG])
        record = self._known.get(owner.id)
        if record is None:
            return owner
        version = self._version(record.item.template)
        return NodegroupOwner(
            cluster=owner.cluster,
            name=owner.name,
            read=True,
            own=record.item.template,
            options=version.item.options if version else None,
        )

    def _version(self, own: TemplateSpec | None) -> Recorded[TemplateVersion] | None:
        """The version of the owner's template that a node group uses; EKS answers with a number."""
        if own is None or not own.version.isdigit():
            return None
        return self._versions.get(own.id, {}).get(int(own.version))

    def told(self, nodegroup: NodegroupOwner | None, owner: str | None) -> str | None:
        """Who owns the group, with whose launch template, in words."""
        if nodegroup is None or not nodegroup.read:
            return owner
        whose = "own launch template" if nodegroup.own else "launch template made by EKS"
        return f"{owner} ({whose})"

    def evidence(self, nodegroup: NodegroupOwner | None) -> list[str]:
        """The ids of what was read of a node group and of its owner's template."""
        record = self._known.get(nodegroup.id) if nodegroup else None
        if nodegroup is None or record is None:
            return []
        version = self._version(nodegroup.own)
        return [record.id, *([version.id] if version else [])]

    def templates(self, paths: Iterable[LaunchPath]) -> set[str]:
        """Templates whose default version is no launch path besides those of node groups.

        That is every template that EKS made, which nobody else launches from, and the owner's one
        where the node group uses its default version.
        """
        found: set[str] = set()
        for path in paths:
            if path.nodegroup is None:
                continue
            found.add(path.template or "")
            version = self._version(path.nodegroup.own)
            if version is not None and version.item.default:
                found.add(version.item.template_id)
        return found
