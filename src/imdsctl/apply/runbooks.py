"""Instances' options changed and taken back by executions of a Systems Manager runbook.

The changes of a batch that a runbook can make are grouped by its parameters, one execution a group;
what no runbook can make goes through the EC2 API as ever. The intents are in the journal, with the
execution's client token, before it is started, and what became of each change after it has ended,
once the live instance was looked at.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from msgspec import structs

from imdsctl.apply.handler import Look, Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.orders import Job, orders_for, progress_of, targets_of, why_of
from imdsctl.apply.perform import Performer
from imdsctl.apply.stopped import Stopped
from imdsctl.model.automation import CONFIGURE, Document, Execution, Order, Via, unfit
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.plan import Change
from imdsctl.model.run import ChangeProgress
from imdsctl.ports import Automation, Done, Refused, Throttled, Unanswered

T = TypeVar("T")
Tell = Callable[[str], None]

_OPEN: Final = ("pending", "in-doubt", "failed")
_POLL_SECONDS: Final = 10
_PATIENCE: Final = 12
_START_TRIES: Final = 8
_AT_A_TIME: Final = 16
_MOST_ERRORS: Final = "2"
"""As many as may fail in a wave before it stops; of canaries none."""


class Runbooks:
    """Makes and takes back the changes of one run by Automation.

    Args:
        site: the outside world.
        ledger: the run's journal.
        automation: Systems Manager.
        via: which runbook, which role, how many at a time.
        used: whether new changes are made this way; if not, only what is under way is ended.
        tell: is told how far an execution is.
    """

    def __init__(
        self,
        site: Site,
        ledger: Ledger,
        automation: Automation,
        via: Via,
        *,
        used: bool = True,
        tell: Tell = lambda _: None,
    ) -> None:
        self.used = used
        self._site = site
        self._ledger = ledger
        self._automation = automation
        self._via = via
        self._tell = tell
        self._performer = Performer(site, ledger)

    def make(self, changes: Sequence[Change], *, canaries: bool = False) -> None:
        """Bring every change to an end that the journal knows.

        Raises:
            Stopped: AWS does not say what became of an execution.
            KeyboardInterrupt: after what was under way was cancelled and journaled.
        """
        # Somebody began to take it back and was killed on the way: half is no state to leave.
        halfway = [c for c in changes if self._ledger.change(c.id).undoing]
        self.take_back(halfway, {c.id: self._performer.why_undone(c) for c in halfway})
        todo = [c for c in changes if self._ledger.change(c.id).state in _OPEN]
        beyond = {c.id: unfit(c, self._via.document, undoing=False) for c in todo}
        _together(
            lambda c: self._performer.make(c, _by_ec2(beyond[c.id])),
            [c for c in todo if beyond[c.id]],
        )
        fitting = [c for c in todo if not beyond[c.id]]
        looks = _together(self._performer.ahead, fitting)
        open_ones = {
            c.id: look for c, look in zip(fitting, looks, strict=True) if isinstance(look, Look)
        }
        errors = self._via.max_errors or ("0" if canaries else _MOST_ERRORS)
        self._run(
            [c for c in fitting if c.id in open_ones],
            open_ones,
            self._via.document,
            errors,
            undoing=False,
        )

    def take_back(self, changes: Sequence[Change], why: Mapping[str, str]) -> None:
        """Restore what changes changed; `why` is what a gate found, by the change's id.

        Raises:
            Stopped: AWS does not say what became of an execution.
            KeyboardInterrupt: after what was under way was cancelled and journaled.
        """
        beyond = {c.id: unfit(c, CONFIGURE, undoing=True) for c in changes}
        fitting = [c for c in changes if not beyond[c.id]]
        seen = zip(fitting, _together(self._performer.look, fitting), strict=True)
        looks = {change.id: look for change, look in seen if look.state == "after"}
        for change in changes:
            if change.id not in looks:
                self._performer.take_back(
                    change, why.get(change.id, ""), _by_ec2(beyond[change.id])
                )
        self._run(
            [c for c in changes if c.id in looks],
            looks,
            CONFIGURE,
            # What a gate found is restored whatever happens to the others.
            "100%" if any(why.values()) else self._via.max_errors or "100%",
            undoing=True,
            why=why,
        )

    def take_up(self, changes: Sequence[Change], *, cancel: bool = False) -> None:
        """Follow to their end the executions that a run left under way when it was killed.

        Where none is found the changes stay in doubt, and the instances decide.

        Raises:
            Stopped: AWS does not say what became of an execution.
            KeyboardInterrupt: after what was under way was cancelled and journaled.
        """
        groups: dict[str, list[Change]] = defaultdict(list)
        for change in changes:
            mine = self._ledger.change(change.id)
            if mine.order and (mine.state == "in-doubt" or mine.undoing):
                groups[str(mine.order["token"])].append(change)
        jobs = []
        for token, group in groups.items():
            mine = self._ledger.change(group[0].id)
            known = self._ledger.progress.executions.get(token)
            job = self._job(group, mine)
            if known is not None:
                job.id, job.cell = known.id, Cell(known.account, known.region)
            elif not self._found(job):
                continue
            self._say(job, "taken up again")
            jobs.append(job)
        if cancel:
            self._stop(jobs)
        else:
            self._follow(jobs)

    # --- making an order -----------------------------------------------------------------------
    def _run(
        self,
        changes: Sequence[Change],
        looks: Mapping[str, Look],
        document: Document,
        errors: str,
        *,
        undoing: bool,
        why: Mapping[str, str] | None = None,
    ) -> None:
        attempts = {c.id: self._ledger.change(c.id).attempts for c in changes}
        now, run = self._site.clock.now(), self._site.run
        jobs = [
            Job(
                order=order,
                changes=group,
                since=now,
                undoing=undoing,
                why={c.id: (why or {}).get(c.id, "") for c in group},
            )
            for order, group in orders_for(
                changes, attempts, run, document, self._via, errors, undoing=undoing
            )
        ]
        try:
            for job in jobs:
                self._intend(job, looks)
                self._start(job)
                if undoing:
                    # A batch is small; a rollback can be the whole fleet, and goes piece by piece.
                    self._follow_all([job])
            self._follow_all(jobs)
        except KeyboardInterrupt:
            self._interrupted(jobs)
            raise

    def _intend(self, job: Job, looks: Mapping[str, Look]) -> None:
        kept = structs.asdict(job.order)
        kept.pop("targets")
        for change in job.changes:
            data: dict[str, Any] = {"live": looks[change.id].live, "order": kept}
            if job.why.get(change.id):
                data["gate"] = job.why[change.id]
            event: Any = "undo-intent" if job.undoing else "intent"
            self._ledger.write(self._site.run, event, change.id, data)

    def _job(self, changes: list[Change], mine: ChangeProgress) -> Job:
        """An execution as the intents tell of it."""
        ids = {c.id for c in changes}
        entries = [e for e in self._ledger.entries(self._site.run) if e.subject in ids]
        intents = [e for e in entries if e.event in ("intent", "undo-intent")]
        return Job(
            order=Order(targets=targets_of(changes), **mine.order),
            changes=changes,
            since=min((e.at for e in intents[-len(ids) :]), default=self._site.clock.now()),
            undoing=mine.undoing,
            why={c.id: self._performer.why_undone(c) for c in changes} if mine.undoing else {},
        )

    # --- starting and following ----------------------------------------------------------------
    def _start(self, job: Job) -> None:
        """Start it once: the client token, and a look for it, stand against a second one."""
        said: Throttled | Unanswered = Unanswered("never asked")
        for attempt in range(1, _START_TRIES + 1):
            outcome = self._automation.start(job.order)
            if isinstance(outcome, Done):
                self._started(
                    job,
                    outcome.result["execution"],
                    Cell(outcome.result["account"], outcome.result["region"]),
                )
                return
            if isinstance(outcome, Refused):
                self._conclude_all(job, f"{outcome.code}: {outcome.message}")
                return
            said = outcome
            self._site.clock.sleep(2.0**attempt)
            if isinstance(said, Unanswered) and self._found(job):
                return
        if isinstance(said, Unanswered):
            raise Stopped(f"Systems Manager gave no answer, resume to look again: {said.message}")
        self._conclude_all(job, f"throttled: {said.message}")

    def _found(self, job: Job) -> bool:
        known = {e.id for e in self._ledger.progress.executions.values()}
        found = self._automation.find(job.order, job.since, known)
        if isinstance(found, Unreadable):
            raise Stopped(f"executions in {found.account} {found.region}: {found.why}")
        if found is None:
            return False
        self._started(job, found.id, found.cell)
        return True

    def _started(self, job: Job, execution: str, cell: Cell) -> None:
        job.id, job.cell = execution, cell
        self._ledger.write(
            self._site.run,
            "execution-started",
            job.order.token,
            {
                "id": execution,
                "account": cell.account,
                "region": cell.region,
                "document": job.order.document,
                "parameters": job.order.parameters,
                "changes": [c.id for c in job.changes],
                "undoing": job.undoing,
            },
        )

    def _follow(self, jobs: Sequence[Job]) -> None:
        try:
            self._follow_all(jobs)
        except KeyboardInterrupt:
            self._interrupted(jobs)
            raise

    def _interrupted(self, jobs: Sequence[Job]) -> None:
        """Cancel what is under way; what cannot be told stays in doubt, for a resume."""
        try:
            self._stop(jobs)
        except Stopped as problem:
            self._tell(str(problem))

    def _follow_all(self, jobs: Sequence[Job]) -> None:
        """Look until each has ended, and journal what became of its changes."""
        while running := [job for job in jobs if not job.done]:
            for job in running:
                assert job.cell is not None
                seen = self._automation.watch(job.cell, job.id, job.order)
                if isinstance(seen, Unreadable):
                    job.misses += 1
                    if job.misses >= _PATIENCE:
                        raise Stopped(
                            f"execution {job.id} in {job.cell} cannot be read: {seen.why}"
                        )
                    continue
                job.misses = 0
                self._say(job, progress_of(job, seen))
                if seen.over:
                    self._conclude(job, seen)
            if any(not job.done for job in jobs):
                self._site.clock.sleep(_POLL_SECONDS)

    def _stop(self, jobs: Sequence[Job]) -> None:
        """Cancel what is under way, and wait for its end."""
        started = [job for job in jobs if not job.done and (job.id or self._is_there(job))]
        for job in started:
            assert job.cell is not None
            self._say(job, "cancelling")
            outcome = self._automation.stop(job.cell, job.id)
            if isinstance(outcome, Refused):
                self._say(job, f"cannot be cancelled ({outcome.code}); it is followed to its end")
        self._follow_all(started)

    def _is_there(self, job: Job) -> bool:
        """Whether a start whose answer nobody waited for got through."""
        intended = any(self._ledger.change(c.id).order for c in job.changes)
        return intended and self._found(job)

    # --- what became of it ---------------------------------------------------------------------
    def _conclude(self, job: Job, seen: Execution) -> None:
        looks = _together(self._performer.look, job.changes)
        unread = [look for look in looks if look.state == "unreadable"]
        if unread:
            raise Stopped(f"what execution {job.id} changed cannot be read: {unread[0].detail}")
        for change, look in zip(job.changes, looks, strict=True):
            why = why_of(seen, seen.targets.get(change.resource))
            if job.undoing:
                self._restored(change, look, why, job.why.get(change.id, ""))
            else:
                self._made(change, look, why, job)
        job.done = True
        self._ledger.write(
            self._site.run, "execution-ended", job.order.token, {"status": seen.status}
        )

    def _conclude_all(self, job: Job, problem: str) -> None:
        """It was never started."""
        event: Any = "undo-failed" if job.undoing else "failed"
        for change in job.changes:
            self._ledger.write(self._site.run, event, change.id, {"detail": problem})
        job.done = True

    def _made(self, change: Change, look: Look, why: str, job: Job) -> None:
        run, result = self._site.run, {"execution": job.id}
        if look.state == "after":
            detail = f"as planned all the same: {why}" if why else ""
            data = {"result": result, **({"detail": detail} if detail else {})}
            self._ledger.write(run, "applied", change.id, data)
        elif look.state == "gone":
            self._ledger.write(run, "skipped", change.id, {"detail": look.detail})
        else:
            detail = why or look.detail or "the runbook succeeded, and the instance is as before"
            self._ledger.write(run, "failed", change.id, {"detail": detail})

    def _restored(self, change: Change, look: Look, why: str, gate: str) -> None:
        if look.state in ("before", "gone"):
            detail = gate or ("" if look.state == "before" else look.detail)
            self._performer.taken_back(
                change, moving=look.state == "before", why=gate, detail=detail
            )
        else:
            detail = why or look.detail or "the runbook succeeded, and the instance is as it was"
            self._ledger.write(self._site.run, "undo-failed", change.id, {"detail": detail})

    def _say(self, job: Job, what: str) -> None:
        if what != job.told:
            job.told = what
            self._tell(f"{what}  {job.id}")


def _by_ec2(why: str) -> str:
    return f"through the EC2 API: {why}" if why else ""


def _together(what: Callable[[Change], T], changes: Sequence[Change]) -> list[T]:
    """Do something with each of several changes at the same time."""
    if not changes:
        return []
    workers = min(_AT_A_TIME, len(changes))
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="runbooks")
    try:
        found = list(pool.map(what, changes))
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True)
    return found
