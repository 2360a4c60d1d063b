"""A run replaced the group's instances from a V2 version, and had to take that back."""

from imdsctl.judge.facts import Finding, PathFacts


def judge(facts: PathFacts) -> Finding | None:
    """`blocked` for as long as the policy remembers: its replacements did not become healthy."""
    failed = facts.failed_gate
    if failed is None or facts.path.effective.posture != "v1-allowed":
        return None
    return Finding(
        status="blocked",
        summary=f"Run {failed.run} replaced its instances on {failed.at:%Y-%m-%d at %H:%M} UTC and "
        f"took that back: {failed.why}.",
        fix="Look at what calls IMDSv1 while an instance boots: user data, cloud-init, start-up "
        "scripts.",
        evidence=facts.evidence,
    )
