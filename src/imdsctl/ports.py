"""What the use cases ask of the outside world, as Protocols.

Expected failures come back as values (`Unreadable`, `Refused`, `Throttled`, `Unanswered`);
only what nobody expected is raised.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct, field

from imdsctl.model.automation import Execution, Order
from imdsctl.model.evidence import (
    AccountDefaults,
    Calls,
    CapacityProvider,
    Cell,
    Environment,
    Group,
    Image,
    Instance,
    Item,
    LaunchConfiguration,
    Nodegroup,
    Reading,
    Recorded,
    Software,
    TemplateSpec,
    TemplateVersion,
    Unreadable,
)
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Plan
from imdsctl.model.run import Entry, Event, RunSummary
from imdsctl.model.verdict import Verdict


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The present, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; with the simulated clock this moves it instead."""
        ...


class Fleet(Protocol):
    """Reading what exists. Lists end with an `Unreadable` where they could not be read whole."""

    def caller(self) -> tuple[str, str]:
        """Account id and ARN of the caller.

        Raises:
            NoAwsError: there are no valid credentials, or AWS cannot be reached.
        """
        ...

    def regions(self, account: str) -> list[str] | Unreadable:
        """The regions that are enabled for the account."""
        ...

    def instances(self, cell: Cell) -> Iterator[list[Instance] | Unreadable]:
        """All instances, a page at a time."""
        ...

    def instances_by_id(self, cell: Cell, ids: Sequence[str]) -> dict[str, Instance] | Unreadable:
        """Those of `ids` that still exist (terminated ones with their state)."""
        ...

    def launch_templates(
        self, cell: Cell, pinned: Iterable[tuple[str, str]]
    ) -> Iterator[list[TemplateVersion] | Unreadable]:
        """Default and latest version of every template, and each pinned (template id, number)."""
        ...

    def template_versions(self, cell: Cell, template: str) -> list[TemplateVersion] | Unreadable:
        """All versions of one template, by id or name; empty where there is no such template."""
        ...

    def launch_configurations(self, cell: Cell) -> Iterator[list[LaunchConfiguration] | Unreadable]:
        """All launch configurations."""
        ...

    def groups(self, cell: Cell, names: Sequence[str] = ()) -> Iterator[list[Group] | Unreadable]:
        """All Auto Scaling groups, or those named."""
        ...

    def account_defaults(self, cell: Cell) -> AccountDefaults | Unreadable:
        """The account-level defaults of the region."""
        ...

    def images(
        self, cell: Cell, ids: Sequence[str], *, own: bool = False
    ) -> Iterator[list[Image] | Unreadable]:
        """Those of `ids` that can be seen; with `own` all of the account's own as well."""
        ...

    def nodegroups(
        self, cell: Cell, names: Sequence[tuple[str, str]]
    ) -> Iterator[list[Nodegroup] | Unreadable]:
        """The EKS managed node groups (cluster, name); those that are gone are left out."""
        ...

    def environments(
        self, cell: Cell, names: Sequence[str]
    ) -> Iterator[list[Environment] | Unreadable]:
        """The Elastic Beanstalk environments of these names; those that are gone are left out."""
        ...

    def capacity_providers(
        self, cell: Cell, groups: Sequence[str]
    ) -> Iterator[list[CapacityProvider] | Unreadable]:
        """The ECS capacity providers on these Auto Scaling groups; nothing is asked for none."""
        ...

    def software(self, cell: Cell) -> Iterator[list[Software] | Unreadable]:
        """The instances of which Systems Manager knows agents or packages that are too old."""
        ...

    def user_data(
        self, cell: Cell, resource: str, version: str | None = None
    ) -> bytes | Unreadable | None:
        """The user data of an instance or of a launch template's version; None if it has none."""
        ...


class Watched(Struct, frozen=True, kw_only=True):
    """An instance whose metrics are wanted; `since` is its last launch or start."""

    id: str
    since: datetime


class Counted(Struct, frozen=True, kw_only=True):
    """Calls that CloudWatch counted, and in how many of its periods it had data at all."""

    calls: int
    periods: int


