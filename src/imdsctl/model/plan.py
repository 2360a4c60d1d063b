"""The plan: what would be changed, in which order, how each change is undone, what is held."""

import hashlib
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field, structs

from imdsctl.model.evidence import Cell
from imdsctl.model.verdict import Reason, Status

Kind = Literal[
    "instance-options",
    "launch-template-version",
    "launch-template-default",
    "asg-launch-template",
    "instance-refresh",
    "launch-configuration-replacement",
    "account-defaults",
    "account-enforcement",
    "image-imds-support",
    "nodegroup-version",
    "beanstalk-option",
]

AGENT_CYCLE: Final = "agent-cycle"
"""The gate of a raised hop limit: a full cycle without an IMDSv1 call, tokens still optional."""

Facts = dict[str, Any]
"""The part of a resource that a change touches; the keys are the change kind's own."""

ONE_WAY: Final = ("image-imds-support", "account-enforcement")
"""The kinds that are made only when somebody asks for the resource by name, in their order."""


class LosesWayBack(Struct, frozen=True, kw_only=True):
    """What an earlier run can no longer take back once a change is made.

    `instances` counts those whose tokens could not become optional again, `launches` the launch
    settings that could be set back, but would then launch nothing.
    """

    run: str
    instances: int
    launches: int


class Change(Struct, frozen=True, kw_only=True):
    """One change of one resource.

    `before` is what the resource must look like for the change to be made, `after` what it looks
    like once made, `inverse` how it is undone (None: it cannot be). `irreversible` marks a one-way
    change, which is made only where it is asked for by name: one that cannot be undone, or that
    takes other changes' way back (`loses` says whose) for as long as it stands.
    `notes` are what a reviewer has to know beside the reason: what it costs, what it leaves out.
    `needs` names changes that must have been applied before this one; a value in `after` that only
    they can know (the number of a new launch template version) is a prediction, replaced at apply
    by what AWS answered.
    """

    id: str
    kind: Kind
    resource: str
    account: str
    region: str
    before: Facts
    after: Facts
    inverse: Facts | None
    reason: str
    name: str = ""
    irreversible: bool = False
    gates: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    loses: list[LosesWayBack] = field(default_factory=list)

    @property
    def cell(self) -> Cell:
        """Where it is made."""
        return Cell(self.account, self.region)

    @property
    def is_first_step(self) -> bool:
        """Whether another change of the same resource waits for this one's agent cycle."""
        return AGENT_CYCLE in self.gates

    @property
    def one_way_names(self) -> tuple[str, str]:
        """What a one-way change can be asked for by."""
        return (self.resource, self.id)

    @property
    def requires_tokens(self) -> bool:
        """Whether it takes a running instance to V2 only: its way back sets tokens to optional."""
        return (
            self.kind == "instance-options"
            and self.before.get("http_tokens") == "optional"
            and self.after.get("http_tokens") == "required"
        )


class Wave(Struct, frozen=True, kw_only=True):
    """Changes that are made together: canaries first, then `batch` at a time.

    After the canaries and after the last change the wave waits `soak_seconds` and looks at the
    gates. Wave 0 to 2 follow the risk; the freeze has number -1, and what is one way comes last.
    Changes with the gate `agent-cycle` come before all others, and those that need them wait
    `cycle_seconds` for it.
    """

    number: int
    name: str
    changes: list[Change]
    canaries: list[str] = field(default_factory=list)
    batch: int = 10
    soak_seconds: int = 900
    cycle_seconds: int = 0


class Held(Struct, frozen=True, kw_only=True):
    """A resource that still allows v1 and that the plan leaves alone, with the reasons."""

    resource: str
    account: str
    region: str
    status: Status
    reasons: list[Reason]
    name: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """The whole plan, sealed by `digest` over everything else in it.

    `role_name` is the role to assume in accounts other than the caller's own.
    """

    created_at: datetime
    scanned_at: datetime
    caller: str
    instances: int
    waves: list[Wave]
    held: list[Held]
    role_name: str | None = None
    schema: str = "imdsctl/plan/v1"
    digest: str = ""

    def sealed(self) -> "Plan":
        """This plan with the digest of its content."""
        return structs.replace(self, digest=self.content_digest())

    def content_digest(self) -> str:
        """SHA-256 of the plan's canonical JSON with the digest left empty."""
        bare = structs.replace(self, digest="")
        return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()

    def changes(self) -> dict[str, Change]:
        """All changes by id, in the order of the waves."""
        return {change.id: change for wave in self.waves for change in wave.changes}
