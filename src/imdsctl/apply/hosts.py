"""A look at instances from themselves: the probe, sent by Run Command, and what it answers.

The probe makes one request without a token, which CloudWatch counts like anybody's. So the journal
says before a command is sent to whom it goes, and afterwards what came back of each; whoever reads
the metrics leaves out these calls and no others.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from imdsctl.apply.host_targets import Target
from imdsctl.judge.host import notes, problems
from imdsctl.model.evidence import Cell, Instance, Unreadable
from imdsctl.model.host import HostLook, read_answer
from imdsctl.ports import (
    Clock,
    Done,
    Fleet,
    HostOutput,
    Hosts,
    Journal,
    Managed,
    Refused,
    Throttled,
)

SECONDS: Final = 120
"""How long a probe may take, and how long it may take to get to its host."""

_BATCH: Final = 50
_TRIES: Final = 6
_STEPS: Final = (2.0, 3.0, 5.0, 5.0, 10.0)
_USED_WRONGLY: Final = 2
_FIRST_V2_AGENT: Final = (2, 3, 814, 0)

Key = tuple[Cell, str]


@dataclass(slots=True)
class _Sent:
    """A command under way: to whom, since when, and what is still to come."""

    cell: Cell
    command: str
    note: str
    at: datetime
    left: dict[str, Target]
    journal: dict[str, dict[str, Any]] = field(default_factory=dict)
    unread: str = ""


class HostLooker:
    """Looks at the hosts of one run.

    Args:
        hosts: Run Command.
        fleet: EC2, for what the instances are now.
        clock: the time, and the waiting.
        journal: where every probe is noted, before and after.
        run: the run whose changes are looked at.
        script: the probe.
    """

    def __init__(
        self, hosts: Hosts, fleet: Fleet, clock: Clock, journal: Journal, run: str, script: str
    ) -> None:
        self._hosts = hosts
        self._fleet = fleet
        self._clock = clock
        self._journal = journal
        self._run = run
        self._script = script
        self._number = itertools.count(1)
        self._instances: dict[Key, Instance] = {}
        self._looks: dict[Key, HostLook] = {}

    def look(self, targets: Sequence[Target]) -> dict[Key, HostLook]:
        """Look at each target; who could not be looked at is in the answer, with why."""
        by_cell: dict[Cell, list[Target]] = defaultdict(list)
        for target in targets:
            by_cell[target.cell].append(target)
        under_way: list[_Sent] = []
        for cell, members in by_cell.items():
            ready = self._reachable(cell, members)
            for start in range(0, len(ready), _BATCH):
                under_way += self._send(cell, ready[start : start + _BATCH])
        self._await(under_way)
        return self._looks

    def _not(self, target: Target, why: str) -> None:
        look = HostLook(instance=target.instance, state="not-looked-at", why=why)
        self._looks[target.cell, target.instance] = look

    def _reachable(self, cell: Cell, targets: Sequence[Target]) -> list[Target]:
        """Those that a script can be sent to; why not is noted of the others."""
        ids = [target.instance for target in targets]
        instances = self._fleet.instances_by_id(cell, ids)
        managed = instances if isinstance(instances, Unreadable) else self._hosts.managed(cell, ids)
        if isinstance(instances, Unreadable) or isinstance(managed, Unreadable):
            for target in targets:
                assert isinstance(managed, Unreadable)
                self._not(target, f"not read: {managed.why}")
            return []
        ready = []
        for target in targets:
            instance = instances.get(target.instance)
            if instance is None or instance.state in ("terminated", "shutting-down"):
                gone = HostLook(instance=target.instance, state="gone", why="the instance is gone")
                self._looks[cell, target.instance] = gone
                continue
            if why := _why_not(instance, managed.get(target.instance)):
                self._not(target, why)
                continue
            self._instances[cell, target.instance] = instance
            ready.append(target)
        return ready

    def _send(self, cell: Cell, targets: Sequence[Target]) -> list[_Sent]:
        """Send the probe to up to 50 hosts; the journal knows before AWS does."""
        left = {target.instance: target for target in targets}
        throttled = 0
        note = self._announce(cell, left)
        while left:
            at = self._clock.now()
            outcome = self._hosts.send(cell, list(left), self._script, seconds=SECONDS, note=note)
            if isinstance(outcome, Done):
                return [_Sent(cell, str(outcome.result["command"]), note, at, left)]
            if isinstance(outcome, Throttled):
                throttled += 1
                if throttled < _TRIES:
                    self._clock.sleep(2.0**throttled)
                    continue
                self._give_up(cell, note, left, f"throttled: {outcome.code}: {outcome.message}")
                return []
            if isinstance(outcome, Refused):
                gone = [one for one in left if one in outcome.message]
                invalid = outcome.code == "InvalidInstanceId" and gone
                refused = {one: left[one] for one in gone} if invalid else left
                why = f"SendCommand refused: {outcome.code}: {outcome.message}"
                self._give_up(cell, note, left, why, only=refused)
                left = {one: left[one] for one in left if one not in refused}
                note = self._announce(cell, left) if left else note
                continue
            command = self._find(cell, note, at)
            if command is not None:
                return [_Sent(cell, command, note, at, left)]
            # It may run all the same: the journal keeps it open, as one call at most.
            for target in left.values():
                self._not(target, f"SendCommand got no answer: {outcome.message}")
            return []
        return []

    def _announce(self, cell: Cell, targets: dict[str, Target]) -> str:
        """Write down to whom the next command goes, and return its mark."""
        note = f"imdsctl {self._run} {self._clock.now():%H%M%S%f}-{next(self._number)}"
        data = {
            "note": note,
            "account": cell.account,
            "region": cell.region,
            "hosts": list(targets),
            "seconds": 2 * SECONDS,
        }
        self._journal.write(self._run, "probing", cell.region, data)
        return note

    def _give_up(
        self,
        cell: Cell,
        note: str,
        announced: dict[str, Target],
        why: str,
        *,
        only: dict[str, Target] | None = None,
    ) -> None:
        """Nothing was sent under this mark: no host was asked anything."""
        for target in (announced if only is None else only).values():
            self._not(target, why)
        hosts = {instance: {"called": False} for instance in announced}
        data = {"note": note, "command": None, "hosts": hosts}
        self._journal.write(self._run, "probed", cell.region, data)

    def _find(self, cell: Cell, note: str, since: datetime) -> str | None:
        """The command that was sent though its answer was lost."""
        for seconds in _STEPS:
            self._clock.sleep(seconds)
            found = self._hosts.sent(cell, note, since - timedelta(minutes=1))
            if isinstance(found, str):
                return found
        return None

    def _await(self, under_way: list[_Sent]) -> None:
        """Collect until all have ended or none can be expected to any more."""
        steps = itertools.chain(_STEPS, itertools.repeat(_STEPS[-1]))
        while under_way:
            self._clock.sleep(next(steps))
            now = self._clock.now()
            for sent in list(under_way):
                found = self._hosts.collect(sent.cell, sent.command, list(sent.left))
                if isinstance(found, Unreadable):
                    sent.unread = found.why
                else:
                    sent.unread = ""
                    for instance, output in found.items():
                        self._take(sent, sent.left.pop(instance), output)
                if not sent.left or (now - sent.at).total_seconds() > 2 * SECONDS:
                    self._close(sent)
                    under_way.remove(sent)

    def _take(self, sent: _Sent, target: Target, output: HostOutput) -> None:
        """Read one host's answer, and judge it."""
        now = self._clock.now()
        first = min(max(output.started_at or sent.at, sent.at), now)
        last = min(max(output.ended_at or now, first), now)
        answer = read_answer(output.text)
        told: dict[str, Any] = {
            "called": answer is None and output.code != -1,
            "refused": None,
            "first": first.isoformat(),
            "last": last.isoformat(),
        }
        if answer is None:
            never = output.code == -1 and output.started_at is None
            told["called"] = not never
            self._not(target, f"{_unread(output)} (Run Command {sent.command})")
        else:
            told["called"] = answer.refused is not None
            told["refused"] = answer.refused
            told["answer"] = msgspec.to_builtins(answer)
            instance = self._instances[target.cell, target.instance]
            wrong = problems(answer, instance, target.http_tokens)
            self._looks[target.cell, target.instance] = HostLook(
                instance=target.instance,
                state="bad" if wrong else "good",
                problems=wrong,
                notes=notes(answer, instance),
                answer=answer,
                probed_at=last,
            )
        sent.journal[target.instance] = told

    def _close(self, sent: _Sent) -> None:
        """Note what came back, and of whom nothing did: he may have been asked or not."""
        now = self._clock.now()
        for instance, target in sent.left.items():
            why = f"not read: {sent.unread}" if sent.unread else "no answer in time"
            self._not(target, f"{why} (Run Command {sent.command})")
            sent.journal[instance] = {
                "called": True,
                "refused": None,
                "first": sent.at.isoformat(),
                "last": (now + timedelta(seconds=SECONDS)).isoformat(),
            }
        data = {"note": sent.note, "command": sent.command, "hosts": sent.journal}
        self._journal.write(self._run, "probed", sent.cell.region, data)


def _why_not(instance: Instance, managed: Managed | None) -> str:
    """Why no script can be sent to an instance; empty where one can."""
    if instance.state != "running":
        return f"the instance is {instance.state}"
    if managed is None:
        return "not managed by Systems Manager"
    if managed.platform != "Linux":
        return f"{managed.platform or 'its platform'}: the probe is a script for Linux"
    if managed.ping != "Online":
        agent = f"SSM Agent {managed.agent} is not connected ({managed.ping})"
        if instance.options.http_endpoint == "disabled":
            return f"{agent}: the metadata service is off, which it needs"
        if instance.options.http_tokens == "required" and _is_old(managed.agent):
            return f"{agent}: before 2.3.814.0 it knows no IMDSv2, and tokens are required"
        return agent
    return ""


def _is_old(version: str) -> bool:
    parts = version.split(".")
    return all(p.isdecimal() for p in parts) and tuple(map(int, parts)) < _FIRST_V2_AGENT


def _unread(output: HostOutput) -> str:
    if output.code == _USED_WRONGLY:
        return "the probe cannot run there: neither curl, GNU wget nor bash"
    if output.code == -1:
        return f"the probe did not run to its end: {output.status}"
    return f"what came back is not the probe's answer (exit code {output.code})"
