"""The operator exempts the instance, with owner, reason and expiry date."""

from imdsctl.judge.facts import Finding, InstanceFacts


def judge(facts: InstanceFacts) -> Finding | None:
    """`exempt` until the end of the expiry date; afterwards a word that it has run out."""
    exemption = facts.exemption
    if exemption is None:
        return None
    if facts.now.date() > exemption.expires:
        return Finding(
            confidence="medium",
            summary=f"Its exemption ran out on {exemption.expires} ({exemption.owner}: "
            f"{exemption.reason}).",
            fix="Renew the exemption in imdsctl.toml, or let it migrate.",
        )
    return Finding(
        status="exempt",
        summary=f"Exempted until {exemption.expires} by {exemption.owner}: {exemption.reason}.",
        fix="Nothing until then; `imdsctl plan` takes it up the day after.",
    )
