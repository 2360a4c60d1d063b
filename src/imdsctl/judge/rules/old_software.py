"""Installed software that never asks for a token: the likely caller, or what would fail one day."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.installed import Old, cited, cut_off
from imdsctl.judge.traced import names_callers

_MORE = 2


def judge(facts: InstanceFacts) -> Finding | None:
    """With calls `blocked` by the likely caller; without a caution. What is unsure is only said.

    Software that is installed is no proof of who calls: the calls themselves block, and a host
    trace that names callers is told first. Of the Systems Manager agent without calls the rule
    ssm-agent speaks.
    """
    found = cut_off(facts)
    callers = [old for old in found if old.calls_v1] if facts.called else []
    if callers and not callers[0].unsure and not names_callers(facts.trace):
        return _likely(facts, callers)
    found = callers or [old for old in found if not old.is_agent]
    if not found:
        return None
    worst, known = found[0], _known_of_calls(facts, found[0])
    others = f" The same goes for {also}." if (also := _others(found)) else ""
    if worst.unsure:
        return Finding(
            summary=f"{worst.named} is installed and may be too old: perhaps it {worst.does}."
            f"{others} {known} That alone is no reason to wait.",
            fix=worst.fix,
            evidence=cited(facts),
        )
    return Finding(
        confidence="low",
        summary=f"{worst.named} is installed and {worst.does}.{others} {known} Should it ever need "
        "the metadata service, it would fail.",
        fix=worst.fix,
        evidence=cited(facts),
    )


def _likely(facts: InstanceFacts, found: list[Old]) -> Finding:
    worst = found[0]
    others = f" It may as well be {also}." if (also := _others(found)) else ""
    return Finding(
        status="blocked",
        confidence="medium",
        summary=f"The likely caller is {worst.named}: it {worst.does}.{others} That it is "
        "installed is no proof that it calls; `imdsctl host trace` names who does.",
        fix=f"{worst.fix} Then scan again: what still calls is something else.",
        evidence=cited(facts),
        leads=True,
    )


def _known_of_calls(facts: InstanceFacts, old: Old) -> str:
    """What is known of whether it calls."""
    calls = facts.observed
    if calls is None or calls.v1 is None:
        return "Whether it calls is not known."
    if not facts.called:
        return "Nothing called IMDSv1 in the window."
    if not old.calls_v1:
        return "The IMDSv1 calls in the window are others'."
    if names_callers(facts.trace):
        return "Who called is what the host trace says."
    return "Whether it is what called is not known."


def _others(found: list[Old]) -> str:
    """What else is too old, as surely as the first; by name as long as it is little."""
    others = [old.named for old in found[1:] if old.unsure == found[0].unsure]
    more = f" and {len(others) - _MORE} more" if len(others) > _MORE else ""
    return ", ".join(others[:_MORE]) + more
