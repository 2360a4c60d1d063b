"""What was read, as immutable values; each is stored as one piece of evidence."""

from datetime import datetime
from typing import Generic, Literal, NamedTuple, TypeVar

from msgspec import Struct, field

from imdsctl.model.options import MetadataOptions
from imdsctl.model.verdict import Confidence


class Cell(NamedTuple):
    """One account in one region: the unit in which AWS is read and changed."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account} {self.region}"


What = Literal[
    "instances",
    "calls",
    "launch-templates",
    "launch-configurations",
    "groups",
    "account-defaults",
    "images",
    "nodegroups",
    "environments",
    "capacity-providers",
    "software",
    "traces",
]
"""The kinds of reading that a scan makes in every cell."""


class Unreadable(Struct, frozen=True, kw_only=True):
    """Something that could not be read, and why; it is evidence too, never a missing row.

    `what` is a reading (`instances`, `calls`, …) or an API operation, `why` AWS's error code and
    message. `seen` counts what was read before the failure: a partial list never passes for a
    whole one.
    """

    account: str
    region: str
    what: str
    why: str
    seen: int = 0


class TemplateSpec(Struct, frozen=True, kw_only=True):
    """A reference to a launch template; `version` is a number as text, `$Default` or `$Latest`."""

    id: str
    name: str
    version: str


class Instance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An EC2 instance as DescribeInstances shows it. Times are UTC.

    `launched_at` is AWS's LaunchTime, which each start from the stopped state renews.
    `group` is its Auto Scaling group, `template` what it was launched from where AWS tags say so,
    `operator` the AWS service that manages it, if one does. User data is never read.
    """

    id: str
    account: str
    region: str
    state: str
    options: MetadataOptions
    launched_at: datetime
    image: str = ""
    instance_type: str = ""
    name: str = ""
    profile: str | None = None
    group: str | None = None
    template: TemplateSpec | None = None
    operator: str | None = None
    lifecycle: str | None = None
    platform: str | None = None
    architecture: str | None = None
    zone: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        """Where it is."""
        return Cell(self.account, self.region)


