"""Instances that came from it are held back: the next one would be cut off at birth."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked` by callers, `unknown` where nothing at all is known of its instances."""
    if facts.path.effective.posture != "v1-allowed":
        return None
    if facts.siblings.callers:
        who = facts.siblings.callers[0]
        return Finding(
            status="blocked",
            summary=f"{who} came from it and calls IMDSv1: the next instance on V2 only would be "
            "cut off from its first minute.",
            fix=f"See `imdsctl explain {who}` first.",
            evidence=(*facts.evidence, *facts.siblings.evidence),
        )
    held = [v for v in facts.members.values() if v.status == "blocked"]
    if held:
        return Finding(
            status="blocked",
            summary=f"{held[0].resource} came from it and is held back.",
            fix=f"See `imdsctl explain {held[0].resource}` first.",
            evidence=facts.evidence,
        )
    unknown = [v for v in facts.members.values() if v.status == "unknown"]
    if unknown and not facts.siblings.quiet:
        return Finding(
            status="unknown",
            summary=f"Nothing is known of the {len(unknown)} instances that came from it.",
            fix=f"See `imdsctl explain {unknown[0].resource}` first.",
            evidence=facts.evidence,
        )
    return None
