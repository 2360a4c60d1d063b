"""Elastic Beanstalk environments: their own option is set, and they replace their instances."""

from collections import defaultdict
from typing import Final

from imdsctl.judge.owners import environment_names, environment_templates, environments_by_group
from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Environment
from imdsctl.model.launch_path import JudgedPath
from imdsctl.model.verdict import Reason
from imdsctl.planner.draft import Draft, after_failure, not_sure_enough, sure_enough

WANTED: Final = "true"
"""The value of DisableIMDSv1 in `aws:autoscaling:launchconfiguration` that requires IMDSv2."""

_REPLACES = (
    "Elastic Beanstalk replaces all instances of the environment, by the environment's own update "
    "policy (aws:autoscaling:updatepolicy:rollingupdate): without rolling or immutable updates all "
    "of them at once."
)
_MIGRATES = (
    "The environment is on a launch configuration: Elastic Beanstalk moves it to a launch template "
    "for this, for good. A rollback takes the option back, not the template."
)


def plan_environments(judged: JudgedCell, draft: Draft) -> None:
    """One change for each environment that is ready, a hold for each that is not.

    Nothing else is planned for their groups: no version of their templates, no change of the
    group, no instance by hand.
    """
    known = environments_by_group(judged.evidence)
    _unused_versions(judged, draft)
    by_group: dict[str, list[JudgedPath]] = defaultdict(list)
    for path in judged.paths:
        by_group[path.path.group or ""].append(path)
    for group, name in sorted(environment_names(judged.evidence).items()):
        open_paths = [p for p in by_group[group] if p.verdict.status != "done"]
        if not open_paths:
            continue
        draft.owned[group] = Reason(
            rule="beanstalk-environment",
            summary=f"It belongs to Elastic Beanstalk environment {name}, which replaces it once "
            "its own option DisableIMDSv1 can be set.",
            fix=f"See `imdsctl explain {group}`.",
        )
        if group in known:
            _environment(known[group].item, group, open_paths, judged, draft)
        else:
            _hold(open_paths, draft)


def _unused_versions(judged: JudgedCell, draft: Draft) -> None:
    """The default version of an environment's own template, which its group does not launch."""
    templates = environment_templates(judged.evidence)
    draft.owned_templates.update(templates)
    for path in judged.paths:
        owned = path.path.kind == "template" and path.path.template in templates
        if owned and path.verdict.status != "done":
            draft.hold_path(path)


def _hold(paths: list[JudgedPath], draft: Draft) -> None:
    for path in paths:
        draft.hold_path(path, *not_sure_enough(path.verdict, draft.policy))


def _environment(
    environment: Environment,
    group: str,
    paths: list[JudgedPath],
    judged: JudgedCell,
    draft: Draft,
) -> None:
    if not all(sure_enough(path.verdict, draft.policy) for path in paths):
        _hold(paths, draft)
        return
    if obstacle := _obstacle(environment, paths, judged, draft):
        for path in paths:
            draft.hold_path(path, obstacle)
        return
    members = sorted({member for path in paths for member in path.path.members})
    notes = [*after_failure(*(path.verdict for path in paths)), _REPLACES]
    if any(path.path.launch_configuration for path in paths):
        notes.append(_MIGRATES)
    draft.groups.append(
        draft.change(
            "beanstalk-option",
            environment.name,
            name=group,
            before={
                "environment_id": environment.environment_id,
                "application": environment.application,
                "group": group,
                "instances": members,
                "disable_imdsv1": environment.disable_imdsv1,
            },
            after={"disable_imdsv1": WANTED},
            inverse={"disable_imdsv1": environment.disable_imdsv1},
            gates=["rejected-calls", "group-health"],
            reason=f"Environment {environment.name} owns the group: only its option DisableIMDSv1 "
            "makes its instances V2 only for good.",
            notes=notes,
        )
    )
    draft.refreshed.add(group)


def _obstacle(
    environment: Environment, paths: list[JudgedPath], judged: JudgedCell, draft: Draft
) -> Reason | None:
    """What forbids replacing all the instances; the same caution as before an instance refresh."""
    held = [
        member
        for path in paths
        for member in path.path.members
        if (verdict := judged.instances.get(member)) is None
        or not (verdict.status == "done" or sure_enough(verdict, draft.policy))
    ]
    if held:
        return Reason(
            rule="members-held",
            summary=f"Setting DisableIMDSv1 replaces all instances of {environment.name}, also "
            f"{held[0]}, which is held.",
            fix=f"See `imdsctl explain {held[0]}` first.",
        )
    if draft.policy.unproven_boot == "hold" and not all(path.boot_seen for path in paths):
        return Reason(
            rule="boot-unseen",
            summary="The window saw no launch from it, and the policy holds such paths.",
            fix="Set plan.unproven_boot to refresh, or scan again after a launch.",
        )
    return None
