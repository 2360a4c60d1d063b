"""What a kind of change has to know how to do."""

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct, field

from imdsctl.apply import kinds
from imdsctl.model.evidence import TemplateSpec, Unreadable
from imdsctl.model.plan import Change, Facts
from imdsctl.model.run import ChangeProgress
from imdsctl.ports import Clock, Control, Done, Fleet, Health, Metrics, Outcome

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The outside world of one run: the ports, the run's name, and what it has done so far.

    `earlier` knows what other runs of the same plan (its digest is `plan`) have applied.
    """

    fleet: Fleet
    control: Control
    metrics: Metrics
    health: Health
    clock: Clock
    run: str
    progress: Callable[[str], ChangeProgress]
    earlier: Callable[[str], ChangeProgress | None]
    plan: str

    def made(self, change_id: str) -> ChangeProgress:
        """Where a change stands that others build on: in this run, else in an earlier one."""
        mine = self.progress(change_id)
        if mine.state == "pending":
            return self.earlier(change_id) or mine
        return mine

    def note(self, change: Change) -> str:
        """The mark that a created resource carries.

        By it a later attempt, in the same run or another one of the plan, recognises the resource.
        """
        return f"imdsctl {self.plan[:16]} {change.id}"[:255]

    def token(self, change: Change) -> str:
        """The idempotency token of a change: the same on every attempt of the same run."""
        return hashlib.sha256(f"{self.run} {self.note(change)}".encode()).hexdigest()

    def version(self, spec: Facts) -> str:
        """The version that a spec means: what AWS answered, else what the plan predicted."""
        source = spec.get("version_from")
        predicted = spec.get("version", spec.get("default"))
        if source:
            return str(self.made(source).result.get("version", predicted))
        return str(predicted)

    def spec(self, spec: Facts) -> TemplateSpec:
        """A launch template spec with the version that it means."""
        return TemplateSpec(id=spec["id"], name=spec["name"], version=self.version(spec))


class Look(Struct, frozen=True, kw_only=True):
    """What the live resource says of a change.

    `before`: as the plan saw it; `after`: as the plan wants it; `drifted`: neither, somebody
    changed it since; `gone`: it does not exist any more; `unreadable`: nobody can say now.
    `moving` says that AWS is still bringing it there; `partial`, beside `drifted`, that it got
    there in part only: what there is can be taken back, and is not what was planned.
    """

    state: Literal["before", "after", "drifted", "gone", "unreadable"]
    live: Facts = field(default_factory=dict)
    result: Facts = field(default_factory=dict)
    detail: str = ""
    moving: bool = False
    partial: bool = False

    @classmethod
    def failed(cls, unreadable: Unreadable) -> "Look":
        """The look of something that could not be read."""
        return cls(state="unreadable", detail=unreadable.why)

    @classmethod
    def compared(cls, live: Facts, change: Change, *, after: Facts, result: Facts) -> "Look":
        """Compare a live resource with what the plan saw and wants; `before` keys count."""
        if live == after:
            return cls(state="after", live=live, result=result)
        before = {key: change.before.get(key) for key in live}
        if live == before:
            return cls(state="before", live=live)
        differing = [k for k in live if live[k] not in (before.get(k), after.get(k))] or list(live)
        key = differing[0]
        return cls(
            state="drifted",
            live=live,
            detail=f"{key} is {live[key]} now; the plan saw {before.get(key)}",
        )


class Settled(Struct, frozen=True, kw_only=True):
    """How a change came out after AWS had accepted it.

    `taken_back` says that AWS or the gate rolled it back already, `take_back` that it has to be
    taken back now, because a gate failed that nobody could stop it by.
    """

    ok: bool
    detail: str = ""
    taken_back: bool = False
    take_back: bool = False


class Handler(Protocol):
    """One kind of change."""

    def look(self, change: Change, site: Site) -> Look:
        """What the live resource says; also decides what became of a call without an answer."""
        ...

    def make(self, change: Change, site: Site) -> Outcome:
        """Make the change, assuming that `look` said `before`."""
        ...

    def undo(self, change: Change, site: Site) -> Outcome:
        """Take it back, assuming that `look` said `after`."""
        ...

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Wait until AWS has carried it out."""
        ...

    def clear(self, change: Change, site: Site) -> Outcome:
        """Remove what the change made besides, once the resource itself is as before again.

        It is also called where the change was never made, or was taken back halfway.
        """
        ...


class LeavesNothing:
    """A change that makes nothing besides."""

    def clear(self, change: Change, site: Site) -> Outcome:
        """Nothing to remove."""
        return Done()


class AtOnce(LeavesNothing):
    """A change that is carried out when AWS says yes."""

    def settle(self, change: Change, site: Site, *, undoing: bool) -> Settled:
        """Nothing to wait for."""
        return Settled(ok=True)


@cache
def handlers() -> dict[str, Handler]:
    """Every kind's handler, by the kind's name."""
    return {
        module.name.replace("_", "-"): importlib.import_module(
            f"{kinds.__name__}.{module.name}"
        ).HANDLER
        for module in pkgutil.iter_modules(kinds.__path__)
    }


def drained(pages: Iterable[list[T] | Unreadable]) -> list[T] | Unreadable:
    """All items of a paged reading, or why it is not whole."""
    items: list[T] = []
    for page in pages:
        if isinstance(page, Unreadable):
            return page
        items.extend(page)
    return items


def specs_as_facts(specs: dict[str, TemplateSpec]) -> dict[str, Any]:
    """Launch template specs in the form that a plan holds them."""
    return {w: {"id": s.id, "name": s.name, "version": s.version} for w, s in specs.items()}
