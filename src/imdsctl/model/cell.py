"""One account in one region: all that is known of it, and all that is concluded."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from imdsctl.model.evidence import (
    AccountDefaults,
    Calls,
    CapacityProvider,
    Cell,
    Environment,
    Group,
    Image,
    Instance,
    LaunchConfiguration,
    Nodegroup,
    Recorded,
    Software,
    TemplateVersion,
    Trace,
)
from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.verdict import Verdict

_CALLS: Final = re.compile(r"\d IMDSv1 calls?\b")


def calls_in_words(count: int) -> str:
    """A number of IMDSv1 calls, as gates say it and `FailedGate.by_calls` knows it again."""
    return f"{count:,} IMDSv1 call{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedGate:
    """A run changed the instance, a gate failed, and the run took the change back."""

    run: str
    at: datetime
    why: str

    @property
    def by_calls(self) -> bool:
        """Whether IMDSv1 calls were what failed, and not what somebody else saw of its health."""
        return _CALLS.search(self.why) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRun:
    """What a run changed in one account and region, and nobody has taken back.

    `finished` is False while it is open, stopped or interrupted; `instances` are those that it
    took to V2 only, `launches` whatever else it set that decides about new ones.
    """

    run: str
    finished: bool
    instances: tuple[str, ...] = ()
    launches: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class CellEvidence:
    """Everything current that is known of one account in one region.

    `unreadable` maps a kind of reading to why it could not be made whole, `failed_gates` an
    instance to the gate that it failed last; `standing` are the runs whose changes still stand,
    or that are not through yet.
    """

    cell: Cell
    instances: Sequence[Recorded[Instance]] = ()
    calls: Mapping[str, Recorded[Calls]] = field(default_factory=dict)
    templates: Sequence[Recorded[TemplateVersion]] = ()
    configurations: Sequence[Recorded[LaunchConfiguration]] = ()
    groups: Sequence[Recorded[Group]] = ()
    defaults: Recorded[AccountDefaults] | None = None
    images: Sequence[Recorded[Image]] = ()
    nodegroups: Sequence[Recorded[Nodegroup]] = ()
    environments: Sequence[Recorded[Environment]] = ()
    capacity_providers: Sequence[Recorded[CapacityProvider]] = ()
    software: Mapping[str, Recorded[Software]] = field(default_factory=dict)
    traces: Mapping[str, Recorded[Trace]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    failed_gates: Mapping[str, FailedGate] = field(default_factory=dict)
    standing: Sequence[StandingRun] = ()


@dataclass(slots=True, kw_only=True)
class JudgedCell:
    """The verdicts on one cell."""

    evidence: CellEvidence
    instances: dict[str, Verdict]
    paths: list[JudgedPath]