class Metrics(Protocol):
    """CloudWatch's two counts of IMDSv1 calls, without those that this tool's probes made."""

    def calls(
        self, cell: Cell, watched: Sequence[Watched], start: datetime, end: datetime
    ) -> Iterator[list[Calls] | Unreadable]:
        """Both metrics of each instance by the hour, in batches."""
        ...

    def rejected_since(
        self, cell: Cell, since: Mapping[str, datetime], end: datetime
    ) -> dict[str, int] | Unreadable:
        """Calls rejected per instance id after its own `since`, by the minute where possible.

        Ids without any data point are absent.
        """
        ...

    def answered_since(
        self, cell: Cell, since: Mapping[str, datetime], end: datetime
    ) -> dict[str, Counted] | Unreadable:
        """IMDSv1 calls that were answered per instance id after its own `since`, up to `end`.

        Counted in periods of five minutes that begin at or after `since`. Ids without any data
        point are absent, which is no proof of silence.
        """
        ...


class InstanceHealth(Struct, frozen=True, kw_only=True):
    """EC2's own status checks and what Auto Scaling thinks, as far as it applies."""

    id: str
    state: str
    instance_status: str
    system_status: str


class RefreshStatus(Struct, frozen=True, kw_only=True):
    """An instance refresh as Auto Scaling reports it."""

    id: str
    status: str
    percentage: int
    reason: str = ""
    started_at: datetime | None = None
    desired: list[TemplateSpec] = field(default_factory=list)


class NodegroupUpdate(Struct, frozen=True, kw_only=True):
    """An update of an EKS node group as EKS reports it.

    `version` is the launch template version that it goes to, None for an update of another kind;
    `errors` are EKS's codes and messages, in words.
    """

    id: str
    status: str
    kind: str = ""
    version: str | None = None
    created_at: datetime | None = None
    errors: list[str] = field(default_factory=list)


class Health(Protocol):
    """What the gates look at."""

    def instance_health(
        self, cell: Cell, ids: Sequence[str]
    ) -> dict[str, InstanceHealth] | Unreadable:
        """Status checks by instance id."""
        ...

    def refreshes(self, cell: Cell, group: str) -> list[RefreshStatus] | Unreadable:
        """The group's instance refreshes, newest first."""
        ...

    def nodegroup_updates(
        self, cell: Cell, cluster: str, nodegroup: str, ids: Sequence[str] = ()
    ) -> list[NodegroupUpdate] | Unreadable:
        """The updates of an EKS node group, newest first; only those of `ids` if any are given."""
        ...


class Done(Struct, frozen=True):
    """AWS made the change; `result` holds what only AWS could know (a new version's number)."""

    result: dict[str, Any] = field(default_factory=dict)


class Refused(Struct, frozen=True):
    """AWS said no, for good: nothing was changed."""

    code: str
    message: str


class Throttled(Struct, frozen=True):
    """AWS said not now: nothing was changed, and the call can be made again."""

    code: str
    message: str


class Unanswered(Struct, frozen=True):
    """No answer came (time-out, connection lost, 5xx): it may or may not have been done."""

    message: str


Outcome = Done | Refused | Throttled | Unanswered


