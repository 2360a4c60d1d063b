"""Installed software that is too old for IMDSv2: who could call IMDSv1, and what would fail.

What Systems Manager lists, held against the one file of known software (`imdsctl.software`), which
the host audit and the lint use as well. That software is installed is no proof that it calls: the
metric has the last word on that.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from imdsctl.judge.facts import InstanceFacts
from imdsctl.model.evidence import Recorded, Software
from imdsctl.model.policy import Policy
from imdsctl.model.verdict import Confidence
from imdsctl.software import Match
from imdsctl.software.installed import AGENT, agent, installed

_FIRST: Final = "v1-first"
_NEVER: Final = {
    "v1-only": "never asks for a token",
    "v1-by-default": "asks for a token only when told to",
    "broken-v2": "fails with IMDSv2",
}
_SURENESS: Final[dict[str, Confidence]] = {"high": "high", "medium": "medium", "low": "low"}
_SUREST: Final = list(_SURENESS)


class Old(NamedTuple):
    """A package that is too old for IMDSv2, or that asks IMDSv1 first."""

    package: str
    match: Match
    confidence: Confidence

    @property
    def asks_first(self) -> bool:
        """Whether it tries IMDSv1 first and goes on working with IMDSv2."""
        return self.match.behaviour == _FIRST

    @property
    def calls_v1(self) -> bool:
        """Whether its calls are IMDSv1's; what fails with IMDSv2 may ask for it all the same."""
        return self.match.behaviour != "broken-v2"

    @property
    def unsure(self) -> bool:
        """Whether so little is known that it is said, and nothing is concluded."""
        return self.confidence == "low"

    @property
    def is_agent(self) -> bool:
        """Whether it is Systems Manager's own agent."""
        return self.match.software.id == AGENT

    @property
    def named(self) -> str:
        """Its title and version, with the package that the inventory names."""
        title = f"{self.match.software.title} {self.match.version}"
        return title if self.is_agent else f"{title} (package {self.package})"

    @property
    def does(self) -> str:
        """What it does, and since when it no longer does."""
        minimum = self.match.software.minimum
        since = f"IMDSv2 since {minimum}" if minimum else "no version with IMDSv2 is known"
        note = f"; {self.match.range.note}" if self.match.range.note else ""
        how = _NEVER[self.match.behaviour]
        return f"{how} ({since}{note}; {self.confidence} confidence)"

    @property
    def fix(self) -> str:
        """What to do about it, as a sentence."""
        text = self.match.software.fix
        return f"{text[:1].upper()}{text[1:]}."


def fresh_software(
    record: Recorded[Software] | None, now: datetime, policy: Policy
) -> Recorded[Software] | None:
    """What was read, unless that is longer ago than what the policy remembers."""
    if record is None or now - record.observed_at > timedelta(days=policy.judge.remember_days):
        return None
    return record


def old_on(software: Software) -> list[Old]:
    """What is too old there: first what is surest, and what fails before what asks first."""
    found = [
        Old(one.name, match, _confidence(match, sure=one.sure))
        for one in software.packages
        if (match := installed(software.platform, one.name, one.version)) and match.bad
    ]
    match = agent(software.agent_version)
    if match is not None and match.bad:
        found.append(Old(AGENT, match, _confidence(match, sure=True)))
    return sorted(found, key=lambda o: (o.asks_first, _SUREST.index(o.confidence), o.package))


def old_ones(facts: InstanceFacts) -> list[Old]:
    """The same for an instance that still allows IMDSv1; of any other there is nothing to say."""
    if facts.software is None or facts.instance.options.posture != "v1-allowed":
        return []
    return old_on(facts.software.item)


def cut_off(facts: InstanceFacts) -> list[Old]:
    """Those that would fail once tokens are required."""
    return [old for old in old_ones(facts) if not old.asks_first]


def cited(facts: InstanceFacts) -> tuple[str, ...]:
    """The ids of the evidence that software rests on, with that of the calls."""
    return (*facts.evidence, *((facts.software.id,) if facts.software else ()))


def _confidence(match: Match, *, sure: bool) -> Confidence:
    return _SURENESS[match.confidence] if sure else "low"
