"""The metadata service is off: nothing can call it, in whichever version."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """`done`; where tokens are optional, switching IMDS on later would allow v1 again."""
    options = facts.instance.options
    if options.http_endpoint != "disabled":
        return None
    if options.state == "pending" and facts.instance.state not in ("stopped", "stopping"):
        return Finding(
            status="unknown",
            summary="The metadata service was switched off just now; EC2 has not applied it yet.",
            fix="Scan again in a minute.",
            evidence=(facts.record.id,),
        )
    if options.http_tokens == "required":
        return Finding(
            status="done",
            summary="The metadata service is off, and would be V2 only if it were switched on.",
            evidence=(facts.record.id,),
        )
    return Finding(
        status="done",
        summary="The metadata service is off; no caller gets anything from it.",
        fix="Tokens are optional: whoever switches it on should require them in the same call. "
        "AWS Config and Security Hub EC2.8 count this instance as failed.",
        evidence=(facts.record.id,),
    )
