"""From verdicts to a sealed plan."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Instance
from imdsctl.model.plan import ONE_WAY, Change, Held, Plan, Wave
from imdsctl.model.policy import Policy
from imdsctl.model.verdict import Verdict
from imdsctl.planner.draft import Draft, tries_v1_first
from imdsctl.planner.enforce import plan_enforcement
from imdsctl.planner.existing import plan_existing
from imdsctl.planner.freeze import plan_freeze
from imdsctl.planner.images import plan_images
from imdsctl.planner.waves import (
    ONE_WAY_NAME,
    ONE_WAY_WAVE,
    WAVES,
    canaries,
    settings,
    wave_of,
)

FREEZE = -1
"""The number of the freeze, which comes before wave 0."""

_FREEZE_ORDER = (
    "launch-template-version",
    "launch-template-default",
    "asg-launch-template",
    "launch-configuration-replacement",
    "account-defaults",
)


def build_plan(
    cells: Sequence[JudgedCell],
    policy: Policy,
    *,
    now: datetime,
    scanned_at: datetime,
    caller: str,
    role_name: str | None = None,
    only: Iterable[str] = (),
    wave: int | None = None,
) -> Plan:
    """The plan for everything that is ready, sealed.

    `only` keeps the changes of these resources (ids or names), `wave` those of one wave, both
    with what they need. What is held is always listed in full.
    """
    drafts = []
    for judged in cells:
        draft = Draft(
            judged.evidence.cell, policy.plan, hop_bump=policy.hop_bump, refresh=policy.refresh
        )
        draft.noisy = {
            r.item.group
            for r in judged.evidence.instances
            if r.item.group
            and (verdict := judged.instances.get(r.item.id))
            and tries_v1_first(verdict)
        }
        plan_freeze(judged, draft)
        plan_existing(judged, draft)
        plan_enforcement(judged, draft)
        drafts.append(draft)
    plan_images(cells, drafts)
    instances = {r.item.id: r.item for judged in cells for r in judged.evidence.instances}
    verdicts = {k: v for judged in cells for k, v in judged.instances.items()}
    chosen = set(only)
    waves = list(_waves(drafts, instances, verdicts, policy))
    if chosen or wave is not None:
        # Built anew, so that what remains has canaries of its own.
        waves = list(_waves(drafts, instances, verdicts, policy, _asked_for(waves, chosen, wave)))
    return Plan(
        created_at=now,
        scanned_at=scanned_at,
        caller=caller,
        role_name=role_name,
        instances=len(verdicts),
        waves=[w for w in waves if w.changes],
        held=sorted(
            (held for draft in drafts for held in draft.held),
            key=lambda h: (h.status, h.account, h.region, h.resource),
        ),
    ).sealed()


def _in_order(changes: Iterable[Change]) -> list[Change]:
    """By kind; a pin to today's version comes before any version that could take its name."""
    return sorted(changes, key=lambda c: (not c.id.endswith(":pin"), _FREEZE_ORDER.index(c.kind)))


def _waves(
    drafts: Sequence[Draft],
    instances: dict[str, Instance],
    verdicts: dict[str, Verdict],
    policy: Policy,
    keep: set[str] | None = None,
) -> Iterable[Wave]:
    """All waves; with `keep`, only the changes with these ids."""
    yield Wave(
        number=FREEZE,
        name="freeze",
        changes=_in_order(c for d in drafts for c in d.freeze if keep is None or c.id in keep),
        soak_seconds=0,
    )
    by_wave: dict[str, list[Change]] = {name: [] for name in WAVES}
    for draft in drafts:
        by_wave["auto-scaling"].extend(draft.groups)
        for change in draft.instances:
            name = wave_of(instances[change.resource], policy)
            # What a refresh leaves alone comes after it, and refreshes are of this wave.
            after_refresh = change.needs and name == "disposable"
            by_wave["auto-scaling" if after_refresh else name].append(change)
    for number, name in enumerate(WAVES):
        chosen = settings(policy, name)
        changes = [c for c in by_wave[name] if keep is None or c.id in keep]
        in_place = [c for c in changes if c.kind == "instance-options" and not c.is_first_step]
        first = canaries(in_place, verdicts, chosen.canaries) if len(in_place) > 1 else []
        yield Wave(
            number=number,
            name=name,
            changes=sorted(
                changes,
                key=lambda c: (
                    c.kind == "instance-options",
                    not c.is_first_step,
                    c.id not in first,
                ),
            ),
            canaries=first,
            batch=chosen.batch,
            soak_seconds=chosen.soak_seconds,
            cycle_seconds=policy.hop_bump.cycle_seconds
            if any(c.is_first_step for c in changes)
            else 0,
        )
    yield Wave(
        number=ONE_WAY_WAVE,
        name=ONE_WAY_NAME,
        changes=sorted(
            (c for d in drafts for c in d.one_way if keep is None or c.id in keep),
            key=lambda c: (ONE_WAY.index(c.kind), c.cell, c.name, c.resource),
        ),
        batch=1,
        soak_seconds=0,
    )


def _asked_for(waves: Sequence[Wave], only: set[str], number: int | None) -> set[str]:
    """The ids of the changes that were asked for, and of all that they need."""
    every = {change.id: change for w in waves for change in w.changes}
    keep: set[str] = set()
    todo = [
        c.id
        for w in waves
        if number is None or w.number == number
        for c in w.changes
        if not only or only & {c.resource, c.name, c.id}
    ]
    while todo:
        change_id = todo.pop()
        if change_id in every and change_id not in keep:
            keep.add(change_id)
            todo.extend(every[change_id].needs)
    return keep


def count_held(held: Iterable[Held]) -> dict[str, int]:
    """How many instances and launch paths are held, by status."""
    counts: dict[str, int] = {}
    for one in held:
        counts[one.status] = counts.get(one.status, 0) + 1
    return counts
