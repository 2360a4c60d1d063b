"""The freeze: new launches become V2 only before any running instance is touched."""

from collections import defaultdict

from msgspec import structs

from imdsctl.model.cell import JudgedCell
from imdsctl.model.launch_path import JudgedPath, LaunchPath
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Facts
from imdsctl.model.verdict import Reason
from imdsctl.planner.containers import hop_notes
from imdsctl.planner.defaults import plan_defaults
from imdsctl.planner.draft import Draft, after_failure, not_sure_enough, sure_enough
from imdsctl.planner.environments import plan_environments
from imdsctl.planner.nodegroups import (
    nodes_allow,
    options_for_nodes,
    plan_nodegroups,
    through_nodegroup,
)
from imdsctl.planner.refresh import obstacle, plan_refresh
from imdsctl.planner.template_defaults import plan_template_defaults


def plan_freeze(judged: JudgedCell, draft: Draft) -> None:
    """Fill the draft with everything that stops new instances on v1, and what has to wait."""
    plan_environments(judged, draft)
    by_template: dict[str, list[JudgedPath]] = defaultdict(list)
    for path in map(through_nodegroup, judged.paths):
        if path.path.group in draft.owned or (
            path.path.kind == "template" and path.path.template in draft.owned_templates
        ):
            continue
        if path.path.template:
            by_template[path.path.template].append(path)
        elif path.path.effective.posture == "v1-allowed":
            _configuration(path, judged, draft)
    chosen: list[JudgedPath] = []
    numbers: dict[str, str] = {}
    for template, paths in by_template.items():
        ready = _template(paths, judged, draft)
        chosen.extend(ready)
        for path in ready:
            key = f"{template}:{path.path.number}"
            if key not in numbers:
                alike = [p.path for p in ready if p.path.number == path.path.number]
                numbers[key] = _new_version(
                    alike, judged, draft, len(numbers_of(numbers, template))
                )
    plan_nodegroups(chosen, numbers, draft)
    _groups([p for p in chosen if p.path.nodegroup is None], numbers, judged, draft)
    open_paths = [p for paths in by_template.values() for p in paths if p.verdict.status != "done"]
    plan_template_defaults(chosen, open_paths, numbers, judged, draft)
    plan_defaults(judged, draft)


def numbers_of(numbers: dict[str, str], template: str) -> list[str]:
    """The keys of the versions that are to be created for a template."""
    return [key for key in numbers if key.startswith(f"{template}:")]


def _template(paths: list[JudgedPath], judged: JudgedCell, draft: Draft) -> list[JudgedPath]:
    """The paths of one template that can be frozen; the others are held with a reason.

    Those that hold for a reason of their own are taken out first: each may hold others with it.
    """
    open_paths = [p for p in paths if p.verdict.status != "done"]
    ready = [p for p in open_paths if sure_enough(p.verdict, draft.policy)]
    for path in open_paths:
        if path not in ready:
            draft.hold_path(path, *not_sure_enough(path.verdict, draft.policy))
    ready = [path for path in ready if _boot_allows(path, judged, draft)]
    ready = _mind_latest(paths, ready, draft)
    return _mind_shared_default(open_paths, ready, draft)


def _mind_latest(
    paths: list[JudgedPath], ready: list[JudgedPath], draft: Draft
) -> list[JudgedPath]:
    """Any new version is what `$Latest` groups launch from that moment on."""
    latest = [p for p in paths if p.path.version == "$Latest"]
    if not latest:
        return ready
    user = latest[0].path
    unready = next((p for p in latest if p.verdict.status != "done" and p not in ready), None)
    unproven = next((p for p in latest if p in ready and not _proven(p, draft)), None)
    kept = []
    for path in ready:
        if unready is not None:
            why = f"Group {unready.path.group} launches $Latest of the same template and is held."
        elif path.path.number != user.number:
            why = (
                f"Group {user.group} launches $Latest of the same template, which is another "
                f"version ({user.number}) than this path's ({path.path.number})."
            )
        elif unproven is not None:
            why = f"Group {unproven.path.group} launches $Latest of the same template, and the "
            why += "window saw no launch from it: a new version would take effect unproven."
        else:
            kept.append(path)
            continue
        fix = f"Pin group {user.group} to version {user.number} first."
        draft.hold_path(path, Reason(rule="latest-in-use", summary=why, fix=fix), status="blocked")
    return kept


