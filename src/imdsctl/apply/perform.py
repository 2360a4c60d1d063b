"""One change made or taken back: look, write the intent, call once, look again if unanswered."""

from collections.abc import Callable

from imdsctl.apply.handler import Handler, Look, Site, handlers
from imdsctl.model.plan import Change
from imdsctl.model.run import ChangeProgress, Event
from imdsctl.ports import Done, Journal, Outcome, Refused, Throttled

_THROTTLE_TRIES = 8
_UNANSWERED_TRIES = 4
_LOOK_AGAIN_SECONDS = 3
NO_WAY_BACK = "stands: it cannot be taken back"


class Performer:
    """Makes and takes back changes so that a kill at any instant leaves nothing unknown.

    The intent is durable before the call and the outcome after it. Where the outcome is missing,
    the live resource decides; a call is repeated only after the resource has shown that the first
    one was not carried out.
    """

    def __init__(self, site: Site, journal: Journal) -> None:
        self._site = site
        self._journal = journal

    def make(self, change: Change, note: str = "") -> ChangeProgress:
        """Bring one change to an end, from wherever the journal left it.

        `note` is said of it once it is made.
        """
        if self._site.progress(change.id).undoing:
            # Somebody began to take it back and was killed on the way: half is no state to leave.
            return self.take_back(change, why=self.why_undone(change), note=note)
        look = self.ahead(change)
        if isinstance(look, ChangeProgress):
            return look
        self._write(change, "intent", live=look.live)
        return self._call(handlers()[change.kind], change, note)

    def ahead(self, change: Change) -> Look | ChangeProgress:
        """The look at a resource that is still to be changed; where nothing is to do, how it is."""
        progress = self._site.progress(change.id)
        if progress.state in ("applied", "skipped", "rolled-back"):
            return progress
        for need in change.needs:
            if not self.is_there(need):
                return self._without(change, need)
        look = self.look(change)
        if look.state == "after":
            if progress.state == "in-doubt":
                return self._write(
                    change, "applied", result=look.result, detail="found applied after a restart"
                )
            return self._write(change, "skipped", detail="already so", result=look.result)
        if look.state == "gone":
            return self._write(change, "skipped", detail=look.detail)
        if look.state != "before":
            return self._write(change, "failed", detail=look.detail)
        return look

    def look(self, change: Change) -> Look:
        """What the live resource says of a change, asked again where it could not be read."""
        return self._look(handlers()[change.kind], change)

    def _without(self, change: Change, need: str) -> ChangeProgress:
        """A change whose need is not there: pointless for good, or only for now."""
        needed = self._site.made(need)
        state = needed.state
        if state in ("skipped", "rolled-back"):
            left = needed.left or state == "rolled-back"
            detail = f"needs {need}, which is {state}"
            return self._write(change, "skipped", detail=detail, left=left)
        return self._write(change, "failed", detail=f"needs {need}, which is not applied")

    def is_there(self, change_id: str) -> bool:
        """Whether a change stands that others build on, made by this run or found made."""
        progress = self._site.made(change_id)
        return progress.state == "applied" or (
            progress.state == "skipped" and progress.detail == "already so"
        )

    def _call(self, handler: Handler, change: Change, note: str) -> ChangeProgress:
        throttled = unanswered = 0
        while True:
            outcome = handler.make(change, self._site)
            if isinstance(outcome, Done):
                return self._write(change, "applied", result=outcome.result, detail=note)
            if isinstance(outcome, Refused):
                # An earlier call of ours may have arrived late: then AWS refuses the second one.
                look = self._look(handler, change)
                if look.state == "after":
                    return self._write(
                        change, "applied", result=look.result, detail="an earlier call got through"
                    )
                return self._write(change, "failed", detail=f"{outcome.code}: {outcome.message}")
            if isinstance(outcome, Throttled):
                throttled += 1
                if throttled > _THROTTLE_TRIES:
                    return self._write(change, "failed", detail=f"throttled: {outcome.message}")
                self._site.clock.sleep(2.0**throttled)
                continue
            unanswered += 1
            self._site.clock.sleep(_LOOK_AGAIN_SECONDS * unanswered)
            look = self._look(handler, change)
            if look.state == "after":
                return self._write(
                    change, "applied", result=look.result, detail="the answer was lost"
                )
            if look.state in ("drifted", "gone") or unanswered >= _UNANSWERED_TRIES:
                # No outcome is written: the change stays in doubt, and a resume looks again.
                return self._site.progress(change.id)

    def take_back(self, change: Change, why: str = "", note: str = "") -> ChangeProgress:
        """Restore what one change changed, if it is still as the change left it.

        `why` is the gate's finding, if a gate asked for it; it is kept as evidence. `note` is said
        of the call, if one is made.
        """
        progress = self._site.progress(change.id)
        handler = handlers()[change.kind]
        if change.inverse is None:
            return self._write(change, "undo-failed", detail=NO_WAY_BACK)
        look = self._look(handler, change)
        detail = why
        if look.state == "gone":
            return self._write(change, "undone", detail=look.detail, gate=why)
        if look.state == "before":
            detail = "was never made" if progress.state == "in-doubt" else "already as before"
        elif look.state != "after" and not look.partial:
            return self._write(change, "undo-failed", detail=f"left alone: {look.detail}")
        else:
            self._write(change, "undo-intent", live=look.live, gate=why)
            outcome = self._insist(handler, change, lambda: handler.undo(change, self._site))
            if problem := _problem(outcome):
                return self._write(change, "undo-failed", detail=problem)
            detail = "; ".join(filter(None, (why, note)))
        return self.taken_back(
            change,
            moving=look.state == "after" or look.moving or look.partial,
            why=why,
            detail=detail,
        )

    def taken_back(
        self, change: Change, *, moving: bool, why: str = "", detail: str = ""
    ) -> ChangeProgress:
        """Finish what was taken back: wait while it is `moving`, and clear what is left over."""
        handler = handlers()[change.kind]
        if moving:
            settled = handler.settle(change, self._site, undoing=True)
            if not settled.ok:
                return self._write(change, "undo-failed", detail=settled.detail)
            detail = detail or settled.detail
        outcome = self._insist(None, change, lambda: handler.clear(change, self._site))
        if problem := _problem(outcome):
            return self._write(change, "undo-failed", detail=f"restored, but not clean: {problem}")
        return self._write(change, "undone", detail=detail, gate=why)

    def why_undone(self, change: Change) -> str:
        """What the gate found, where a gate began to take the change back."""
        intents = [
            entry
            for entry in self._journal.entries(self._site.run)
            if entry.subject == change.id and entry.event == "undo-intent"
        ]
        return str(intents[-1].data.get("gate", "")) if intents else ""

    def _insist(
        self, handler: Handler | None, change: Change, call: Callable[[], Outcome]
    ) -> Outcome:
        """Make a call that may be repeated until AWS has answered it one way or the other."""
        outcome: Outcome = Done()
        for attempt in range(1, _THROTTLE_TRIES + 1):
            outcome = call()
            if isinstance(outcome, Done | Refused):
                return outcome
            self._site.clock.sleep(2.0**attempt)
            if handler is not None and self._look(handler, change).state == "before":
                return Done()
        return outcome

    def _look(self, handler: Handler, change: Change) -> Look:
        look = handler.look(change, self._site)
        tries = 0
        while look.state == "unreadable" and tries < _UNANSWERED_TRIES:
            tries += 1
            self._site.clock.sleep(_LOOK_AGAIN_SECONDS * tries)
            look = handler.look(change, self._site)
        return look

    def _write(self, change: Change, event: Event, **data: object) -> ChangeProgress:
        kept = {key: value for key, value in data.items() if value}
        self._journal.write(self._site.run, event, change.id, kept)
        return self._site.progress(change.id)


def _problem(outcome: Outcome) -> str:
    if isinstance(outcome, Refused):
        return f"{outcome.code}: {outcome.message}"
    return "" if isinstance(outcome, Done) else outcome.message
