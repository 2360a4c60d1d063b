"""IMDSv1 calls are being refused: something on the instance does not get what it asks for."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """A caution beside `done`, with the count of MetadataNoTokenRejected."""
    calls = facts.observed
    if calls is None or calls.rejected is None or not calls.rejected.total:
        return None
    last = calls.rejected.last_call
    when = f", last on {last:%Y-%m-%d at %H:00} UTC" if last else ""
    total = calls.rejected.total
    were = "IMDSv1 call was" if total == 1 else "IMDSv1 calls were"
    return Finding(
        status="blocked" if facts.instance.options.posture == "v1-allowed" else None,
        confidence="medium",
        summary=f"{total:,} {were} rejected in the window{when}.",
        fix="Find the caller on the host and update it; it works only if it then tries IMDSv2.",
        evidence=facts.evidence,
    )
