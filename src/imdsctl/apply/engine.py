"""Walking a plan: wave by wave, canaries first, stopping at the first gate that fails."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from imdsctl.apply.cycle import AgentCycle
from imdsctl.apply.gates import failing, unhealthy
from imdsctl.apply.handler import Site, handlers
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.oneway import is_left_out
from imdsctl.apply.perform import Performer
from imdsctl.apply.runbooks import Runbooks
from imdsctl.apply.shortfall import in_words, shortfall
from imdsctl.apply.stopped import Stopped
from imdsctl.model.evidence import Unreadable
from imdsctl.model.plan import Change, Plan, Wave
from imdsctl.model.run import ChangeProgress, ChangeState, GateProgress

_MOST_FAILURES = 2
"""Changes that AWS may refuse in one wave before it stops; a canary may not fail at all."""
_FIRST_LOOK_SECONDS = 60
_LONGEST_STEP_SECONDS = 1800
_MOST_AT_A_TIME = 32


class Engine:
    """Carries out one plan under one run.

    With `runbooks`, instances' options are changed by Automation, and everything else as without.
    """

    def __init__(self, site: Site, ledger: Ledger, runbooks: Runbooks | None = None) -> None:
        self._site = site
        self._ledger = ledger
        self._runbooks = runbooks
        self._performer = Performer(site, ledger)
        # Changes that this process has seen carried out; a resumed run looks at the others again.
        self._settled: set[str] = set()

    def run(self, plan: Plan, waves: Sequence[int] | None) -> bool:
        """Walk the chosen waves in order; True at their end, False if it stopped on the way.

        At the end the run is finished, or incomplete where a change failed, was taken back or was
        left alone on the way. What an earlier part of a resumed run took back or left alone was
        told then: going on without it is what was asked.

        Raises:
            KeyboardInterrupt: after the calls under way were journaled.
        """
        run = self._site.run
        told = {c.id for c in shortfall(plan, self._ledger.progress) if not c.failed}
        try:
            if self._runbooks is not None:
                self._runbooks.take_up(list(plan.changes().values()))
            for wave in plan.waves:
                if waves is None or wave.number in waves:
                    self._wave(wave)
        except Stopped as stop:
            self._ledger.write(run, "stopped", "", {"detail": str(stop)})
            return False
        except KeyboardInterrupt:
            self._ledger.write(run, "interrupted", "", {})
            raise
        short = [c for c in shortfall(plan, self._ledger.progress) if c.id not in told]
        if short:
            self._ledger.write(run, "incomplete", "", {"detail": in_words(short)})
        else:
            self._ledger.write(run, "finished", "", {})
        return True

    def _wave(self, wave: Wave) -> None:
        chosen = [c for c in wave.changes if not is_left_out(c, self._ledger.progress.allowed)]
        first_steps = [c for c in chosen if c.is_first_step]
        in_place = [c for c in chosen if c.kind == "instance-options" and not c.is_first_step]
        others = [c for c in chosen if c.kind != "instance-options"]
        failures = 0
        for change in others:
            failures += not self._one(change)
        if failures:
            raise Stopped(f"{failures} of {len(others)} changes of {wave.name} could not be made")
        self._first_steps(wave, first_steps)
        first, rest = self._canaries(wave, in_place)
        if first:
            self._gate(f"{wave.name}: canaries", first, wave.soak_seconds)
        self._mark_settled(wave.name, rest)
        failures = 0
        for batch in _batches(rest, wave.batch):
            if not any(self._is_open(c) for c in batch):
                continue
            failures += self._batch(batch)
            if failures > _MOST_FAILURES:
                raise Stopped(f"{failures} changes of {wave.name} failed")
            self._check(f"{wave.name}: batch", batch)
        if rest:
            self._gate(wave.name, rest, wave.soak_seconds)

    def _first_steps(self, wave: Wave, changes: Sequence[Change]) -> None:
        """Raise hop limits, then wait out the agent cycle of each; tokens stay optional."""
        failures = 0
        for batch in _batches(changes, wave.batch):
            if any(self._is_open(c) for c in batch):
                failures += self._batch(batch)
                self._check(f"{wave.name}: hop limit", batch)
        if failures:
            raise Stopped(f"{failures} hop limits of {wave.name} could not be raised")
        cycle = AgentCycle(self._site, self._ledger, self._performer, wave.cycle_seconds)
        # Also those that another run of the plan has raised: nobody may have watched them since.
        if problem := cycle.wait([c for c in changes if self._performer.is_there(c.id)]):
            raise Stopped(problem)

    def _canaries(
        self, wave: Wave, in_place: Sequence[Change]
    ) -> tuple[list[Change], list[Change]]:
        """Make the canaries' changes; who else is there is the rest.

        A canary that is gone or impaired says nothing about the others, so the next in line takes
        its place. A resumed run comes to the same ones, because what was skipped stays skipped.
        """
        first = [c for c in in_place if c.id in wave.canaries]
        rest = [c for c in in_place if c.id not in wave.canaries]
        wanted = len(first)
        self._mark_settled(f"{wave.name}: canaries", in_place)
        todo = first
        while todo:
            if self._batch(todo, canaries=True):
                raise Stopped(f"a canary of {wave.name} could not be changed")
            skipped = sum(self._ledger.change(c.id).state == "skipped" for c in first)
            todo = rest[: max(0, wanted - len(first) + skipped)]
            first, rest = [*first, *todo], rest[len(todo) :]
        return first, rest

    def _mark_settled(self, gate: str, changes: Sequence[Change]) -> None:
        """What had passed its gate before a restart was seen carried out then."""
        self._settled.update(c.id for c in self._applied(changes) if self._passed(gate, [c]))

    def _one(self, change: Change) -> bool:
        before = self._ledger.change(change.id).state
        return self._finish(change, before, self._performer.make(change))

    def _made(self, before: Mapping[str, ChangeState], change: Change) -> bool:
        """The same for a change that was made already, from the states before."""
        return self._finish(change, before[change.id], self._ledger.change(change.id))

    def _finish(self, change: Change, before: ChangeState, progress: ChangeProgress) -> bool:
        """Wait until AWS has carried out what was made; whether all is well with it."""
        if progress.state == "in-doubt":
            raise Stopped(f"{change.id}: AWS gave no answer; resume to look again")
        if progress.state == "rolled-back" and before == "applied":
            # It was being taken back when the run was killed; that is where the run has to stop.
            raise Stopped(f"{change.resource} was taken back: {progress.detail}")
        if progress.state != "applied":
            return progress.state in ("skipped", "rolled-back")
        settled = handlers()[change.kind].settle(change, self._site, undoing=False)
        if settled.ok:
            self._settled.add(change.id)
            return True
        if settled.taken_back:
            self._ledger.write(
                self._site.run,
                "undone",
                change.id,
                {"detail": settled.detail, "gate": settled.detail},
            )
            return False
        if settled.take_back:
            back = self._performer.take_back(change, why=settled.detail)
            if back.state == "rolled-back":
                return False
            raise Stopped(f"{change.resource}: {settled.detail}; not taken back: {back.detail}")
        # AWS accepted it, so it stays applied, and a rollback will take it back.
        raise Stopped(f"{change.resource}: {settled.detail}")

    def _batch(self, changes: Sequence[Change], *, canaries: bool = False) -> int:
        """Make changes at the same time, and say how many failed; impaired ones are left alone."""
        self._skip_impaired(changes)
        todo = [c for c in changes if self._is_open(c)]
        if not todo:
            return 0
        make: Callable[[Change], bool] = self._one
        if self._runbooks is not None and self._runbooks.used:
            before = {c.id: self._ledger.change(c.id).state for c in todo}
            self._runbooks.make(todo, canaries=canaries)
            make = partial(self._made, before)
        workers = min(_MOST_AT_A_TIME, len(todo))
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="apply")
        try:
            outcomes = list(pool.map(make, todo))
        except BaseException:
            # Whatever is under way ends and is journaled; nothing new is begun.
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        pool.shutdown(wait=True)
        return outcomes.count(False)

    def _is_open(self, change: Change) -> bool:
        progress = self._ledger.change(change.id)
        if progress.state == "applied":
            return progress.undoing or change.id not in self._settled
        return progress.state in _UNFINISHED

    def _skip_impaired(self, changes: Sequence[Change]) -> None:
        """A change of an impaired instance could not be judged afterwards, so it is not made."""
        by_cell: dict[tuple[str, str], list[Change]] = {}
        for change in changes:
            if self._ledger.change(change.id).state == "pending":
                by_cell.setdefault(change.cell, []).append(change)
        for members in by_cell.values():
            cell = members[0].cell
            found = unhealthy(cell, [c.resource for c in members], self._site)
            if isinstance(found, Unreadable):
                raise Stopped(f"status checks of {cell} could not be read: {found.why}")
            for change in members:
                if why := found.get(change.resource):
                    detail = f"{why} before the change; left alone"
                    data = {"detail": detail, "left": True}
                    self._ledger.write(self._site.run, "skipped", change.id, data)

    def _gate(self, name: str, changes: Sequence[Change], soak_seconds: float) -> None:
        """Wait out the soak and look several times; failing instances are rolled back at once."""
        applied = self._applied(changes)
        if not applied or self._passed(name, applied):
            return
        run = self._site.run
        gate = self._ledger.progress.gates.get(name)
        if gate is not None:
            # A restart: what went wrong while nobody looked is seen before the wait goes on.
            self._check(name, changes)
        if gate is None or gate.state != "waiting" or not self._covers(gate, applied):
            self._ledger.write(run, "gate-waiting", name, {"soak_seconds": soak_seconds})
            gate = self._ledger.progress.gates[name]
        since = gate.since or self._site.clock.now()
        end = since + timedelta(seconds=soak_seconds)
        step: float = _FIRST_LOOK_SECONDS
        while (left := (end - self._site.clock.now()).total_seconds()) > 0:
            self._site.clock.sleep(min(step, left))
            self._check(name, changes)
            step = min(2 * step, _LONGEST_STEP_SECONDS)
        self._check(name, changes)
        self._ledger.write(
            run, "gate-passed", name, {"detail": f"{len(self._applied(changes))} healthy"}
        )

    def _passed(self, name: str, applied: Sequence[Change]) -> bool:
        """Whether the gate passed, and with all of these: a resumed run may have added some."""
        gate = self._ledger.progress.gates.get(name)
        return gate is not None and gate.state == "passed" and self._covers(gate, applied)

    def _covers(self, gate: GateProgress, applied: Sequence[Change]) -> bool:
        return gate.since is not None and all(self._since(c) <= gate.since for c in applied)

    def _applied(self, changes: Sequence[Change]) -> list[Change]:
        return [c for c in changes if self._ledger.change(c.id).state == "applied"]

    def _check(self, name: str, changes: Sequence[Change]) -> None:
        """Look once; roll back what fails, and stop."""
        applied = self._applied(changes)
        since = {c.resource: self._since(c) for c in applied}
        bad = failing(applied, self._site, since)
        run = self._site.run
        if isinstance(bad, Unreadable):
            detail = f"the gate could not be read ({bad.what}): {bad.why}"
            self._ledger.write(run, "gate-failed", name, {"detail": detail})
            raise Stopped(detail)
        if not bad:
            return
        detail = "; ".join(f"{who}: {why}" for who, why in sorted(bad.items()))
        self._ledger.write(run, "gate-failed", name, {"detail": detail})
        back = [change for change in applied if change.resource in bad]
        if self._runbooks is not None and self._runbooks.used:
            self._runbooks.take_back(back, {c.id: bad[c.resource] for c in back})
        else:
            for change in back:
                self._performer.take_back(change, why=bad[change.resource])
        raise Stopped(f"{name}: {detail}")

    def _since(self, change: Change) -> datetime:
        return self._ledger.change(change.id).applied_at or self._site.clock.now()


_UNFINISHED = ("pending", "in-doubt", "failed")


def _batches(changes: Sequence[Change], size: int) -> Iterator[Sequence[Change]]:
    for start in range(0, len(changes), max(1, size)):
        yield changes[start : start + max(1, size)]
