"""One change made or taken back: look, write the intent, call once, look again if unanswered."""

from imdsctl.apply.handler import Handler, Look, Site, handlers
from imdsctl.model.plan import Change
from imdsctl.model.run import ChangeProgress, Event
from imdsctl.ports import Done, Journal, Outcome, Refused, Throttled

_THROTTLE_TRIES = 8
_UNANSWERED_TRIES = 4
_LOOK_AGAIN_SECONDS = 3


class Performer:
    """Makes and takes back changes so that a kill at any instant leaves nothing unknown.

    The intent is durable before the call and the outcome after it. Where the outcome is missing,
    the live resource decides; a call is repeated only after the resource has shown that the first
    one was not carried out.
    """

    def __init__(self, site: Site, journal: Journal) -> None:
        self._site = site
        self._journal = journal

    def make(self, change: Change) -> ChangeProgress:
        """Bring one change to an end, from wherever the journal left it."""
        progress = self._site.progress(change.id)
        if progress.state in ("applied", "skipped", "rolled-back"):
            return progress
        missing = [n for n in change.needs if not self._is_there(n)]
        if missing:
            return self._write(change, "failed", detail=f"needs {missing[0]}, which is not applied")
        handler = handlers()[change.kind]
        in_doubt = progress.state == "in-doubt"
        look = self._look(handler, change)
        if look.state == "after":
            if in_doubt:
                return self._write(
                    change, "applied", result=look.result, detail="found applied after a restart"
                )
            return self._write(change, "skipped", detail="already so", result=look.result)
        if look.state == "gone":
            return self._write(change, "skipped", detail=look.detail)
        if look.state != "before":
            return self._write(change, "failed", detail=look.detail)
        self._write(change, "intent", live=look.live)
        return self._call(handler, change)

    def _is_there(self, change_id: str) -> bool:
        progress = self._site.progress(change_id)
        return progress.state == "applied" or (
            progress.state == "skipped" and progress.detail == "already so"
        )

    def _call(self, handler: Handler, change: Change) -> ChangeProgress:
        throttled = unanswered = 0
        while True:
            outcome = handler.make(change, self._site)
            if isinstance(outcome, Done):
                return self._write(change, "applied", result=outcome.result)
            if isinstance(outcome, Refused):
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

    def take_back(self, change: Change, why: str = "") -> ChangeProgress:
        """Restore what one change changed, if it is still as the change left it.

        `why` is the gate's finding, if a gate asked for it; it is kept as evidence.
        """
        progress = self._site.progress(change.id)
        handler = handlers()[change.kind]
        if change.irreversible:
            return self._write(change, "undo-failed", detail="it cannot be taken back")
        look = self._look(handler, change)
        if look.state == "gone":
            return self._write(change, "undone", detail=look.detail)
        if look.state == "before":
            detail = "was never made" if progress.state == "in-doubt" else "already as before"
            return self._write(change, "undone", detail=detail)
        if look.state != "after":
            return self._write(change, "undo-failed", detail=f"left alone: {look.detail}")
        self._write(change, "undo-intent", live=look.live)
        outcome = self._undo(handler, change)
        if isinstance(outcome, Refused):
            return self._write(change, "undo-failed", detail=f"{outcome.code}: {outcome.message}")
        if not isinstance(outcome, Done):
            return self._write(change, "undo-failed", detail=outcome.message)
        settled = handler.settle(change, self._site, undoing=True)
        if not settled.ok:
            return self._write(change, "undo-failed", detail=settled.detail)
        return self._write(change, "undone", detail=why or settled.detail, gate=why)

    def _undo(self, handler: Handler, change: Change) -> Outcome:
        outcome: Outcome = Done()
        for attempt in range(1, _THROTTLE_TRIES + 1):
            outcome = handler.undo(change, self._site)
            if isinstance(outcome, Done | Refused):
                return outcome
            self._site.clock.sleep(2.0**attempt)
            if self._look(handler, change).state == "before":
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