class Control(Protocol):
    """Changing things: each call is one AWS call, made once and never retried blindly."""

    def modify_instance(
        self, cell: Cell, instance: str, members: Mapping[str, str | int]
    ) -> Outcome:
        """ModifyInstanceMetadataOptions with exactly `members`. Result: `options`."""
        ...

    def set_account_defaults(self, cell: Cell, members: Mapping[str, str | int]) -> Outcome:
        """ModifyInstanceMetadataDefaults; `no-preference` and -1 take a member back.

        Refused where this version of botocore does not know `http_tokens_enforced`.
        """
        ...

    def set_imds_support(self, cell: Cell, image: str) -> Outcome:
        """ModifyImageAttribute: ImdsSupport v2.0, which nothing takes back."""
        ...

    def create_template_version(
        self,
        cell: Cell,
        template: str,
        source: str,
        options: MetadataOptions,
        token: str,
        note: str,
    ) -> Outcome:
        """CreateLaunchTemplateVersion on top of `source`; `token` makes it idempotent.

        Result: `version` (text).
        """
        ...

    def delete_template_version(self, cell: Cell, template: str, version: str) -> Outcome:
        """DeleteLaunchTemplateVersions for one version."""
        ...

    def set_default_version(self, cell: Cell, template: str, version: str) -> Outcome:
        """ModifyLaunchTemplate: the default version."""
        ...

    def repoint_group(
        self, cell: Cell, group: str, versions: Mapping[str, TemplateSpec]
    ) -> Outcome:
        """Give the group's launch template specs other templates or versions.

        Keys are `main` or the index of an override as text. Everything else of the group's
        launch settings is sent back as it is. A group on a launch configuration gets the
        template in its place.
        """
        ...

    def restore_launch_configuration(self, cell: Cell, group: str, name: str) -> Outcome:
        """Put a group back on its launch configuration."""
        ...

    def template_from_configuration(
        self, cell: Cell, configuration: str, template: str, options: MetadataOptions, token: str
    ) -> Outcome:
        """Create a launch template from all that the launch configuration says, and `options`.

        Result: `id`, `name`, `version`.
        """
        ...

    def delete_template(self, cell: Cell, template: str) -> Outcome:
        """DeleteLaunchTemplate, for one that a run created."""
        ...

    def start_refresh(
        self,
        cell: Cell,
        group: str,
        specs: Mapping[str, TemplateSpec],
        preferences: Mapping[str, Any],
    ) -> Outcome:
        """StartInstanceRefresh with `specs` (as in `repoint_group`) as the desired configuration.

        Result: `refresh`.
        """
        ...

    def rollback_refresh(self, cell: Cell, group: str) -> Outcome:
        """RollbackInstanceRefresh of the one in progress. Result: `refresh`."""
        ...

    def cancel_refresh(self, cell: Cell, group: str) -> Outcome:
        """CancelInstanceRefresh. Result: `refresh`."""
        ...

    def update_nodegroup(
        self, cell: Cell, nodegroup: tuple[str, str], template: str, version: str, token: str
    ) -> Outcome:
        """UpdateNodegroupVersion of (cluster, name) to a version of its own launch template.

        `token` makes it idempotent. Result: `update`.
        """
        ...

    def set_environment_option(self, cell: Cell, environment_id: str, value: str | None) -> Outcome:
        """UpdateEnvironment with the option DisableIMDSv1 alone; None removes the option."""
        ...

    def abort_environment_update(self, cell: Cell, environment_id: str) -> Outcome:
        """AbortEnvironmentUpdate: the update in progress is cancelled and rolled back."""
        ...


class Managed(Struct, frozen=True, kw_only=True):
    """An instance as Systems Manager knows it, in AWS's words."""

    id: str
    ping: str
    agent: str
    platform: str


class HostOutput(Struct, frozen=True, kw_only=True):
    """How a script ended on one instance.

    `text` is what it printed, and may hold anything: it is read, never kept and never shown.
    `code` is -1 where the script did not run to its end. Times are None where it never began.
    """

    status: str
    code: int
    text: str
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def __repr__(self) -> str:
        """Without the text: representations end up in logs and tracebacks."""
        return f"HostOutput(status={self.status!r}, code={self.code})"


class Hosts(Protocol):
    """Scripts on instances, by Systems Manager's Run Command."""

    def managed(self, cell: Cell, ids: Sequence[str]) -> dict[str, Managed] | Unreadable:
        """Those of `ids` that Systems Manager manages."""
        ...

    def send(
        self, cell: Cell, ids: Sequence[str], script: str, *, seconds: int, note: str
    ) -> Outcome:
        """Run a shell script, as root, on up to 50 Linux instances; `note` marks the command.

        `seconds` is how long it may take on each, and how long it may take to get there.
        Result: `command`.
        """
        ...

    def sent(self, cell: Cell, note: str, since: datetime) -> str | Unreadable | None:
        """The command with this note, if AWS has one; for where `send` got no answer."""
        ...

    def collect(
        self, cell: Cell, command: str, ids: Sequence[str]
    ) -> dict[str, HostOutput] | Unreadable:
        """How the script ended, for those of `ids` where it has ended."""
        ...


