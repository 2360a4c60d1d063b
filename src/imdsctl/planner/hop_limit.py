"""The hop limit first, tokens later: two steps where a raised hop limit may be all that it takes.

A v2-capable SDK in a bridged container gets no answer to its token request while the response hop
limit is 1, and falls back to IMDSv1 (EC2 User Guide, "Instance metadata access considerations").
CloudWatch cannot tell its calls from those of v1-only software; a raised hop limit can: the former
stop, the latter go on. With tokens still optional nothing is cut off meanwhile.
"""

from fnmatch import fnmatchcase
from typing import Final

from imdsctl.model.evidence import Instance
from imdsctl.model.plan import AGENT_CYCLE
from imdsctl.model.policy import HopBumpPolicy
from imdsctl.model.verdict import Verdict
from imdsctl.planner.draft import Draft

_CALLED: Final = "calls-seen"
_CONTAINERS: Final = "hop-limit"
_BLOCKING: Final = frozenset({_CALLED, _CONTAINERS})
# A guess at the caller, which rests on the same calls.
_GUESSED: Final = frozenset({"old-software"})


def may_be_the_hop_limit(instance: Instance, verdict: Verdict, policy: HopBumpPolicy) -> bool:
    """Whether raising the hop limit could be what the instance's IMDSv1 calls wait for.

    Its calls are all that blocks it, it runs, and it is known or said to run containers. What
    belongs to a group is left to the group's launch path: the next instance would come without.
    """
    if not policy.enabled or verdict.status != "blocked" or instance.state != "running":
        return False
    limit = instance.options.http_put_response_hop_limit
    if instance.group or limit is None or limit >= policy.limit:
        return False
    argued = {reason.rule for reason in verdict.reasons if reason.status == "blocked"}
    argued -= _GUESSED
    if not {_CALLED} <= argued <= _BLOCKING:
        return False
    names = (instance.id, instance.name)
    return _CONTAINERS in argued or any(
        name and fnmatchcase(name, pattern) for name in names for pattern in policy.resources
    )


def plan_hop_limit_first(instance: Instance, verdict: Verdict, draft: Draft) -> None:
    """Two changes: the hop limit raised and a full agent cycle watched, then tokens required."""
    before = instance.options.members()
    raised = {**before, "http_put_response_hop_limit": draft.hop_bump.limit}
    name = instance.name
    first = draft.change(
        "instance-options",
        instance.id,
        name=name,
        detail="hop-limit",
        before=before,
        after=raised,
        inverse=dict(before),
        gates=["applied", "instance-status", AGENT_CYCLE],
        reason=f"{_calls(verdict)} If they come from containers that the hop limit "
        "cuts off from their tokens, raising it ends them; tokens stay optional meanwhile.",
    )
    draft.instances.append(first)
    draft.instances.append(
        draft.change(
            "instance-options",
            instance.id,
            name=name,
            before=raised,
            after={**raised, "http_tokens": "required"},
            inverse=dict(raised),
            needs=[first.id],
            gates=["applied", "rejected-calls", "instance-status"],
            reason="No IMDSv1 call came any more once the hop limit was raised; it is made only "
            "then.",
        )
    )


def _calls(verdict: Verdict) -> str:
    """What was seen, without what is only guessed."""
    return next(r.summary for r in verdict.reasons if r.rule in _BLOCKING)
