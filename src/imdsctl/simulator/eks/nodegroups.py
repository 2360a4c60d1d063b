"""Managed node groups: their record in EKS, and the launch template that EKS makes for them.

EKS never lets a node group's Auto Scaling group launch from the owner's template itself: it makes a
template `eks-<uuid>` of its own, with a version for each update, and points the group at that
(EKS User Guide, "Understand each phase of node updates"). Which version of the owner's template a
version of the copy stands for is kept beside moto's record.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.eks.models import eks_backends

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling.recipes import TemplateRef
from imdsctl.simulator.ec2 import templates
from imdsctl.simulator.ec2.region import backend_of

_KUBERNETES = "1.33"
_RELEASE = "1.33.5-20251103"


@dataclass(slots=True)
class Copy:
    """EKS's own template of a node group; `sources` says what each of its versions was made from.

    Keys are numbers of the copy's versions, values those of the owner's template.
    """

    id: str
    name: str
    sources: dict[int, str] = field(default_factory=dict)

    def ref(self, source: str) -> TemplateRef:
        """The newest version that stands for a version of the owner's template."""
        number = max(number for number, made_from in self.sources.items() if made_from == source)
        return TemplateRef(self.id, self.name, str(number))


@dataclass(slots=True)
class Record:
    """What is kept of a node group beside moto's own record.

    `copy` is None where EKS made the launch template by itself; `drainable` is False where pods
    cannot be evicted. `updates` holds the newest last, `tokens` what each request token stood for.
    """

    copy: Copy | None = None
    drainable: bool = True
    updates: list[Any] = field(default_factory=list)
    tokens: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def record_of(nodegroup: Any) -> Record:
    """The record of moto's node group; an empty one for a node group that a client created."""
    if not hasattr(nodegroup, "imdsctl_record"):
        nodegroup.imdsctl_record = Record()
    record: Record = nodegroup.imdsctl_record
    return record


def backend(account: str, region: str) -> Any:
    """Moto's EKS backend of an account and region."""
    return eks_backends[account][region]


def make_copy(
    account: str, region: str, template: str, version: str, tags: Mapping[str, str]
) -> Copy:
    """EKS's own template, with a first version that stands for one of the owner's template.

    Args:
        account: the account's id.
        region: the region's name.
        template: the owner's template, by id or name.
        version: its version: a number, `$Default` or `$Latest`.
        tags: the tags that EKS puts on its own template.
    """
    source = templates.find_version(backend_of(account, region), template, version)
    name = (
        f"eks-{uuid.uuid5(uuid.NAMESPACE_URL, f'{account}/{region}/{source.template.id}/{tags}')}"
    )
    made = templates.create(account, region, name, source.data, tags=tags)
    return Copy(made, name, {1: str(source.number)})


def add_to_copy(account: str, region: str, copy: Copy, template: str, version: str) -> TemplateRef:
    """A further version of EKS's own template, made from a version of the owner's."""
    source = templates.find_version(backend_of(account, region), template, version)
    number = templates.create_version(account, region, copy.id, source.data)
    copy.sources[number] = str(source.number)
    return TemplateRef(copy.id, copy.name, str(number))


def create(
    account: str,
    region: str,
    cluster: str,
    name: str,
    *,
    group: Any,
    created_at: datetime,
    template: TemplateRef | None,
    copy: Copy | None,
    drainable: bool,
) -> None:
    """Enter a node group that owns `group` into its cluster, which comes into being with it.

    Args:
        account: the account's id.
        region: the region's name.
        cluster: the cluster's name.
        name: the node group's name.
        group: moto's Auto Scaling group.
        created_at: since when it exists.
        template: the owner's launch template and version; None where EKS made one.
        copy: EKS's own template that the group launches from, where it is a copy.
        drainable: whether its pods can be evicted.
    """
    eks = backend(account, region)
    if cluster not in eks.clusters:
        role = f"arn:aws:iam::{account}:role/eks-cluster"
        made = eks.create_cluster(cluster, role, {}, version=_KUBERNETES)
        made.created_at = created_at
    known = eks.clusters[cluster].nodegroups.get(name)
    if known is not None:
        known.resources["autoScalingGroups"].append({"name": group.name})
        return
    nodegroup = eks.create_nodegroup(
        cluster_name=cluster,
        node_role=f"arn:aws:iam::{account}:role/eks-node",
        nodegroup_name=name,
        subnets=[],
        scaling_config={
            "minSize": group.min_size,
            "maxSize": group.max_size,
            "desiredSize": group.desired_capacity,
        },
        launch_template={"id": template.id, "name": template.name, "version": template.version}
        if template is not None
        else None,
        tags={},
        version=_KUBERNETES,
        release_version=_RELEASE,
    )
    nodegroup.update_config = {"maxUnavailable": 1}
    nodegroup.created_at = nodegroup.modified_at = created_at
    nodegroup.resources = {"autoScalingGroups": [{"name": group.name}]}
    if template is not None:
        # What the template says is null here (EKS API Reference, Nodegroup).
        nodegroup.instance_types = nodegroup.disk_size = nodegroup.remote_access = None
        set_release(nodegroup, account, region)
    nodegroup.imdsctl_record = Record(copy=copy, drainable=drainable)


def set_release(nodegroup: Any, account: str, region: str) -> None:
    """The release of a node group whose own template names an image is that image's id."""
    spec = nodegroup.launch_template
    source = templates.find_version(backend_of(account, region), spec["id"], spec["version"])
    if image := source.data.get("ImageId"):
        nodegroup.ami_type, nodegroup.release_version = "CUSTOM", image