class Metric(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One CloudWatch metric of one instance over the window.

    `hours_with_data` counts the hours that have a data point at all, whatever its value; only
    hours with data can show that nothing called. `per_day` runs from the window's first day,
    `per_hour_of_day` is indexed by the UTC hour. All values are sums of calls.
    """

    total: int = 0
    hours_with_data: int = 0
    hours_with_calls: int = 0
    first_call: datetime | None = None
    last_call: datetime | None = None
    first_data: datetime | None = None
    last_data: datetime | None = None
    per_day: list[int] = field(default_factory=list)
    per_hour_of_day: list[int] = field(default_factory=list)


class Calls(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The IMDSv1 calls of one instance, as CloudWatch's two metrics tell.

    `v1` is MetadataNoToken, `rejected` MetadataNoTokenRejected; None where CloudWatch has no data
    point at all in the window, which is not the same as zero calls. `hours_running` counts the
    hours of the window since the instance's last launch or start. `own` calls of this tool's
    probes were taken out of both.
    """

    id: str
    account: str
    region: str
    window_start: datetime
    window_end: datetime
    hours_running: int
    v1: Metric | None = None
    rejected: Metric | None = None
    own: int = 0

    @property
    def coverage(self) -> float:
        """Share of the hours running that have data, 0 to 1; 0 where nothing ran."""
        seen = (self.v1.hours_with_data if self.v1 else 0) + (
            self.rejected.hours_with_data if self.rejected else 0
        )
        return min(1.0, seen / self.hours_running) if self.hours_running else 0.0


class TemplateVersion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a launch template: its metadata options as written there, and its image."""

    template_id: str
    template_name: str
    account: str
    region: str
    number: int
    default: bool = False
    latest: bool = False
    options: MetadataOptions = field(default_factory=MetadataOptions)
    image: str | None = None
    instance_profile: str | None = None
    description: str = ""
    created_at: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Template id and version number, as in `lt-0abc:5`."""
        return f"{self.template_id}:{self.number}"


class LaunchConfiguration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A launch configuration: immutable, the predecessor of launch templates."""

    name: str
    account: str
    region: str
    options: MetadataOptions = field(default_factory=MetadataOptions)
    image: str | None = None

    @property
    def id(self) -> str:
        """Its name: unique in one account and region only."""
        return self.name


class GroupMember(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An instance of an Auto Scaling group, and what it was launched from."""

    id: str
    lifecycle_state: str = "InService"
    healthy: bool = True
    template: TemplateSpec | None = None
    launch_configuration: str | None = None
    protected: bool = False


class GroupSpec(Struct, frozen=True, kw_only=True):
    """One place in an Auto Scaling group that names a launch template.

    `override` is the index in the mixed instances policy's overrides, None for the main one.
    """

    template: TemplateSpec
    override: int | None = None


class Group(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An Auto Scaling group with everything that it may launch from."""

    name: str
    account: str
    region: str
    specs: list[GroupSpec] = field(default_factory=list)
    mixed: bool = False
    launch_configuration: str | None = None
    minimum: int = 0
    desired: int = 0
    maximum: int = 0
    members: list[GroupMember] = field(default_factory=list)
    warm_pool: bool = False
    suspended: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its name: unique in one account and region only."""
        return self.name


class AccountDefaults(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The instance metadata defaults of one account in one region.

    `enforced` is HttpTokensEnforced (None: no preference); `managed_by` is `account` or
    `declarative-policy`, in which case the account cannot change them, and `managed_message` is
    what the policy's owners say about that (ManagedExceptionMessage; empty if nothing).
    """

    account: str
    region: str
    options: MetadataOptions = field(default_factory=MetadataOptions)
    enforced: str | None = None
    managed_by: str = "account"
    managed_message: str = ""

    @property
    def id(self) -> str:
        """Account and region."""
        return f"{self.account}/{self.region}"


class Image(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A machine image: one that something here launches, or one of the account's own.

    `imds_support` is `v2.0` or None, `state` EC2's word (`available`, `disabled`, …); `public`
    says that anybody may launch it.
    """

    id: str
    account: str
    region: str
    name: str = ""
    owner: str = ""
    imds_support: str | None = None
    state: str = "available"
    public: bool = False

    @property
    def own(self) -> bool:
        """Whether the account owns it, and so may change it."""
        return self.owner == self.account


class Nodegroup(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An EKS managed node group that owns an Auto Scaling group.

    `template` is the launch template that the node group was created with, with the version that
    it uses; None where EKS made one of its own, which nobody may change (Amazon EKS User Guide,
    "Customize managed nodes with launch templates"). `status` is EKS's word (`ACTIVE`, …).
    """

    name: str
    cluster: str
    account: str
    region: str
    status: str = ""
    template: TemplateSpec | None = None
    groups: list[str] = field(default_factory=list)
    release_version: str = ""

    @property
    def id(self) -> str:
        """Cluster and name: a node group's name is unique in its cluster only."""
        return f"{self.cluster}/{self.name}"


class Environment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An Elastic Beanstalk environment that owns an Auto Scaling group.

    `disable_imdsv1` is its option DisableIMDSv1 in `aws:autoscaling:launchconfiguration`: `true`,
    `false`, or None where the environment says nothing. `status` and `health` are Beanstalk's words
    (`Ready`, `Green`, …).

    While an update is deployed, `deploying` says that there is a draft and `draft` what it has
    for the option; a draft that could not be deployed is `failed_at` its time. `abortable` says
    whether the update can still be cancelled.
    """

    name: str
    environment_id: str
    application: str
    account: str
    region: str
    status: str = ""
    health: str = ""
    disable_imdsv1: str | None = None
    deploying: bool = False
    draft: str | None = None
    failed_at: datetime | None = None
    abortable: bool = False

    @property
    def id(self) -> str:
        """Its name: unique in one account and region."""
        return self.name


class CapacityProvider(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An ECS capacity provider on an Auto Scaling group.

    `draining` is managedDraining (`ENABLED`, `DISABLED`): whether ECS moves the tasks off a
    container instance before Auto Scaling terminates it.
    """

    name: str
    account: str
    region: str
    group: str
    draining: str | None = None
    termination_protection: str | None = None

    @property
    def id(self) -> str:
        """Its name: unique in one account and region."""
        return self.name


class InstalledPackage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A package that `imdsctl.software` knows something of, as an inventory lists it.

    `sure` is False where the inventory did not say for certain that this version is on this
    instance, rather than another version of the same package.
    """

    name: str
    version: str
    sure: bool = True


class Software(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Systems Manager knows of an instance on which something is too old.

    `agent_version` is that of its agent, which may itself be too old, `status` InstanceStatus in
    AWS's words (`Active`, `ConnectionLost`, …), `platform` the name and version of the operating
    system. `packages` are those that are known as too old for IMDSv2, or as trying IMDSv1 first.
    Instances without either have no such evidence, nor have those without Systems Manager: that
    there is none says nothing.
    """

    id: str
    account: str
    region: str
    agent_version: str = ""
    status: str = ""
    platform: str = ""
    packages: list[InstalledPackage] = field(default_factory=list)


Behaviour = Literal["v1-only", "v1-first", "fallback", "hop-limit", "v2"]
"""What a traced program does (docs/host-trace.md)."""


class TracedProgram(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program that called the metadata service while its host was traced.

    `v1` counts requests without a token, whatever their answer; `container` is the id of the
    container that it ran in.
    """

    program: str
    behaviour: Behaviour
    confidence: Confidence
    v1: int = 0
    v2: int = 0
    tokens: int = 0
    unanswered: int = 0
    container: str | None = None
    user_agent: str | None = None
    fix: str = ""


class Trace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a tracer on an instance saw from `start` to `end`: who called, and what that means.

    `tracer` is `imdsctl` or `aws-imds-packet-analyzer`, whose word counts less. `lost` counts what
    the tracer knows to have missed, `partial` says that it did not look at the whole host, or never
    said what it missed; neither kind of trace proves silence.
    `v1_per_day` counts requests without a token from the first day (UTC) on.
    """

    id: str
    account: str
    region: str
    tracer: Literal["imdsctl", "aws-imds-packet-analyzer"]
    start: datetime
    end: datetime
    requests: int = 0
    v1: int = 0
    lost: int = 0
    partial: bool = False
    since_boot: bool = False
    v1_per_day: list[int] = field(default_factory=list)
    programs: list[TracedProgram] = field(default_factory=list)

    @property
    def proves_silence(self) -> bool:
        """Whether what it did not see did not happen, as far as a tracer can say."""
        return self.tracer == "imdsctl" and not self.lost and not self.partial

    @property
    def callers(self) -> list[TracedProgram]:
        """The programs that asked without a token."""
        return [program for program in self.programs if program.v1]


Item = (
    Instance
    | Calls
    | TemplateVersion
    | LaunchConfiguration
    | Group
    | AccountDefaults
    | Image
    | Nodegroup
    | Environment
    | CapacityProvider
    | Software
    | Trace
)
ITEM_OF: dict[str, type[Item]] = {
    "instances": Instance,
    "calls": Calls,
    "launch-templates": TemplateVersion,
    "launch-configurations": LaunchConfiguration,
    "groups": Group,
    "account-defaults": AccountDefaults,
    "images": Image,
    "nodegroups": Nodegroup,
    "environments": Environment,
    "capacity-providers": CapacityProvider,
    "software": Software,
    "traces": Trace,
}
"""Which value a reading of each kind consists of."""

ADVISORY: tuple[str, ...] = ("software", "traces")
"""The kinds without which everything can be judged: they name causes, and decide nothing alone."""

SCANNED: tuple[str, ...] = tuple(what for what in ITEM_OF if what not in ADVISORY)
"""The kinds that every scan reads in every cell.

Software can be left out of a scan, and traces are brought by whoever made them.
"""


T = TypeVar("T", bound=Item)


class Recorded(Struct, Generic[T], frozen=True, kw_only=True):
    """An item as it stands in the store: its evidence id (`e31`), source and time of reading."""

    id: str
    kind: str
    source: str
    observed_at: datetime
    item: T


class Reading(Struct, frozen=True, kw_only=True):
    """One look at one kind of thing in one cell, whole (`complete`) or not (`why`)."""

    scan: int
    account: str
    region: str
    what: str
    observed_at: datetime
    complete: bool
    count: int
    why: str | None = None
