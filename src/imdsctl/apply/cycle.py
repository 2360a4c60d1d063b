"""The wait between a raised hop limit and required tokens: a full agent cycle without a v1 call."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from imdsctl.apply.gates import unhealthy
from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.perform import Performer
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.plan import Change
from imdsctl.ports import Counted

_PERIOD_SECONDS: Final = 300
_LAG_SECONDS: Final = 900
"""CloudWatch's data points come up to some periods late; sooner than this, silence is none."""
_COVERAGE: Final = 0.9
"""Share of the cycle's periods that must have data: no data is no silence."""
_FIRST_LOOK_SECONDS: Final = 600
_LONGEST_STEP_SECONDS: Final = 3600


class AgentCycle:
    """One gate for each instance, in the journal since when: a restart waits only for the rest.

    Whoever still calls IMDSv1 after its hop limit was raised is taken back at once and leaves the
    others waiting: with tokens optional nothing is cut off, so this is a finding, no accident.
    """

    def __init__(
        self, site: Site, ledger: Ledger, performer: Performer, cycle_seconds: float
    ) -> None:
        self._site = site
        self._ledger = ledger
        self._performer = performer
        self._cycle = timedelta(seconds=cycle_seconds)

    def wait(self, changes: Sequence[Change]) -> str:
        """Wait until each passed or was taken back; what kept it from looking, if anything did."""
        waiting = [c for c in changes if not self._passed(c)]
        for change in waiting:
            gate = self._ledger.progress.gates.get(_name(change))
            if gate is None or gate.since is None or gate.since < self._since(change):
                data = {"soak_seconds": self._cycle.total_seconds()}
                self._ledger.write(self._site.run, "gate-waiting", _name(change), data)
        step: float = _FIRST_LOOK_SECONDS
        while waiting:
            now = self._site.clock.now()
            looked = self._look(waiting, now)
            if isinstance(looked, Unreadable):
                detail = f"the gate could not be read ({looked.what}): {looked.why}"
                for change in waiting:
                    self._ledger.write(
                        self._site.run, "gate-failed", _name(change), {"detail": detail}
                    )
                return f"{_name(waiting[0])}: {detail}"
            waiting = [c for c in waiting if not self._decided(c, looked, now)]
            if waiting:
                left = min((self._end(c) - now).total_seconds() for c in waiting)
                self._site.clock.sleep(max(1.0, min(step, left)))
                step = min(2 * step, _LONGEST_STEP_SECONDS)
        return ""

    def _decided(self, change: Change, looked: dict[str, Counted | str], now: datetime) -> bool:
        """Let a change pass or take it back, if it can be told already."""
        found = looked.get(change.resource)
        hours = self._cycle.total_seconds() / 3600
        if isinstance(found, str):
            return self._fails(change, found)
        if found is not None and found.calls:
            calls = "call" if found.calls == 1 else "calls"
            return self._fails(
                change,
                f"{found.calls:,} IMDSv1 {calls} after the hop limit was raised to "
                f"{change.after['http_put_response_hop_limit']}: the caller speaks IMDSv1 only, "
                "or keeps to it until it is restarted",
            )
        if now < self._end(change):
            return False
        periods = found.periods if found else 0
        wanted = self._cycle.total_seconds() / _PERIOD_SECONDS
        if periods < _COVERAGE * wanted:
            return self._fails(
                change,
                f"data in {periods} of {wanted:.0f} periods of five minutes: no data is no silence",
            )
        # By the time of the look, some periods beyond the cycle may have data, too.
        covered = min(periods, round(wanted))
        detail = f"no IMDSv1 call in {hours:g} h, data in {covered} of {wanted:.0f} periods"
        self._ledger.write(self._site.run, "gate-passed", _name(change), {"detail": detail})
        return True

    def _fails(self, change: Change, why: str) -> bool:
        self._ledger.write(self._site.run, "gate-failed", _name(change), {"detail": why})
        self._performer.take_back(change, why=why)
        return True

    def _look(
        self, changes: Sequence[Change], now: datetime
    ) -> dict[str, Counted | str] | Unreadable:
        """What was counted since each change, or why its status checks fail, by instance."""
        by_cell: dict[Cell, list[Change]] = defaultdict(list)
        for change in changes:
            by_cell[change.cell].append(change)
        found: dict[str, Counted | str] = {}
        for cell, members in by_cell.items():
            since = {c.resource: self._since(c) for c in members}
            counted = self._site.metrics.answered_since(cell, since, now)
            if isinstance(counted, Unreadable):
                return counted
            health = unhealthy(cell, list(since), self._site)
            if isinstance(health, Unreadable):
                return health
            found.update(counted)
            found.update(health)
        return found

    def _passed(self, change: Change) -> bool:
        gate = self._ledger.progress.gates.get(_name(change))
        return gate is not None and gate.state == "passed"

    def _since(self, change: Change) -> datetime:
        """When it was raised: by this run, by an earlier one, or who knows, and then from now."""
        mine, earlier = self._ledger.change(change.id), self._ledger.earlier(change.id)
        made = earlier if earlier is not None and mine.state != "applied" else mine
        return made.applied_at or self._site.clock.now()

    def _end(self, change: Change) -> datetime:
        return self._since(change) + self._cycle + timedelta(seconds=_LAG_SECONDS)


def _name(change: Change) -> str:
    return f"agent cycle of {change.resource}"