def _mind_shared_default(
    open_paths: list[JudgedPath], ready: list[JudgedPath], draft: Draft
) -> list[JudgedPath]:
    """Moving the default moves everyone who launches `$Default`."""
    held = next((p for p in open_paths if p.path.version == "$Default" and p not in ready), None)
    if held is None:
        return ready
    kept = []
    for path in ready:
        if path.path.version != "$Default":
            kept.append(path)
            continue
        draft.hold_path(
            path,
            Reason(
                rule="default-in-use",
                summary=f"{held.path.name} launches the same template's default version and is "
                "held.",
                fix=f"Pin {path.path.name} to a version number, or solve {held.path.name} first.",
            ),
            status="blocked",
        )
    return kept


def _proven(path: JudgedPath, draft: Draft) -> bool:
    return path.boot_seen or not path.path.members or draft.policy.unproven_boot == "freeze"


def _boot_allows(path: JudgedPath, judged: JudgedCell, draft: Draft) -> bool:
    if path.path.nodegroup is not None:
        return nodes_allow(path, judged, draft)
    if _proven(path, draft):
        return True
    if draft.policy.unproven_boot == "refresh":
        group = path.path.group
        if group is None:
            return True
        if why := obstacle(group, judged, draft, proof=True):
            draft.hold_path(path, why, *path.verdict.reasons, status="unknown")
            return False
        return _replaceable(path, judged, draft)
    draft.hold_path(
        path,
        Reason(
            rule="boot-unseen",
            summary="The window saw no launch from it, and the policy holds such paths.",
            fix="Set plan.unproven_boot to refresh, or scan again after a launch.",
        ),
        status="unknown",
    )
    return False


def _replaceable(path: JudgedPath, judged: JudgedCell, draft: Draft) -> bool:
    """A refresh replaces all instances of a group; none of them may be held back."""
    held = _held_members(path, judged, draft)
    if not held:
        return True
    draft.hold_path(
        path,
        Reason(
            rule="members-held",
            summary="The window saw no launch from it, and the refresh that would prove one "
            f"replaces all its instances, also {held[0]}, which is held.",
            fix=f"See `imdsctl explain {held[0]}` first, or scan again after a launch.",
            evidence=path.path.evidence,
        ),
        status="unknown",
    )
    return False


def _held_members(path: JudgedPath, judged: JudgedCell, draft: Draft) -> list[str]:
    return [
        member
        for member in path.path.members
        if (verdict := judged.instances.get(member)) is None
        or not (verdict.status == "done" or sure_enough(verdict, draft.policy))
    ]


def _rather_refreshed(group: str, judged: JudgedCell, draft: Draft) -> bool:
    """Whether the policy has the group's instances replaced, and nothing forbids it.

    What forbids it is remembered: the instances are changed in place then, with a word on why.
    """
    if draft.policy.existing != "refresh":
        return False
    paths = [p for p in judged.paths if p.path.group == group]
    if any(_held_members(path, judged, draft) for path in paths):
        return False
    verdicts = [judged.instances[m] for p in paths for m in p.path.members]
    if all(v.status == "done" for v in verdicts):
        return False
    why = obstacle(group, judged, draft, proof=False)
    if why is not None:
        draft.in_place[group] = why
    return why is None


def target_options(path: LaunchPath, account: MetadataOptions, hop_limit: int) -> MetadataOptions:
    """A launch path's options with tokens required, written out in full.

    What the template says itself stays. An unspecified hop limit becomes the account's, else
    `hop_limit`; the endpoint is spelled out as it would come out today, so that the version says
    all of it (a version's MetadataOptions replace those of its source as a whole).
    """
    return structs.replace(
        path.explicit,
        http_tokens="required",
        http_put_response_hop_limit=path.explicit.http_put_response_hop_limit
        or account.http_put_response_hop_limit
        or hop_limit,
        http_endpoint=path.effective.http_endpoint,
        state=None,
    )


def _new_version(paths: list[LaunchPath], judged: JudgedCell, draft: Draft, already: int) -> str:
    """A change that creates the V2 version on top of the one really used; returns its id.

    `paths` all launch that one version.
    """
    path = paths[0]
    template, number = path.template or "", path.number or 0
    latest = max(
        (t.item.number for t in judged.evidence.templates if t.item.template_id == template),
        default=number,
    )
    defaults = judged.evidence.defaults
    account, hop_limit = MetadataOptions(), draft.policy.default_hop_limit
    if defaults is not None:
        account = defaults.item.options
    if path.nodegroup is not None:
        account = options_for_nodes(account, hop_limit)
    options = target_options(path, account, hop_limit)
    predicted = str(latest + 1 + already)
    change = draft.change(
        "launch-template-version",
        template,
        name=path.template_name or "",
        detail=str(number),
        before={"source": str(number), "options": path.explicit.members()},
        after={"version": predicted, "options": options.members()},
        inverse={"delete_version": predicted},
        reason=f"Version {number} lets new instances answer IMDSv1 (by {path.decided_by}).",
        notes=hop_notes((p.group for p in paths), path.explicit, judged),
    )
    draft.freeze.append(change)
    return change.id