class Automation(Protocol):
    """Systems Manager Automation: executions of runbooks that change instances' options."""

    def start(self, order: Order) -> Outcome:
        """StartAutomationExecution. Result: `execution`, `account` and `region` of it."""
        ...

    def find(
        self, order: Order, since: datetime, known: Collection[str]
    ) -> Execution | Unreadable | None:
        """The execution that does what `order` asks for, or None.

        It was started after `since` and is not among those `known`.
        """
        ...

    def watch(self, cell: Cell, execution: str, order: Order) -> Execution | Unreadable:
        """How an execution and each of its targets stand."""
        ...

    def stop(self, cell: Cell, execution: str) -> Outcome:
        """StopAutomationExecution (Cancel); one that has ended already is no refusal."""
        ...


class Posture(Struct, frozen=True, kw_only=True):
    """Counts over the instances in the current view; terminated ones are not counted."""

    total: int
    v1_allowed: int
    v2_only: int
    imds_off: int
    pending: int
    v1_called: int
    v1_quiet: int
    v1_no_data: int
    v1_not_watched: int


class ScanRecord(Struct, frozen=True, kw_only=True):
    """A scan as the store lists it."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    caller: str
    days: int
    role_name: str | None = None


class Store(Protocol):
    """Evidence, verdicts, plans: append-only. The current view is the newest reading of each kind.

    In every cell the newest reading with scope `all` counts, overlaid by newer readings of single
    resources. All times are UTC.
    """

    def begin_scan(self, at: datetime, caller: str, days: int, role_name: str | None = None) -> int:
        """Open a scan and return its number; `role_name` is what it assumed elsewhere."""
        ...

    def end_scan(self, scan: int, at: datetime) -> None:
        """Close it."""
        ...

    def begin_reading(
        self, scan: int, cell: Cell, what: str, source: str, at: datetime, *, whole: bool = True
    ) -> int:
        """Open a reading; until it is ended it does not count as the current view."""
        ...

    def add(self, reading: int, items: Sequence[Item]) -> None:
        """Append evidence to an open reading."""
        ...

    def end_reading(self, reading: int, *, complete: bool, why: str | None = None) -> None:
        """Close it: whole, or not and why."""
        ...

    def scans(self) -> list[ScanRecord]:
        """Newest first."""
        ...

    def readings(self) -> list[Reading]:
        """The newest reading of each kind in each cell."""
        ...

    def cells(self) -> list[Cell]:
        """Every cell that has a reading."""
        ...

    def view(self, what: str, cell: Cell | None = None) -> Iterator[Recorded[Any]]:
        """The current view of one kind, optionally of one cell."""
        ...

    def find(self, resource: str) -> list[Recorded[Any]]:
        """Everything current about one resource id or name."""
        ...

    def posture(self) -> Posture:
        """Counted inside the store."""
        ...

    def calls_per_day(self) -> list[tuple[str, int, int]]:
        """(day, v1 calls, rejected calls) summed over the current view, oldest first."""
        ...

    def save_verdicts(self, key: str, verdicts: Iterable[Verdict]) -> None:
        """Keep verdicts under a key that says from which evidence and policy they come."""
        ...

    def verdict_counts(self, key: str) -> dict[str, int] | None:
        """Instances by status, None where nothing is kept under the key."""
        ...

    def save_plan(self, plan: Plan) -> None:
        """Keep a plan under its digest."""
        ...

    def plan(self, digest: str) -> Plan | None:
        """A kept plan."""
        ...


class Journal(Protocol):
    """The durable record of what a run does; an entry is on disk when `write` returns."""

    def write(
        self, run: str, event: Event, subject: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Append one entry, durably."""
        ...

    def entries(self, run: str) -> list[Entry]:
        """All entries of a run, in order."""
        ...

    def runs(self) -> list[RunSummary]:
        """All runs, newest first."""
        ...

    def start(
        self, run: str, plan: Plan, waves: list[int] | None, allowed: Sequence[str] = ()
    ) -> None:
        """Keep the plan and write the first entry.

        `allowed` are the one-way changes that were asked for by name.
        """
        ...

    def plan_of(self, run: str) -> Plan:
        """The plan of a run.

        Raises:
            UsageError: there is no such run.
        """
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the one lock under which changes are made.

        Raises:
            RefusedError: another run holds it.
        """
        ...
