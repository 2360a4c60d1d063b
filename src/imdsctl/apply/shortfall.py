"""What a run that walked to its end has not done, though it was asked to."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from imdsctl.model.plan import Change, Plan
from imdsctl.model.run import ChangeProgress, Progress

_SHOWN: Final = 5


class Short(Struct, frozen=True, kw_only=True):
    """A change that does not stand; `failed` says that resuming the run tries it again."""

    id: str
    resource: str
    failed: bool
    detail: str

    @classmethod
    def of(cls, change: Change, mine: ChangeProgress) -> "Short":
        """A change and where it stands."""
        return cls(
            id=change.id,
            resource=change.resource,
            failed=mine.state == "failed",
            detail=mine.detail,
        )


def shortfall(plan: Plan, progress: Progress) -> list[Short]:
    """What failed, was taken back, or was left alone on purpose, in the order of the plan."""
    found = []
    for change in plan.changes().values():
        mine = progress.changes.get(change.id)
        if mine is not None and (mine.left or mine.state in ("failed", "rolled-back")):
            found.append(Short.of(change, mine))
    return found


def in_words(short: Sequence[Short]) -> str:
    """Which resources, and why; each is named once, with what came first."""
    first: dict[str, str] = {}
    for one in short:
        first.setdefault(one.resource, one.detail)
    named = [f"{who}: {why}" if why else who for who, why in first.items()]
    more = f"; and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{len(named)} not done: " + "; ".join(named[:_SHOWN]) + more
