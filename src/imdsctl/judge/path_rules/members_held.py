"""Instances that came from it are held back: the next one would be cut off at birth."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked` by callers, `exempt` by an exemption, `unknown` where nothing at all is known.

    Where some are known to be quiet and others are not known, it is a caution.
    """
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
    exempt = [v for v in facts.members.values() if v.status == "exempt"]
    if exempt:
        return Finding(
            status="exempt",
            summary=f"{exempt[0].resource} came from it and is exempted: what takes its place "
            "would be on V2 only.",
            fix=f"See `imdsctl explain {exempt[0].resource}`.",
            evidence=facts.evidence,
        )
    return _unknown(facts)


def _unknown(facts: PathFacts) -> Finding | None:
    unknown = [v.resource for v in facts.members.values() if v.status == "unknown"]
    unknown += [m for m in facts.path.members if m not in facts.members]
    if not unknown:
        return None
    if facts.siblings.quiet:
        total = len({*facts.path.members, *facts.members})
        return Finding(
            confidence="medium",
            summary=f"Nothing is known of {len(unknown)} of the {total} instances that came from "
            "it; others were quiet.",
            fix=f"See `imdsctl explain {unknown[0]}`.",
            evidence=facts.evidence,
        )
    what = "instance" if len(unknown) == 1 else f"{len(unknown)} instances"
    return Finding(
        status="unknown",
        summary=f"Nothing is known of the {what} that came from it.",
        fix=f"See `imdsctl explain {unknown[0]}` first.",
        evidence=facts.evidence,
    )
