"""The operator's choices, as read from `imdsctl.toml`; every one has a sensible default."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from imdsctl.model.verdict import Confidence

WaveName = Literal["disposable", "auto-scaling", "stateful"]


class Exemption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resource that stays on v1 for now: who decided, why, and until when (inclusive)."""

    resource: str
    owner: str
    reason: str
    expires: date


class Mended(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What made a gate fail on `resource` was mended by `at`: who says so, and what was done.

    It releases what failed before `at`, and nothing that fails after it.
    """

    resource: str
    owner: str
    reason: str
    at: Annotated[datetime, Meta(tz=True)]


class WaveRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances whose tags match all of `tags` (values may hold `*`) belong to `wave`."""

    wave: WaveName
    tags: dict[str, str]


class WaveSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one wave is walked: canaries, instances at a time, seconds of soak."""

    canaries: int = 2
    batch: int = 10
    soak_seconds: int = 900


class JudgePolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When silence counts.

    An instance younger than `min_age_hours`, or whose hours with data are less than
    `min_coverage` of the hours that it ran, is `unknown`. One that failed a gate is held for
    `remember_days`, or until its cause is known to be gone.
    """

    min_age_hours: int = 24
    min_coverage: float = 0.9
    min_window_days: int = 7
    remember_days: int = 35


class PlanPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan may hold.

    `min_confidence` is the lowest confidence of a `ready` verdict that is planned.
    `existing` says how instances of Auto Scaling groups are moved: modified `in-place`, or
    replaced by an instance `refresh`. `unproven_boot` says what happens to a group in which the
    window saw no launch, so that nobody knows whether its boot calls v1: `refresh` proves one
    replacement first, `freeze` trusts it, `hold` leaves it alone. `enforce` plans
    HttpTokensEnforced for every account and region that is through with everything else.
    """

    min_confidence: Confidence = "low"
    existing: Literal["in-place", "refresh"] = "in-place"
    unproven_boot: Literal["refresh", "freeze", "hold"] = "refresh"
    default_hop_limit: int = 2
    max_age_hours: int = 168
    enforce: bool = False


class HopBumpPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raising the response hop limit before tokens are required, in two steps.

    Where IMDSv1 calls may come from containers that a hop limit of 1 cuts off from their tokens,
    the plan raises it to `limit` with tokens still optional, waits `cycle_seconds` (one full cycle
    of the agents and of credentials), and requires tokens only if no IMDSv1 call came any more.
    Such are instances of no group that carry the tags of EKS, ECS or kubernetes, and `resources`
    (ids or names, which may hold `*`), for hosts of containers that no tag gives away.
    """

    enabled: bool = True
    limit: int = 2
    cycle_seconds: int = 86_400
    resources: list[str] = field(default_factory=list)


class RefreshPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an instance refresh goes: StartInstanceRefresh's preferences, for every group.

    Percentages are of the group's desired capacity, times are seconds; the values of `protected`
    and `standby` are AWS's own words. Without `checkpoint_percentages` the first checkpoint comes
    after about one instance. `alarms` are names of CloudWatch alarms in the group's own account and
    region; one that is in ALARM ends the refresh. `auto_rollback` lets AWS bring the old version
    back where the refresh fails.
    """

    min_healthy_percentage: int = 90
    max_healthy_percentage: int = 100
    instance_warmup: int | None = None
    checkpoint_percentages: list[int] = field(default_factory=list)
    checkpoint_delay: int = 900
    skip_matching: bool = True
    auto_rollback: bool = True
    protected: Literal["Refresh", "Ignore", "Wait"] = "Ignore"
    standby: Literal["Terminate", "Ignore", "Wait"] = "Ignore"
    alarms: list[str] = field(default_factory=list)
    bake_time: int = 0


class ScanPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a scan reads where the command line does not say.

    `share` is the part of AWS's published API rates that imdsctl may use; `software` says whether
    Systems Manager is asked for agents and installed packages.
    """

    accounts: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    role_name: str | None = None
    days: int = 14
    share: float = 0.5
    software: bool = True


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings together."""

    scan: ScanPolicy = ScanPolicy()
    judge: JudgePolicy = JudgePolicy()
    plan: PlanPolicy = PlanPolicy()
    hop_bump: HopBumpPolicy = HopBumpPolicy()
    refresh: RefreshPolicy = RefreshPolicy()
    waves: dict[WaveName, WaveSettings] = field(default_factory=dict)
    wave_rules: list[WaveRule] = field(default_factory=list, name="wave_rule")
    exemptions: list[Exemption] = field(default_factory=list, name="exemption")
    mended: list[Mended] = field(default_factory=list)
