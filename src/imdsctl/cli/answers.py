"""The JSON answers, as others rely on them; `docs/schemas` is written from these."""

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct

from imdsctl.apply.metric_view import State as MetricState
from imdsctl.apply.verify import HostView, Waiting
from imdsctl.cli.answers_host import HostAuditAnswer
from imdsctl.cli.answers_lint import LintAnswer
from imdsctl.guard.guardrail import PolicyKind
from imdsctl.guard.preflight import Affected, Locked
from imdsctl.model.plan import Plan
from imdsctl.model.run import GateState, RunState
from imdsctl.model.verdict import Confidence, Reason, Status

ChangeWord = Literal["applied", "skipped", "failed", "rolled-back", "pending"]
"""`pending` also stands for a change to which AWS gave no answer yet."""


class InstanceCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances by what a caller on them can do; terminated ones are not counted."""

    total: int
    v1_allowed: int
    v2_only: int
    imds_off: int


class CallerCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances that allow v1, by what the metric says; no data is not zero."""

    called: int
    quiet: int
    no_data: int
    not_watched: int


class PathCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Launch paths; `v1_allowed` would start new instances on v1 today."""

    total: int
    v1_allowed: int


class DefaultCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Account defaults, one an account and region.

    `required` ask for tokens, `enforced` refuse v1 (HttpTokensEnforced).
    """

    total: int
    required: int
    enforced: int


class LaunchedImage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An own image without ImdsSupport, and what launches it: groups, templates."""

    image: str
    name: str
    account: str
    region: str
    launched_by: list[str]


class ImageCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accounts' own images; `launched` are those without ImdsSupport that something launches.

    Instances that came from an image are not looked at here; `explain` does.
    """

    own: int
    v2_only: int
    launched: list[LaunchedImage]


class SoftwareCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances by what Systems Manager lists on them; those that it does not manage are not there.

    On `too_old` ones something does not speak IMDSv2, on `v1_first` ones something asks IMDSv1
    first. That it is installed is no proof that it calls.
    """

    too_old: int
    v1_first: int


class NotRead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What could not be read, or not all of it: `seen` items came before the failure."""

    account: str
    region: str
    what: str
    why: str
    seen: int


class RunShort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run in short."""

    run: str
    state: RunState
    started_at: datetime


class ScanAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl scan -o json`. `complete` is false where anything was not read."""

    schema: Literal["imdsctl/scan/v1"]
    complete: bool
    scanned_at: datetime
    days: int
    instances: InstanceCounts
    pending: int
    callers: CallerCounts
    launch_paths: PathCounts
    account_defaults: DefaultCounts
    images: ImageCounts
    software: SoftwareCounts
    accounts: list[str]
    regions: list[str]
    unreadable: list[NotRead]


class StatusAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl status -o json`. `complete` is false where anything was not read."""

    schema: Literal["imdsctl/status/v1"]
    complete: bool
    scanned_at: datetime
    days: int
    instances: InstanceCounts
    pending: int
    callers: CallerCounts
    launch_paths: PathCounts
    account_defaults: DefaultCounts
    images: ImageCounts
    software: SoftwareCounts
    accounts: list[str]
    regions: list[str]
    unreadable: list[NotRead]
    runs: list[RunShort]


class VerdictAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A verdict and why."""

    status: Status
    confidence: Confidence
    reasons: list[Reason]


class EvidencePiece(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that was read."""

    id: str
    kind: str
    source: str
    observed_at: datetime
    summary: str


class PathPiece(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How new instances come to be, and the options that they would get today."""

    id: str
    group: str | None
    launches_from: str
    version: int | None
    next_instance: str
    decided_by: str
    explicit: dict[str, str | int]
    effective: dict[str, str | int]


class Explanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything known of one resource; `options` uses AWS's own names."""

    resource: str
    name: str
    kind: str
    account: str
    region: str
    options: dict[str, Any]
    verdict: VerdictAnswer
    evidence: list[EvidencePiece]
    owner: str | None
    launch_path: PathPiece | None
    state: str | None = None
    launched_at: datetime | None = None
    tags: dict[str, str] = {}
    members: list[str] = []
    launched_by: list[str] = []


class ExplainAnswer(Explanation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl explain ID -o json`; `others` holds what else has the same name."""

    schema: Literal["imdsctl/explain/v1"]
    others: list[Explanation] = []


class ChangeAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one change of a run stands."""

    id: str
    kind: str
    resource: str
    account: str
    region: str
    state: ChangeWord
    detail: str


class GateAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate of a run and what it found."""

    name: str
    state: GateState
    detail: str


class ExecutionAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An execution of a Systems Manager runbook; `status` is AWS's, empty until it has ended."""

    id: str
    document: str
    account: str
    region: str
    parameters: dict[str, str]
    changes: list[str]
    undoing: bool
    status: str


class RunPiece(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run; `plan` is the digest of its plan."""

    run: str
    state: RunState
    plan: str
    started_at: datetime | None
    changes: list[ChangeAnswer]
    gates: list[GateAnswer]
    executions: list[ExecutionAnswer] = []


class ApplyAnswer(RunPiece, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl apply -o json`."""

    schema: Literal["imdsctl/apply/v1"]
    dry_run: bool = False


class RollbackAnswer(RunPiece, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl rollback -o json`."""

    schema: Literal["imdsctl/rollback/v1"]


class RunAnswer(RunPiece, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl runs RUN -o json`."""

    schema: Literal["imdsctl/runs/v1"]


class RunsAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl runs -o json`, the newest first."""

    schema: Literal["imdsctl/runs/v1"]
    runs: list[RunPiece]


class VerifiedChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one applied change stands now.

    `state` is `applied` where it holds; `found` tells more: `holds`, `drifted`, `gone`,
    `unreadable` or `refused-calls`. `api` and `metric` are two views in words, `metric_state`
    the latter as a word. `host` is null where no host was asked for.
    """

    id: str
    kind: str
    resource: str
    account: str
    region: str
    state: ChangeWord
    detail: str
    ok: bool
    found: str
    api: str
    metric: str
    metric_state: MetricState = ""
    host: HostView | None = None


class HostCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances that were to be looked at on the host, by what came of it."""

    good: int
    bad: int
    not_looked_at: int
    gone: int


class VerifyAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl verify -o json`.

    `waiting` are the plan's instances that still allow v1, not changed yet or held, with what
    MetadataNoToken says since the plan's scan. `own_calls` are calls of earlier probes of the run,
    which the metrics leave out. `hosts` is null without --host.
    """

    schema: Literal["imdsctl/verify/v1"]
    run: str
    state: Literal["ok", "failed", "incomplete"]
    changes: list[VerifiedChange]
    gates: list[GateAnswer]
    waiting: list[Waiting] = []
    own_calls: int = 0
    hosts: HostCounts | None = None


class GuardrailAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A guardrail: what it does, what it does not catch, which steps of imdsctl it stops.

    `sid` is its statement's id, empty for one that is no statement.
    """

    name: str
    sid: str
    title: str
    does: str
    misses: list[str]
    blocks: list[str]


class GuardPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy as AWS takes it; `size` counts characters as AWS does, `limit` is the most."""

    kind: PolicyKind
    policy: dict[str, Any]
    size: int
    limit: int | None
    guardrails: list[str]


class GuardPoliciesAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl guard policies -o json`; with one --kind it is the policy alone."""

    schema: Literal["imdsctl/guard-policies/v1"]
    policies: list[GuardPolicy]
    guardrails: list[GuardrailAccount]


class GuardrailCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Launch paths and instances by what a guardrail would do to them today."""

    guardrail: str
    deny: int
    may_deny: int
    allow: int


class GuardPreflightAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl guard preflight -o json`.

    `affected` holds what would or may be denied, with --everything also what would not;
    `rollbacks` what could not, or may not, be taken back any more.
    """

    schema: Literal["imdsctl/guard-preflight/v1"]
    complete: bool
    scanned_at: datetime
    guardrails: list[GuardrailCounts]
    affected: list[Affected]
    rollbacks: list[Locked]
    unreadable: list[NotRead]


class PermissionsAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`imdsctl permissions -o json`; with a command it is that command's policy alone."""

    schema: Literal["imdsctl/permissions/v1"]
    policies: dict[str, dict[str, Any]]
    no_aws: list[str]


ANSWERS: Final[dict[str, Any]] = {
    "scan": ScanAnswer,
    "status": StatusAnswer,
    "explain": ExplainAnswer,
    "plan": Plan,
    "apply": ApplyAnswer,
    "verify": VerifyAnswer,
    "rollback": RollbackAnswer,
    "runs": RunsAnswer,
    "run": RunAnswer,
    "guard-policies": GuardPoliciesAnswer,
    "guard-preflight": GuardPreflightAnswer,
    "permissions": PermissionsAnswer,
    "host-audit": HostAuditAnswer,
    "lint": LintAnswer,
}
"""The answers by name; `run` is what `imdsctl runs RUN` says."""

SCHEMAS: Final = {name: f"imdsctl/{'runs' if name == 'run' else name}/v1" for name in ANSWERS}
"""What stands in each answer's `schema`."""
