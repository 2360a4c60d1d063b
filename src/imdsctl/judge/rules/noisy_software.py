"""Installed software that asks IMDSv1 first and IMDSv2 when refused: calls that break nothing."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.installed import cited, old_ones


def judge(facts: InstanceFacts) -> Finding | None:
    """A word beside calls: it may be the noise, which does not say that all of it is."""
    first = [old for old in old_ones(facts) if old.asks_first]
    if not first or not facts.called:
        return None
    noisy = first[0]
    perhaps = "may ask" if noisy.unsure else "asks"
    below, note = noisy.match.range.below, noisy.match.range.note
    more = "; ".join(filter(None, [f"no longer since {below}" if below else "", note]))
    told = f" ({more})" if more else ""
    return Finding(
        summary=f"{noisy.named} {perhaps} IMDSv1 first{told}: some of the calls may be its. "
        "That explains noise, and is no proof that nothing else calls.",
        fix=f"{noisy.fix} Then scan again: what still calls is something else.",
        evidence=cited(facts),
    )
