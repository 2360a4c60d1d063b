"""What a report holds: values only, bounded where a fleet is not, ready for any view."""

from datetime import datetime

from msgspec import Struct, field

from imdsctl.model.verdict import Confidence, Reason, Status


class Headline(Struct, frozen=True, kw_only=True):
    """Counts over the instances, terminated ones left out; `v1_*` split those that allow v1."""

    total: int = 0
    v1_allowed: int = 0
    v2_only: int = 0
    imds_off: int = 0
    pending: int = 0
    v1_called: int = 0
    v1_quiet: int = 0
    v1_no_data: int = 0
    v1_not_watched: int = 0
    paths: int = 0
    paths_v1: int = 0


class CellRow(Struct, frozen=True, kw_only=True):
    """Posture of one account in one region; `partial` where its instances were not all read."""

    account: str
    region: str
    total: int = 0
    v1_allowed: int = 0
    v2_only: int = 0
    imds_off: int = 0
    callers: int = 0
    no_data: int = 0
    partial: bool = False


class Gap(Struct, frozen=True, kw_only=True):
    """What was not read, or not all of it: `seen` items came before the failure."""

    account: str
    region: str
    what: str
    why: str
    seen: int
    observed_at: datetime


class AsOf(Struct, frozen=True, kw_only=True):
    """When one kind of thing was read: the oldest and newest reading over so many cells."""

    what: str
    oldest: datetime
    newest: datetime
    cells: int


class Day(Struct, frozen=True, kw_only=True):
    """Calls of one UTC day: answered (MetadataNoToken), rejected (MetadataNoTokenRejected)."""

    day: str
    v1: int
    rejected: int


class InstanceRow(Struct, frozen=True, kw_only=True):
    """One instance; `calls` and `rejected` are None where CloudWatch has no data point."""

    id: str
    account: str
    region: str
    name: str
    state: str
    group: str | None
    posture: str
    http_tokens: str | None
    http_put_response_hop_limit: int | None
    http_endpoint: str | None
    http_protocol_ipv6: str | None
    instance_metadata_tags: str | None
    calls: int | None
    rejected: int | None
    last_call: datetime | None
    coverage: float | None
    verdict: Status | None
    confidence: Confidence | None
    reasons: list[Reason] = field(default_factory=list)


class Listed(Struct, frozen=True, kw_only=True):
    """A resource as a list shows it."""

    resource: str
    name: str
    account: str
    region: str
    summary: str


class ReasonGroup(Struct, frozen=True, kw_only=True):
    """Resources that stand where they do for the same first reason.

    `listed` holds the first few, `rest` counts the others; `fixes` holds the most frequent advice,
    `wordings` counts how many different summaries there are (`summary` is the most frequent one).
    """

    rule: str
    summary: str
    wordings: int
    fixes: list[str]
    count: int
    listed: list[Listed]
    rest: int


class StatusSection(Struct, frozen=True, kw_only=True):
    """All resources of one verdict; `also` counts the further reasons by rule."""

    status: Status
    count: int
    groups: list[ReasonGroup]
    also: list[tuple[str, str, int]]


class PathRow(Struct, frozen=True, kw_only=True):
    """A launch path that would start new instances on v1."""

    id: str
    kind: str
    account: str
    region: str
    group: str | None
    source: str
    decided_by: str
    members: int
    status: Status
    summary: str
    fix: str


class DefaultsRow(Struct, frozen=True, kw_only=True):
    """The account defaults of a region; None is no preference."""

    account: str
    region: str
    http_tokens: str | None
    http_put_response_hop_limit: int | None
    http_endpoint: str | None
    instance_metadata_tags: str | None
    enforced: str | None
    managed_by: str


class ImageRow(Struct, frozen=True, kw_only=True):
    """An image of the account's own without ImdsSupport; `launched_by` says by what, in words.

    `launched` is False where nothing that was read launches it or came from it.
    """

    id: str
    account: str
    region: str
    name: str
    launched: bool
    launched_by: list[str]


class ChangeRow(Struct, frozen=True, kw_only=True):
    """One change of a plan, in words."""

    id: str
    kind: str
    resource: str
    name: str
    account: str
    region: str
    what: str
    reason: str
    irreversible: bool


class WaveRow(Struct, frozen=True, kw_only=True):
    """One wave: its size by kind of change, how it is walked, its first changes."""

    number: int
    name: str
    count: int
    kinds: list[tuple[str, int]]
    canaries: int
    batch: int
    soak_seconds: int
    listed: list[ChangeRow]
    rest: int


class PlanView(Struct, frozen=True, kw_only=True):
    """A sealed plan in short; `held` is grouped like the verdicts."""

    digest: str
    created_at: datetime
    scanned_at: datetime
    waves: list[WaveRow]
    held: int
    held_sections: list[StatusSection]
    irreversible: list[ChangeRow]


class GateRow(Struct, frozen=True, kw_only=True):
    """A gate of a run and what it found."""

    name: str
    state: str
    detail: str


class DoneRow(Struct, frozen=True, kw_only=True):
    """A change of a run that did not simply apply, or that was taken back."""

    resource: str
    name: str
    kind: str
    state: str
    detail: str


class RunView(Struct, frozen=True, kw_only=True):
    """A run: its changes by state, its gates, and what needs a look."""

    id: str
    started_at: datetime
    state: str
    digest: str
    counts: list[tuple[str, int]]
    kinds: list[tuple[str, int]]
    gates: list[GateRow]
    gates_passed: int
    notable: list[DoneRow]
    notable_rest: int
    irreversible: list[str]


class ReportData(Struct, frozen=True, kw_only=True):
    """The whole report. Times are UTC."""

    schema: str = "imdsctl/report/v1"
    generated_at: datetime
    tool_version: str
    window_days: int | None
    headline: Headline
    as_of: list[AsOf]
    unreadable: list[Gap]
    verdicts: dict[str, int]
    cells: list[CellRow]
    calls_per_day: list[Day]
    sections: list[StatusSection]
    launch_paths: list[PathRow]
    account_defaults: list[DefaultsRow]
    images: list[ImageRow]
    plan: PlanView | None
    runs: list[RunView]
    more_runs: int
    limits: list[str]
    instances: list[InstanceRow]
