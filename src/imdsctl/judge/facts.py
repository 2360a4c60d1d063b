"""What a rule is given to judge one instance or one launch path by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from imdsctl.model.cell import FailedGate
from imdsctl.model.evidence import Calls, Environment, Instance, Recorded, Software, Trace
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.policy import Exemption, Mended, Policy
from imdsctl.model.verdict import Confidence, Status, Verdict

CONTAINER_TAGS = ("kubernetes.io/cluster/", "eks:", "aws:eks:", "aws:ecs:", "AmazonECSManaged")
"""Tag keys (or their beginnings) that EKS, ECS and kubernetes tools put on what runs containers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says: a status it argues for, or only a caution (`status` None).

    A caution lowers the confidence of a `ready` verdict to at most `confidence`. What names the
    cause `leads`: it is told before what only says that something is so.
    """

    summary: str
    fix: str = ""
    status: Status | None = None
    confidence: Confidence = "high"
    evidence: tuple[str, ...] = ()
    leads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """What is known of the other instances that came from the same place.

    `callers` are ids that called v1 in the window, `quiet` counts those with enough data and no
    call, `booted_quiet` those without a call whose launch or start the window saw.
    """

    callers: tuple[str, ...] = ()
    quiet: int = 0
    booted_quiet: int = 0
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """Everything that the rules look at for one instance.

    `calls` is None where the metrics were not read; `calls_unreadable` then says why, if AWS
    refused. `trace` is what a tracer on the host saw, if one ran, and `software` what Systems
    Manager knows as too old on it; neither is too long ago. `paths` are the launch paths that its
    group would start the next instance from. `mended` is its owner's word that the cause of
    `failed_gate` is gone.
    """

    record: Recorded[Instance]
    now: datetime
    policy: Policy
    calls: Recorded[Calls] | None = None
    calls_unreadable: str | None = None
    siblings: Siblings | None = None
    paths: tuple[LaunchPath, ...] = ()
    exemption: Exemption | None = None
    failed_gate: FailedGate | None = None
    mended: Mended | None = None
    trace: Recorded[Trace] | None = None
    software: Recorded[Software] | None = None

    @property
    def instance(self) -> Instance:
        """The instance itself."""
        return self.record.item

    @property
    def observed(self) -> Calls | None:
        """Its calls, if they were read."""
        return self.calls.item if self.calls else None

    @property
    def called(self) -> int:
        """IMDSv1 calls in the window, accepted or rejected, as far as CloudWatch knows."""
        calls = self.observed
        if calls is None:
            return 0
        return (calls.v1.total if calls.v1 else 0) + (calls.rejected.total if calls.rejected else 0)

    @property
    def container_sign(self) -> str | None:
        """The tag that shows that it runs containers, if one does."""
        return container_sign(self.instance.tags)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The ids of the evidence on the instance and its calls."""
        return (self.record.id, *((self.calls.id,) if self.calls else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFacts:
    """Everything that the rules look at for one launch path.

    `siblings` sums up the evidence on all that came from the path, `members` are the verdicts on
    its instances, `unreadable` says what could not be read whole in the path's account and region,
    `failed_gate` is the refresh of its group that a run had to take back, while it is remembered.
    `held_until` the day until which it is, `mended` its owner's word that the cause is gone.
    `environment` is the Elastic Beanstalk environment that owns its group, where it could be read;
    `template_of` names the one whose template's unused default version this is.
    """

    path: LaunchPath
    siblings: Siblings
    members: Mapping[str, Verdict]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    failed_gate: FailedGate | None = None
    held_until: str = ""
    mended: Mended | None = None
    environment: Recorded[Environment] | None = None
    template_of: str | None = None

    @property
    def unread(self) -> bool:
        """Whether the launch template version or configuration that it uses is not known."""
        return self.path.number is None and self.path.launch_configuration is None

    @property
    def evidence(self) -> tuple[str, ...]:
        """The ids of the evidence on the path itself."""
        return tuple(self.path.evidence)


def container_sign(tags: dict[str, str]) -> str | None:
    """The first tag key that an EKS, ECS or kubernetes node carries, None without one."""
    return next((key for key in tags if key.startswith(CONTAINER_TAGS)), None)


def is_mature(calls: Calls, policy: Policy) -> bool:
    """Whether silence counts: long enough a window, old enough, and data in nearly every hour."""
    window = calls.window_end - calls.window_start
    return (
        window >= timedelta(days=policy.judge.min_window_days)
        and calls.hours_running >= policy.judge.min_age_hours
        and calls.v1 is not None
        and not silent_since_start(calls)
        and calls.coverage >= policy.judge.min_coverage
    )


def silent_since_start(calls: Calls) -> bool:
    """Whether all the data is older than the last launch or start: of another run, not of this."""
    if calls.v1 is None or calls.v1.last_data is None:
        return False
    # `hours_running` is rounded up, and a data point carries the time at which its hour began.
    started = calls.window_end - timedelta(hours=calls.hours_running)
    return calls.v1.last_data < started - timedelta(hours=1)


def saw_boot(instance: Instance, calls: Calls) -> bool:
    """Whether the window saw the instance's first hour after a launch or start, with data."""
    if instance.launched_at < calls.window_start or calls.v1 is None:
        return False
    hour_after = instance.launched_at + timedelta(hours=1)
    if calls.window_end < hour_after or silent_since_start(calls):
        return False
    first = calls.v1.first_data
    return first is not None and first <= hour_after
