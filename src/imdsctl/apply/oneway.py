"""One-way changes: made only where somebody asks for the resource by its name."""

from collections.abc import Collection, Sequence

from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.model.plan import Change, Plan

_SHOWN = 5


def is_left_out(change: Change, allowed: Collection[str]) -> bool:
    """Whether a change is one way and nobody asked for it."""
    return change.irreversible and not set(change.one_way_names) & set(allowed)


def left_out(plan: Plan, waves: Sequence[int] | None, allowed: Collection[str]) -> list[Change]:
    """The one-way changes of the chosen waves that nobody asked for."""
    return [c for c in chosen(plan, waves) if is_left_out(c, allowed)]


def asked_for(plan: Plan, waves: Sequence[int] | None, allowed: Collection[str]) -> list[Change]:
    """The changes of the chosen waves that are to be made."""
    return [c for c in chosen(plan, waves) if not is_left_out(c, allowed)]


def chosen(plan: Plan, waves: Sequence[int] | None) -> list[Change]:
    """All changes of the chosen waves, in their order."""
    return [
        change
        for wave in plan.waves
        if waves is None or wave.number in waves
        for change in wave.changes
    ]


def check_named(plan: Plan, waves: Sequence[int] | None, allowed: Collection[str]) -> None:
    """Refuse names that mean nothing here, and waves of which nothing was asked for.

    Raises:
        UsageError: a name is none of the plan's one-way changes, or of a wave that was not chosen.
        RefusedError: all that a chosen wave (or the plan) holds is one way, and none is named.
    """
    one_way = [c for c in plan.changes().values() if c.irreversible]
    listed = _listed([c.resource for c in one_way])
    here = {name for c in chosen(plan, waves) if c.irreversible for name in c.one_way_names}
    for name in allowed:
        if name in here:
            continue
        if any(name in c.one_way_names for c in one_way):
            raise UsageError(
                f"{name} is in a wave that was not chosen",
                hint=f"add --wave {next(w.number for w in plan.waves if _holds(w.changes, name))}",
            )
        raise UsageError(
            f"the plan has no one-way change of {name!r}",
            detail="each is asked for by its own name; there is no word for all of them"
            if name.lower() in ("all", "*")
            else f"it has {listed or 'none at all'}",
            hint="`imdsctl show plan.json` lists them",
        )
    parts = [plan.waves] if waves is None else [[w] for w in plan.waves if w.number in waves]
    for part in parts:
        changes = [change for wave in part for change in wave.changes]
        if changes and all(is_left_out(change, allowed) for change in changes):
            raise RefusedError(
                f"{listed} cannot be undone, and was not asked for by name"
                if len(changes) == 1
                else f"{len(changes)} changes cannot be undone, and none was asked for by name: "
                f"{_listed([c.resource for c in changes])}",
                detail="--yes does not stand for a name; nothing was done",
                hint=f"--allow-irreversible {changes[0].resource}",
            )


def _holds(changes: Sequence[Change], name: str) -> bool:
    return any(name in change.one_way_names for change in changes)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
