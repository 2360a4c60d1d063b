"""A launch path: something that starts instances, with the options that they would get today."""

from typing import Literal

from msgspec import Struct, field

from imdsctl.model.evidence import Cell, TemplateSpec
from imdsctl.model.options import MetadataOptions
from imdsctl.model.verdict import Verdict

PathKind = Literal["group", "template", "launch-configuration"]
Decider = Literal["template", "account default", "image", "built-in", "launch configuration"]


class NodegroupOwner(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The EKS managed node group that a group belongs to, as far as it is known.

    `read` is False where EKS was not asked, did not answer, or knows no such node group. `own` is
    the launch template that the owner gave it, with the version in use, and None where EKS made
    one. The group itself launches from EKS's copy of it; `options` are what the owner's version
    says, None where that version was not read.
    """

    cluster: str
    name: str
    read: bool = False
    own: TemplateSpec | None = None
    options: MetadataOptions | None = None

    @property
    def id(self) -> str:
        """Cluster and name, as in `shop/workers`."""
        return f"{self.cluster}/{self.name}"


class LaunchPath(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way in which new instances come to be.

    For a `group` there is one path for each launch template version or launch configuration that
    it uses; a `template` path is the default version of a template that no group uses; a
    `launch-configuration` path is one that no group uses.

    `explicit` is what the template or configuration says itself, `effective` what an instance
    would get in the end, `decided_by` who decides about the tokens. `version` is what the group
    refers to (a number, `$Default`, `$Latest`), `number` the version that this means today (None
    where it could not be read). `nodegroup` is the EKS managed node group that owns the group.
    """

    id: str
    kind: PathKind
    account: str
    region: str
    effective: MetadataOptions
    explicit: MetadataOptions
    decided_by: Decider
    name: str = ""
    group: str | None = None
    template: str | None = None
    template_name: str | None = None
    version: str | None = None
    number: int | None = None
    launch_configuration: str | None = None
    image: str | None = None
    owner: str | None = None
    nodegroup: NodegroupOwner | None = None
    where: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    @property
    def cell(self) -> Cell:
        """Where it is."""
        return Cell(self.account, self.region)

    @property
    def known(self) -> bool:
        """Whether the version or launch configuration that it launches from was read."""
        return self.number is not None or self.launch_configuration is not None


class JudgedPath(Struct, frozen=True, kw_only=True):
    """A launch path with its verdict.

    `boot_seen` says whether the window saw an instance of it boot without calling v1.
    """

    path: LaunchPath
    verdict: Verdict
    boot_seen: bool
