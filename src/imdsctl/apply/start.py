"""Before the first change: is the plan whole, fresh, and still about this fleet?"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from imdsctl.apply.ledger import Ledger
from imdsctl.apply.oneway import is_left_out
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.plan import Facts, Plan
from imdsctl.ports import Fleet

_BATCH = 100
_SHOWN = 5


def check_seal(plan: Plan, name: str) -> None:
    """Refuse a plan that was changed after it was sealed; `name` is what it is called by.

    Raises:
        RefusedError: the digest does not fit the content.
    """
    found = plan.content_digest()
    if found != plan.digest:
        raise RefusedError(
            f"{name} was changed after it was sealed (digest {plan.digest[:8] or 'none'}…, "
            f"found {found[:8]}…)",
            detail="a plan is applied exactly as it was reviewed, or not at all",
            hint="build it again with `imdsctl plan`",
        )


def check_waves(plan: Plan, waves: Sequence[int] | None) -> None:
    """Refuse a wave that the plan does not have.

    Raises:
        UsageError: there is no such wave.
    """
    there = [wave.number for wave in plan.waves]
    for number in waves or ():
        if number not in there:
            raise UsageError(
                f"the plan has no wave {number}",
                detail=f"it has {', '.join(str(n) for n in there) or 'none at all'}",
                hint="-1 is the freeze; `imdsctl show plan.json` lists the waves",
            )


def check_needs(
    plan: Plan, waves: Sequence[int] | None, ledger: Ledger, allowed: Collection[str] = ()
) -> None:
    """Refuse waves that build on others which were neither chosen nor applied before.

    One-way changes that nobody asked for (`allowed`) build on nothing.

    Raises:
        RefusedError: a change of a chosen wave needs one that would not be there.
    """
    if waves is None:
        return
    wave_of = {c.id: w for w in plan.waves for c in w.changes}
    for wave in plan.waves:
        for change in wave.changes if wave.number in waves else ():
            for need in () if is_left_out(change, allowed) else change.needs:
                other = wave_of[need]
                if other.number not in waves and ledger.earlier(need) is None:
                    name = "the freeze" if other.number < 0 else f"wave {other.number}"
                    raise RefusedError(
                        f"wave {wave.number} needs {name} first",
                        detail=f"{change.kind} of {change.resource} builds on {need}",
                        hint=f"apply with --wave {other.number} first, or with both",
                    )


def check_age(plan: Plan, now: datetime, max_age_hours: int) -> None:
    """Refuse a plan whose evidence is too old.

    Raises:
        RefusedError: it was scanned longer than `max_age_hours` ago.
    """
    age = now - plan.scanned_at
    if age > timedelta(hours=max_age_hours):
        raise RefusedError(
            f"the plan rests on a scan of {plan.scanned_at:%Y-%m-%d %H:%M} UTC, "
            f"{age.days} days ago",
            detail=f"plans older than {max_age_hours} h are not applied (plan.max_age_hours)",
            hint="scan and plan again",
        )


def check_drift(plan: Plan, waves: Sequence[int] | None, fleet: Fleet) -> None:
    """Refuse a plan that is older than the fleet: nothing is done if any instance has changed.

    Instances that are gone, or already as the plan wants them, are no drift. Other resources are
    looked at one by one when their turn comes.

    Raises:
        RefusedError: the options of an instance are neither as planned from nor as planned to.
    """
    # An instance that is changed in two steps may stand before, between or after them.
    expected: dict[Cell, dict[str, list[Facts]]] = defaultdict(lambda: defaultdict(list))
    for wave in plan.waves:
        if waves is None or wave.number in waves:
            for change in wave.changes:
                if change.kind == "instance-options":
                    expected[change.cell][change.resource] += [change.before, change.after]
    drifted = [
        resource
        for cell, states in expected.items()
        for start in range(0, len(states), _BATCH)
        for resource in _drifted(cell, dict(islice(states.items(), start, start + _BATCH)), fleet)
    ]
    if drifted:
        more = f" and {len(drifted) - _SHOWN} more" if len(drifted) > _SHOWN else ""
        raise RefusedError(
            f"the plan is older than the fleet: {', '.join(drifted[:_SHOWN])}{more} changed since",
            detail="their metadata options are neither what the plan saw nor what it wants",
            hint="scan and plan again",
        )


def _drifted(cell: Cell, expected: Mapping[str, list[Facts]], fleet: Fleet) -> Iterator[str]:
    found = fleet.instances_by_id(cell, list(expected))
    if isinstance(found, Unreadable):
        raise RefusedError(
            f"{cell} could not be read, so the plan cannot be held against it",
            detail=found.why,
            hint="check credentials and permissions, then apply again",
        )
    for resource, states in expected.items():
        instance = found.get(resource)
        if instance is None or instance.state in ("terminated", "shutting-down"):
            continue
        if instance.options.members() not in states:
            yield resource


def run_name(plan: Plan, now: datetime) -> str:
    """A name for a run: when, which plan, and four letters against a second one that minute."""
    return f"{now:%Y%m%d-%H%M}-{plan.digest[:4]}-{secrets.token_hex(2)}"
