"""A host trace names who asks without a token, and says whether IMDSv2 would do for it."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.model.evidence import Trace, TracedProgram

_CUT_OFF = ("v1-only", "fallback")
_WHY = {
    "v1-only": "and never asks for a token",
    "fallback": "because its token request is refused",
}


def judge(facts: InstanceFacts) -> Finding | None:
    """`blocked` by programs that IMDSv2 would cut off; a caution for those that try v1 first.

    What the hop limit cuts off is the rule hop-limit's.
    """
    record = facts.trace
    if record is None or facts.instance.options.posture != "v1-allowed":
        return None
    trace = record.item
    cut_off = [c for c in trace.callers if c.behaviour in _CUT_OFF]
    if cut_off:
        worst = max(cut_off, key=lambda c: c.v1)
        more = f" So do {len(cut_off) - 1} more programs." if len(cut_off) > 1 else ""
        return Finding(
            status="blocked",
            confidence=worst.confidence,
            summary=f"{named(worst)} asked IMDSv1 {times(worst.v1)} while the host was traced "
            f"({when(trace)}) {_WHY[worst.behaviour]}.{more}",
            fix=f"{worst.fix[:1].upper()}{worst.fix[1:]}.",
            evidence=(record.id,),
            leads=True,
        )
    first = [c for c in trace.callers if c.behaviour == "v1-first"]
    if not first or len(first) < len(trace.callers):
        return None
    return Finding(
        confidence="medium",
        summary=f"{named(first[0])} asks IMDSv1 first and IMDSv2 when that is refused (host trace, "
        f"{when(trace)}): it goes on working, and its first tries will count as rejected.",
        fix=f"{first[0].fix[:1].upper()}{first[0].fix[1:]}.",
        evidence=(record.id,),
    )


def named(program: TracedProgram) -> str:
    """The program with what else tells it apart."""
    told = [program.user_agent] if program.user_agent else []
    told += [f"container {program.container[:12]}"] if program.container else []
    return f"{program.program} ({', '.join(told)})" if told else program.program


def times(count: int) -> str:
    """How often."""
    return "once" if count == 1 else f"{count:,} times"


def when(trace: Trace) -> str:
    """How long the trace ran, and until when."""
    hours = (trace.end - trace.start).total_seconds() / 3600
    length = f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h"  # noqa: PLR2004 - days
    return f"{length}, until {trace.end:%Y-%m-%d}"
