"""The instances that run today: modified in place, or replaced with their group."""

from collections import defaultdict

from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Instance
from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.verdict import Verdict
from imdsctl.planner.draft import Draft, not_sure_enough, sure_enough, tries_v1_first
from imdsctl.planner.hop_limit import may_be_the_hop_limit, plan_hop_limit_first
from imdsctl.planner.refresh import plan_refresh


def plan_existing(judged: JudgedCell, draft: Draft) -> None:
    """One change for each instance that is ready, a hold with reasons for each that is not."""
    if draft.policy.existing == "refresh":
        _refresh_frozen_groups(judged, draft)
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
        elif instance.group not in draft.refreshed:
            _in_place(instance, verdict, draft)


def _in_place(instance: Instance, verdict: Verdict, draft: Draft) -> None:
    before = instance.options.members()
    after = {**before, "http_tokens": "required"}
    if verdict.hop_limit is not None:
        after["http_put_response_hop_limit"] = verdict.hop_limit
    rejected = [] if tries_v1_first(verdict) else ["rejected-calls"]
    gates = ["applied", *rejected, "instance-status"]
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
        )
    )


def _refresh_frozen_groups(judged: JudgedCell, draft: Draft) -> None:
    """Groups whose members are all done or ready are replaced instead of modified.

    What the freeze points at the new version is taken back out of it: the refresh moves the group
    there itself once every replacement is healthy.
    """
    repoints = {c.resource: c for c in draft.freeze if c.kind == "asg-launch-template"}
    paths: dict[str, list[JudgedPath]] = defaultdict(list)
    for path in judged.paths:
        if path.path.group in repoints:
            paths[path.path.group].append(path)
    for group, found in paths.items():
        members = [m for p in found for m in p.path.members]
        verdicts = [judged.instances[m] for m in members if m in judged.instances]
        if not all(v.status == "done" or sure_enough(v, draft.policy) for v in verdicts):
            continue
        moved = set(repoints[group].after["specs"])
        chosen = [p for p in found if moved & set(p.path.where)]
        needs = [repoints[group].after["specs"][p.path.where[0]]["version_from"] for p in chosen]
        draft.freeze.remove(repoints[group])
        plan_refresh(group, chosen, needs, draft, found)
