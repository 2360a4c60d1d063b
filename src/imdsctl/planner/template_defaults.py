"""Launch templates' default versions: moved with the groups, or left with a word on why."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs

from imdsctl.model.cell import JudgedCell
from imdsctl.model.launch_path import JudgedPath
from imdsctl.planner.draft import Draft, sure_enough

_REPLACING: Final = ("instance-refresh", "nodegroup-version")


def plan_template_defaults(
    chosen: Sequence[JudgedPath],
    open_paths: Sequence[JudgedPath],
    versions: Mapping[str, str],
    judged: JudgedCell,
    draft: Draft,
) -> None:
    """Move each template's default to its new version, after the groups that have to prove it.

    A default that all groups pin by its number is moved as well: nobody else's launches are known,
    but whoever launches from the template by hand gets it. It stays where such a launch could be
    cut off, and the notes of the new version say so.

    Args:
        chosen: the paths that are frozen in this plan, as their owners can change them.
        open_paths: all paths of templates that still launch v1, held ones as well.
        versions: the changes that create versions, by template id and the version underneath.
        judged: the cell.
        draft: what is planned so far; these changes are added to it.
    """
    by_name: dict[str, list[JudgedPath]] = defaultdict(list)
    by_number: dict[str, list[JudgedPath]] = defaultdict(list)
    defaults = {
        t.item.template_id: t.item.number for t in judged.evidence.templates if t.item.default
    }
    for path in chosen:
        template = path.path.template or ""
        if path.path.version == "$Default" and path.path.nodegroup is None:
            by_name[template].append(path)
        elif defaults.get(template) == path.path.number:
            by_number[template].append(path)
    for template, paths in by_name.items():
        _move(template, [*paths, *by_number.pop(template, [])], paths, versions, draft)
    for template, paths in by_number.items():
        against = _against(template, paths, open_paths, judged, draft)
        if against:
            _leave(versions[f"{template}:{paths[0].path.number}"], against, draft)
        else:
            _move(template, paths, [], versions, draft)


def _move(
    template: str,
    paths: Sequence[JudgedPath],
    launching: Sequence[JudgedPath],
    versions: Mapping[str, str],
    draft: Draft,
) -> None:
    """One change; those of `launching` name the default, and are frozen by it."""
    first = paths[0].path
    version = versions[f"{template}:{first.number}"]
    groups = {path.path.group for path in paths}
    proofs = [
        change.id
        for change in draft.groups
        if change.kind in _REPLACING and (change.resource in groups or version in change.needs)
    ]
    number = next(c.after["version"] for c in draft.freeze if c.id == version)
    change = draft.change(
        "launch-template-default",
        template,
        name=first.template_name or "",
        before={"default": str(first.number)},
        after={"default": number, "version_from": version},
        inverse={"default": str(first.number)},
        needs=[version, *proofs],
        reason="Whoever launches the default version gets instances that answer IMDSv1.",
    )
    (draft.groups if proofs else draft.freeze).append(change)
    if not proofs:
        draft.frozen.update(path.path.id for path in launching)


def _against(
    template: str,
    paths: Sequence[JudgedPath],
    open_paths: Sequence[JudgedPath],
    judged: JudgedCell,
    draft: Draft,
) -> str:
    """Why a launch by hand from the new default could be cut off; empty where nothing says so."""
    ids = {path.path.id for path in paths}
    for other in open_paths:
        mine = other.path
        if mine.template != template or mine.id in ids:
            continue
        if mine.version == "$Default" or mine.number == paths[0].path.number:
            return f"{mine.name} launches the same version and is held"
    for record in judged.evidence.instances:
        instance = record.item
        if instance.group or instance.template is None or instance.template.id != template:
            continue
        verdict = judged.instances.get(instance.id)
        if verdict is None or verdict.status == "done" or sure_enough(verdict, draft.policy):
            continue
        return f"{instance.id} was launched from the template by hand and is held"
    return ""


def _leave(version: str, why: str, draft: Draft) -> None:
    """Say on the change that creates the version that the default stays behind."""
    note = (
        f"The default version stays as it is, and whoever launches from the template by hand still "
        f"gets IMDSv1: {why}. The next plan after that is solved moves it."
    )
    draft.freeze[:] = [
        structs.replace(change, notes=[*change.notes, note]) if change.id == version else change
        for change in draft.freeze
    ]
