"""A run replaced the group's instances from a V2 version, and had to take that back."""

from imdsctl.judge.facts import Finding, PathFacts
from imdsctl.judge.failures import how_to_tell, told


def judge(facts: PathFacts) -> Finding | None:
    """`blocked` while it is remembered, a caution once its owner says that the cause is gone."""
    failed = facts.failed_gate
    if failed is None or facts.path.effective.posture != "v1-allowed":
        return None
    summary = (
        f"Run {failed.run} replaced its instances on {failed.at:%Y-%m-%d at %H:%M} UTC and "
        f"took that back: {failed.why}."
    )
    if facts.mended is not None:
        return Finding(
            confidence="medium",
            summary=f"{summary} {told(facts.mended)}.",
            evidence=facts.evidence,
        )
    until = f" It is held until {facts.held_until}." if facts.held_until else ""
    return Finding(
        status="blocked",
        summary=summary,
        fix="Look at what calls IMDSv1 while an instance boots: user data, cloud-init, start-up "
        f"scripts.{until} What releases it sooner: once it is mended, "
        f"{how_to_tell(facts.path.group or facts.path.name)}.",
        evidence=facts.evidence,
    )
