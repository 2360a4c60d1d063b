"""What an execution of a runbook is for: its instances, its parameters, and its client token."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, field

from imdsctl.model.automation import (
    GOOD,
    MOST_TARGETS,
    OVER,
    Document,
    Execution,
    Order,
    Target,
    Via,
    parameters_of,
    token_of,
)
from imdsctl.model.evidence import Cell
from imdsctl.model.plan import Change

_RESTORED_AT_A_TIME: Final = 10


class Job(Struct, kw_only=True):
    """One execution and the changes that it makes or takes back.

    `id` and `cell` are known once it was started, `why` is what a gate found, by the change's id.
    """

    order: Order
    changes: list[Change]
    since: datetime
    undoing: bool = False
    why: dict[str, str] = field(default_factory=dict)
    id: str = ""
    cell: Cell | None = None
    misses: int = 0
    told: str = ""
    done: bool = False


def orders_for(
    changes: Sequence[Change],
    attempts: dict[str, int],
    run: str,
    document: Document,
    via: Via,
    errors: str,
    *,
    undoing: bool,
) -> Iterator[tuple[Order, list[Change]]]:
    """The executions that a batch takes: one for all changes that a runbook makes alike.

    Args:
        changes: those that fit the runbook.
        attempts: how often each was tried before, by its id.
        run: the run, of which the client tokens tell.
        document: the runbook.
        via: roles and limits.
        errors: MaxErrors.
        undoing: whether they are taken back.
    """
    for parameters, group in _groups(changes, document, undoing=undoing):
        # A batch of a wave is what may be changed at a time; a rollback comes in one piece.
        at_a_time = min(len(group), _RESTORED_AT_A_TIME) if undoing else len(group)
        request: dict[str, Any] = {
            "document": document,
            "parameters": parameters,
            "max_concurrency": via.max_concurrency or str(at_a_time),
            "max_errors": errors,
            "role": via.role,
            "administration_role": via.administration_role,
        }
        tried = [(change.id, attempts[change.id]) for change in group]
        token = token_of(run, tried, {**request, "undoing": undoing})
        yield Order(targets=targets_of(group), token=token, **request), group


def _groups(
    changes: Sequence[Change], document: Document, *, undoing: bool
) -> Iterator[tuple[dict[str, str], list[Change]]]:
    """Changes of the same parameters, so that no place has more than an execution takes."""
    grouped: dict[tuple[tuple[str, str], ...], list[Change]] = defaultdict(list)
    for change in changes:
        parameters = parameters_of(change, document, undoing=undoing)
        grouped[tuple(sorted(parameters.items()))].append(change)
    for key, group in grouped.items():
        parts: dict[int, list[Change]] = defaultdict(list)
        seen: dict[Cell, int] = defaultdict(int)
        for change in group:
            parts[seen[change.cell] // MOST_TARGETS].append(change)
            seen[change.cell] += 1
        for part in parts.values():
            yield dict(key), part


def targets_of(changes: Sequence[Change]) -> dict[Cell, list[str]]:
    """The instances by cell, in an order that is always the same."""
    targets: dict[Cell, list[str]] = defaultdict(list)
    for change in sorted(changes, key=lambda c: (c.cell, c.resource)):
        targets[change.cell].append(change.resource)
    return dict(targets)


def progress_of(job: Job, seen: Execution) -> str:
    """How far an execution is, in a line."""
    total = len(job.order.resources())
    states = [target.status for target in seen.targets.values()]
    good = sum(state in GOOD for state in states)
    bad = sum(state in OVER - GOOD for state in states)
    failed = f", {bad} failed" if bad else ""
    return f"{good}/{total} done{failed}"


def why_of(seen: Execution, target: Target | None) -> str:
    """Why an instance was not changed, as far as Automation says."""
    if target is None:
        if seen.status in GOOD and not seen.unread:
            return ""
        return "; ".join(
            filter(None, [f"not started: {seen.message or seen.status}", *seen.unread])
        )
    if target.status in GOOD:
        return ""
    step = f"step {target.step}: " if target.step else ""
    return f"{step}{target.message or target.status} (execution {target.execution or seen.id})"
