"""What the parts of the planner share while a plan takes shape."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import structs

from imdsctl.model.evidence import Cell
from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.plan import Change, Facts, Held, Kind, LosesWayBack
from imdsctl.model.policy import HopBumpPolicy, PlanPolicy, RefreshPolicy
from imdsctl.model.verdict import CONFIDENCES, Reason, Status, Verdict


@dataclass(slots=True)
class Draft:
    """The changes of one cell before they are numbered and ordered into waves.

    `refreshed` are the groups whose instances something else replaces, so that nobody modifies
    them, and `left` those of their instances that the refresh leaves alone: which refresh, and why.
    `in_place` are the groups that the policy would rather have refreshed, with what forbids it;
    `owned` those that only another service may change, `owned_templates` the ids of the launch
    templates behind those. `frozen` are the ids of the launch paths that will be V2 only before any
    instance is touched, `noisy` the groups whose programs will have calls rejected and work all the
    same.
    """

    cell: Cell
    policy: PlanPolicy
    hop_bump: HopBumpPolicy = field(default_factory=HopBumpPolicy)
    refresh: RefreshPolicy = field(default_factory=RefreshPolicy)
    freeze: list[Change] = field(default_factory=list)
    groups: list[Change] = field(default_factory=list)
    instances: list[Change] = field(default_factory=list)
    one_way: list[Change] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    refreshed: set[str] = field(default_factory=set)
    left: dict[str, tuple[str, str]] = field(default_factory=dict)
    in_place: dict[str, Reason] = field(default_factory=dict)
    owned: dict[str, Reason] = field(default_factory=dict)
    owned_templates: set[str] = field(default_factory=set)
    frozen: set[str] = field(default_factory=set)
    noisy: set[str] = field(default_factory=set)

    def change(
        self,
        kind: Kind,
        resource: str,
        *,
        before: Facts,
        after: Facts,
        inverse: Facts | None,
        reason: str,
        name: str = "",
        needs: Sequence[str] = (),
        gates: Sequence[str] = (),
        notes: Sequence[str] = (),
        detail: str = "",
        irreversible: bool = False,
        loses: Sequence[LosesWayBack] = (),
    ) -> Change:
        """A change in this cell, with an id that says what it is and stays the same every time."""
        parts = (kind, self.cell.account, self.cell.region, resource, detail)
        return Change(
            id=":".join(part for part in parts if part),
            kind=kind,
            resource=resource,
            account=self.cell.account,
            region=self.cell.region,
            before=before,
            after=after,
            inverse=inverse,
            reason=reason,
            name=name,
            needs=list(needs),
            gates=list(gates),
            notes=list(notes),
            irreversible=irreversible,
            loses=list(loses),
        )

    def hold_path(self, judged: JudgedPath, *reasons: Reason, status: Status | None = None) -> None:
        """Leave a launch path alone, with the verdict's reasons or those given."""
        verdict = judged.verdict
        self.hold(
            judged.path.id,
            # Ready, and held all the same: what is missing is certainty.
            status or ("unknown" if verdict.status == "ready" else verdict.status),
            list(reasons) or verdict.reasons,
            judged.path.name,
        )

    def hold(self, resource: str, status: Status, reasons: list[Reason], name: str = "") -> None:
        """Leave a resource alone, and say so."""
        self.held.append(
            Held(
                resource=resource,
                account=self.cell.account,
                region=self.cell.region,
                status=status,
                reasons=reasons,
                name=name,
            )
        )


def sure_enough(verdict: Verdict, policy: PlanPolicy) -> bool:
    """Whether a verdict is `ready` with at least the policy's least confidence."""
    return verdict.status == "ready" and CONFIDENCES.index(verdict.confidence) >= CONFIDENCES.index(
        policy.min_confidence
    )


def tries_v1_first(verdict: Verdict) -> bool:
    """Whether programs there are known to ask IMDSv1 first: they work on, and are rejected once.

    Rejected calls then say nothing, so that a change has no such gate.
    """
    return any(r.rule == "traced-callers" and r.status is None for r in verdict.reasons)


def after_failure(*verdicts: Verdict) -> list[str]:
    """What a reviewer has to know where a gate failed before: why it is planned all the same."""
    told = (
        reason.summary
        for verdict in verdicts
        for reason in verdict.reasons
        if reason.rule == "failed-gate" and reason.status is None
    )
    return list(dict.fromkeys(told))


def held_back(verdict: Verdict, held: Held | None) -> Verdict:
    """The verdict on something that is ready by itself, and that the plan holds all the same."""
    if held is None or verdict.status != "ready":
        return verdict
    others = [reason for reason in verdict.reasons if reason not in held.reasons]
    reasons = [structs.replace(reason, status=held.status) for reason in held.reasons[:1]]
    return structs.replace(
        verdict,
        status=held.status,
        reasons=[*reasons, *held.reasons[1:], *(r for r in others if r.rule != "quiet")],
    )


def not_sure_enough(verdict: Verdict, policy: PlanPolicy) -> list[Reason]:
    """The reasons for holding a verdict back, with the policy's own if that is what holds it."""
    if verdict.status != "ready":
        return verdict.reasons
    return [
        Reason(
            rule="min-confidence",
            summary=f"Its confidence is {verdict.confidence}; the policy asks for "
            f"{policy.min_confidence}.",
            fix="See what would make it surer, or lower plan.min_confidence.",
        ),
        *verdict.reasons,
    ]
