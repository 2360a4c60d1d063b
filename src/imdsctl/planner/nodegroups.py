"""EKS managed node groups: a new version of the owner's template, and EKS moved to it.

EKS replaces every node then, so the same caution holds as for an instance refresh: none of the
nodes may be held back. The Auto Scaling group is EKS's, and nothing here ever touches it.
"""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import structs

from imdsctl.model.cell import JudgedCell
from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.options import MetadataOptions
from imdsctl.model.verdict import Reason
from imdsctl.planner.draft import Draft, after_failure, sure_enough


def through_nodegroup(judged: JudgedPath) -> JudgedPath:
    """The path as its owner can change it: by the template that the node group was given.

    The group launches from EKS's copy of that one. A path without such a node group is unchanged.
    """
    nodegroup = judged.path.nodegroup
    if nodegroup is None or nodegroup.own is None or nodegroup.options is None:
        return judged
    path = structs.replace(
        judged.path,
        template=nodegroup.own.id,
        template_name=nodegroup.own.name,
        version=nodegroup.own.version,
        number=int(nodegroup.own.version),
        explicit=nodegroup.options,
        effective=structs.replace(nodegroup.options.over(judged.path.effective), state=None),
    )
    return structs.replace(judged, path=path)


def options_for_nodes(account: MetadataOptions, hop_limit: int) -> MetadataOptions:
    """The account's options as far as they count for nodes: they run containers.

    Where the template does not say, the response to a token request has to reach a container, so
    the hop limit is never below `hop_limit` (EKS User Guide, "Customize managed nodes with launch
    templates": 2 where containers use IMDSv2).
    """
    limit = max(account.http_put_response_hop_limit or 0, hop_limit)
    return structs.replace(account, http_put_response_hop_limit=limit)


def nodes_allow(path: JudgedPath, judged: JudgedCell, draft: Draft) -> bool:
    """Whether all nodes may be replaced; if not, the path is held with the reason."""
    if not path.boot_seen and path.path.members and draft.policy.unproven_boot == "hold":
        draft.hold_path(
            path,
            Reason(
                rule="boot-unseen",
                summary="The window saw no launch from it, and the policy holds such paths.",
                fix="Set plan.unproven_boot to refresh, or scan again after a launch.",
                evidence=path.path.evidence,
            ),
            status="unknown",
        )
        return False
    held = _held_nodes(path, judged, draft)
    if not held:
        return True
    draft.hold_path(
        path,
        Reason(
            rule="members-held",
            summary="EKS replaces all nodes of a node group when its launch template version "
            f"changes, also {held[0]}, which is held.",
            fix=f"See `imdsctl explain {held[0]}` first.",
            evidence=path.path.evidence,
        ),
        status="unknown",
    )
    return False


def _held_nodes(path: JudgedPath, judged: JudgedCell, draft: Draft) -> list[str]:
    """The nodes, and the groups, of a path's node group that may not be replaced now."""
    alike = [p for p in judged.paths if p.path.nodegroup == path.path.nodegroup]
    held = [
        p.path.name
        for p in alike
        if p.path.id != path.path.id
        and p.verdict.status != "done"
        and not sure_enough(p.verdict, draft.policy)
    ]
    for member in sorted({m for p in alike for m in p.path.members}):
        verdict = judged.instances.get(member)
        if verdict is None or not (verdict.status == "done" or sure_enough(verdict, draft.policy)):
            held.append(member)
    return held


def plan_nodegroups(chosen: list[JudgedPath], versions: Mapping[str, str], draft: Draft) -> None:
    """Move each node group to the new version of its own template.

    Args:
        chosen: the paths of node groups that may be moved.
        versions: the changes that create versions, by template id and the version underneath.
        draft: what is planned so far; these changes are added to it.
    """
    by_nodegroup: dict[str, list[JudgedPath]] = defaultdict(list)
    for judged in chosen:
        if judged.path.nodegroup is not None:
            by_nodegroup[judged.path.nodegroup.id].append(judged)
    for nodegroup, paths in sorted(by_nodegroup.items()):
        path = paths[0].path
        need = versions[f"{path.template}:{path.number}"]
        created = next(change for change in draft.freeze if change.id == need)
        groups = sorted({p.path.group for p in paths if p.path.group})
        draft.groups.append(
            draft.change(
                "nodegroup-version",
                nodegroup,
                name=groups[0],
                before={
                    "version": path.version,
                    "template": {"id": path.template, "name": path.template_name},
                    "groups": groups,
                    "instances": sorted({m for p in paths for m in p.path.members}),
                },
                after={"version": created.after["version"], "version_from": need},
                inverse={"version": path.version},
                needs=[need],
                gates=["rejected-calls", "group-health"],
                notes=after_failure(*(p.verdict for p in paths)),
                reason="EKS replaces its nodes from the new version of its own launch template; "
                "whatever starts a node after that is V2 only, too.",
            )
        )
        draft.refreshed.update(groups)