def _groups(
    chosen: list[JudgedPath], versions: dict[str, str], judged: JudgedCell, draft: Draft
) -> None:
    """Point each group at the new versions, or prove them by a refresh first."""
    by_group: dict[str, list[JudgedPath]] = defaultdict(list)
    for path in chosen:
        if path.path.group:
            by_group[path.path.group].append(path)
    for group, paths in sorted(by_group.items()):
        needs = [versions[f"{p.path.template}:{p.path.number}"] for p in paths]
        proven = all(_proven(path, draft) for path in paths)
        if not proven or _rather_refreshed(group, judged, draft):
            plan_refresh(group, paths, needs, judged, draft)
            continue
        draft.frozen.update(path.path.id for path in paths)
        pinned = [path for path in paths if (path.path.version or "").isdigit()]
        if not pinned:
            continue
        draft.freeze.append(
            draft.change(
                "asg-launch-template",
                group,
                name=group,
                before={"specs": specs_of(pinned)},
                after={"specs": specs_of(pinned, versions, draft)},
                inverse={"specs": specs_of(pinned)},
                needs=[versions[f"{p.path.template}:{p.path.number}"] for p in pinned],
                notes=after_failure(*(p.verdict for p in pinned)),
                reason="Its next instance would be launched from the pinned version, on v1.",
            )
        )


def specs_of(
    paths: list[JudgedPath], versions: dict[str, str] | None = None, draft: Draft | None = None
) -> Facts:
    """Where a group names which template version: as it is, or with the new versions."""
    specs: Facts = {}
    created = (
        {c.id: c.after["version"] for c in draft.freeze if "version" in c.after} if draft else {}
    )
    for judged in paths:
        path = judged.path
        change = versions.get(f"{path.template}:{path.number}") if versions else None
        for where in path.where:
            specs[where] = {
                "id": path.template,
                "name": path.template_name,
                "version": created[change] if change else path.version,
            }
            if change:
                specs[where]["version_from"] = change
    return specs


def _configuration(judged: JudgedPath, cell: JudgedCell, draft: Draft) -> None:
    """Replace a group's launch configuration by a template; an unused one is only reported."""
    path = judged.path
    if not path.group:
        draft.hold_path(
            judged,
            Reason(
                rule="launch-configuration-unused",
                summary="No group uses this launch configuration, and none can be changed.",
                fix="Delete it once no rollback needs it any more; nothing else depends on it.",
                evidence=path.evidence,
            ),
            status="blocked",
        )
        return
    if not sure_enough(judged.verdict, draft.policy):
        draft.hold_path(judged, *not_sure_enough(judged.verdict, draft.policy))
        return
    if not _proven(judged, draft):
        draft.hold_path(
            judged,
            Reason(
                rule="boot-unseen",
                summary="The window saw no launch from it, and a group on a launch configuration "
                "has no refresh that rolls back by itself.",
                fix="Scan again after a launch, or set plan.unproven_boot to freeze.",
                evidence=path.evidence,
            ),
            status="unknown",
        )
        return
    hop_limit = draft.policy.default_hop_limit
    options = target_options(path, MetadataOptions(), hop_limit)
    draft.freeze.append(
        draft.change(
            "launch-configuration-replacement",
            path.group,
            name=path.group,
            before={"launch_configuration": path.launch_configuration},
            after={
                "template": f"{path.group}-imdsctl",
                "version": "1",
                "options": options.members(),
            },
            inverse={"launch_configuration": path.launch_configuration},
            reason="A launch configuration cannot be changed; a launch template with the same "
            "settings and tokens required takes its place.",
            notes=hop_notes([path.group], path.explicit, cell),
        )
    )
    if draft.policy.existing == "refresh":
        draft.in_place[path.group] = Reason(
            rule="launch-configuration",
            summary="A refresh back to a launch configuration would not be a rollback that AWS "
            "offers, so a group that was on one is not refreshed.",
            fix="Refresh it once it is on its launch template, if all instances are to be new.",
        )
    draft.frozen.add(path.id)
