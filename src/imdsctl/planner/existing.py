"""The instances that run today: modified in place, or replaced with their group."""

from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Instance
from imdsctl.model.verdict import Verdict
from imdsctl.planner.draft import Draft, after_failure, not_sure_enough, sure_enough, tries_v1_first
from imdsctl.planner.hop_limit import may_be_the_hop_limit, plan_hop_limit_first
from imdsctl.planner.refresh import group_of


def plan_existing(judged: JudgedCell, draft: Draft) -> None:
    """One change for each instance that is ready, a hold with reasons for each that is not."""
    for record in sorted(judged.evidence.instances, key=lambda r: r.item.id):
        verdict = judged.instances.get(record.item.id)
        if verdict is None or verdict.status == "done":
            continue
        instance = record.item
        if may_be_the_hop_limit(instance, verdict, draft.hop_bump):
            plan_hop_limit_first(instance, verdict, draft)
        elif not sure_enough(verdict, draft.policy):
            draft.hold(
                instance.id,
                verdict.status if verdict.status != "ready" else "unknown",
                not_sure_enough(verdict, draft.policy),
                instance.name,
            )
        elif instance.group in draft.refreshed and not _left(instance, judged, draft):
            continue
        elif instance.group in draft.owned and instance.group not in draft.refreshed:
            reasons = [draft.owned[instance.group], *verdict.reasons]
            draft.hold(instance.id, "blocked", reasons, instance.name)
        else:
            _in_place(instance, verdict, draft)


def _left(instance: Instance, judged: JudgedCell, draft: Draft) -> bool:
    """Whether the refresh of its group leaves it alone; nothing may be forgotten.

    An instance that carries the group's tag and is no member of it now is changed, too: should
    the refresh replace it, it is gone when its turn comes.
    """
    if instance.group in draft.owned:
        return False
    group = group_of(instance.group, judged)
    members = {member.id for member in group.members} if group else set()
    return instance.id in draft.left or instance.id not in members


def _in_place(instance: Instance, verdict: Verdict, draft: Draft) -> None:
    before = instance.options.members()
    after = {**before, "http_tokens": "required"}
    if verdict.hop_limit is not None:
        after["http_put_response_hop_limit"] = verdict.hop_limit
    rejected = [] if tries_v1_first(verdict) else ["rejected-calls"]
    gates = ["applied", *rejected, "instance-status"]
    refresh, why = draft.left.get(instance.id, ("", ""))
    notes = after_failure(verdict)
    if why:
        notes.append(f"The refresh of its group leaves it as it is: {why}.")
    if not_refreshed := draft.in_place.get(instance.group or ""):
        notes.append(f"Changed in place, not replaced: {not_refreshed.summary}")
    draft.instances.append(
        draft.change(
            "instance-options",
            instance.id,
            name=instance.name or instance.group or "",
            before=before,
            after=after,
            inverse=dict(before),
            gates=[*gates, "group-health"] if instance.group else gates,
            reason=verdict.reasons[0].summary,
            needs=[refresh] if refresh else (),
            notes=notes,
        )
    )
