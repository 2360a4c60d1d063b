"""ImdsSupport of the account's own images: what only a new image from the snapshot undoes.

An image's v2.0 decides where neither the launch template nor the account default says anything
(EC2 User Guide, "Configure instance metadata options", order of precedence). That can become so
at any time, and the image stays as it is: so all that comes from it has to be able to live with it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from imdsctl.judge.images import ImageUse, image_uses
from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Cell, Instance
from imdsctl.model.launch_path import JudgedPath, LaunchPath
from imdsctl.model.verdict import Reason, Status, Verdict
from imdsctl.planner.draft import Draft, sure_enough

_DECIDING = ("images", "instances", "groups", "launch-templates", "launch-configurations")
"""What has to be known before it is known who launches an image."""

_WORST: tuple[Status, ...] = ("blocked", "exempt", "unknown")


def plan_images(cells: Sequence[JudgedCell], drafts: Sequence[Draft]) -> None:
    """One change for each own image without ImdsSupport, or a hold with the reason.

    All accounts of a region are looked at together, because images are shared between them.
    """
    by_region: dict[str, list[JudgedCell]] = defaultdict(list)
    for judged in cells:
        by_region[judged.evidence.cell.region].append(judged)
    by_cell = {draft.cell: draft for draft in drafts}
    for there in by_region.values():
        region = _Region(there, by_cell)
        for use in region_uses(there):
            region.plan(use)


def region_uses(there: Sequence[JudgedCell]) -> list[ImageUse]:
    """The own images without ImdsSupport in the accounts of one region, with who launches them."""
    evidence = [judged.evidence for judged in there]
    return image_uses(
        chain.from_iterable(e.images for e in evidence),
        [p.path for judged in there for p in judged.paths],
        chain.from_iterable(e.templates for e in evidence),
        chain.from_iterable(e.configurations for e in evidence),
        (record.item for e in evidence for record in e.instances),
    )


class _Region:
    """The accounts of one region, with what is planned and held there so far."""

    def __init__(self, there: Sequence[JudgedCell], drafts: dict[Cell, Draft]) -> None:
        self._drafts = drafts
        self._unreadable = {j.evidence.cell: j.evidence.unreadable for j in there}
        self._defaults = {j.evidence.cell: j.evidence.defaults for j in there}
        self._paths: dict[tuple[Cell, str], JudgedPath] = {
            (p.path.cell, p.path.id): p for j in there for p in j.paths
        }
        self._instances: dict[str, tuple[Instance, Verdict]] = {
            record.item.id: (record.item, j.instances[record.item.id])
            for j in there
            for record in j.evidence.instances
            if record.item.id in j.instances
        }
        self._held = {
            (j.evidence.cell, held.resource): held.status
            for j in there
            for held in drafts[j.evidence.cell].held
        }

    def plan(self, use: ImageUse) -> None:
        """Plan one image, or hold it."""
        image = use.image
        draft = self._drafts[Cell(image.account, image.region)]
        if found := self._against(use):
            worst = next(s for s in _WORST if s in {status for status, _ in found})
            reasons = [r for _, r in sorted(found, key=lambda one: _WORST.index(one[0]))]
            draft.hold(image.id, worst, reasons, image.name)
            return
        draft.one_way.append(
            draft.change(
                "image-imds-support",
                image.id,
                name=image.name,
                before={"imds_support": None},
                after={"imds_support": "v2.0"},
                inverse=None,
                irreversible=True,
                needs=list(dict.fromkeys(self._needs(use))),
                reason=self._reason(use),
            )
        )

    def _against(self, use: ImageUse) -> list[tuple[Status, Reason]]:
        image = use.image
        evidence = [use.record.id]
        if image.public:
            why = "It is public: whom it would put on V2 only, no scan can see."
            fix = "Publish a new image with ImdsSupport v2.0 instead."
            return [("blocked", _reason("image-public", why, fix, evidence))]
        if image.state != "available":
            why = f"It is {image.state}, not available."
            fix = "Deregister it if nobody needs it any more."
            return [("blocked", _reason("image-not-available", why, fix, evidence))]
        unread = self._unreadable[Cell(image.account, image.region)]
        found: list[tuple[Status, Reason]] = [
            (
                "unknown",
                _reason(
                    "launches-unread",
                    f"The {what.replace('-', ' ')} here could not be read whole ({unread[what]}): "
                    "who launches it is not known.",
                    "Scan again with the right to read them.",
                    evidence,
                ),
            )
            for what in _DECIDING
            if what in unread
        ]
        for path in (*use.paths, *use.aliases):
            if status := self._path_against(path):
                how = (
                    "launches from it"
                    if path in use.paths
                    else f"looks its image up in a parameter ({path.image}), and it may be this one"
                )
                found.append(
                    (
                        status,
                        _reason(
                            "image-in-use",
                            f"{path.name} {how}, and is held ({status}).",
                            f"See `imdsctl explain {path.name}` first.",
                            [*evidence, *path.evidence],
                        ),
                    )
                )
        return found + list(self._instances_against(use))

    def _path_against(self, path: LaunchPath) -> Status | None:
        """Why a launch path could not live with it; None if it could, or will by then."""
        draft = self._drafts[path.cell]
        judged = self._paths[path.cell, path.id]
        if (
            judged.verdict.status == "done"
            or path.id in draft.frozen
            or path.group in draft.refreshed
        ):
            return None
        status = self._held.get((path.cell, path.id), judged.verdict.status)
        return "unknown" if status in ("ready", "done") else status

    def _instances_against(self, use: ImageUse) -> Iterator[tuple[Status, Reason]]:
        """What came from it and is held; all of one status in one reason."""
        held: dict[Status, list[Instance]] = defaultdict(list)
        for resource in use.instances:
            if resource not in self._instances:
                continue
            instance, verdict = self._instances[resource]
            policy = self._drafts[instance.cell].policy
            if verdict.status == "done" or sure_enough(verdict, policy):
                continue
            held["unknown" if verdict.status == "ready" else verdict.status].append(instance)
        for status, instances in held.items():
            first = instances[0]
            name = f" {first.name}" if first.name else ""
            more = f" and {len(instances) - 1:,} more" if len(instances) > 1 else ""
            yield (
                status,
                _reason(
                    "image-in-use",
                    f"{first.id}{name}{more} came from it, and "
                    f"{'are' if more else 'is'} held ({status}).",
                    f"See `imdsctl explain {first.id}` first.",
                    [use.record.id],
                ),
            )

    def _needs(self, use: ImageUse) -> Iterator[str]:
        """What this plan does to everything that comes from it, which has to come well first.

        An instance of a group comes and goes; what proves it is its group.
        """
        for path in (*use.paths, *use.aliases):
            draft = self._drafts[path.cell]
            for change in (*draft.freeze, *draft.groups):
                if change.resource in (path.template, path.group):
                    yield change.id
        for resource in use.instances:
            if resource in self._instances and not self._instances[resource][0].group:
                draft = self._drafts[self._instances[resource][0].cell]
                yield from (c.id for c in draft.instances if c.resource == resource)

    def _reason(self, use: ImageUse) -> str:
        image = use.image
        record = self._defaults[Cell(image.account, image.region)]
        who = (
            f"Launched by {', '.join(use.words())}: all of it is on V2 only or ready for it. "
            if use.launched
            else "Nothing here is known to launch it. "
        )
        outweighed = (
            " Until the account default changes from optional, that outweighs it."
            if record is not None and record.item.options.http_tokens == "optional"
            else ""
        )
        return (
            f"{who}Where neither launch template nor account default says otherwise, its instances "
            f"are born on V2 only, with hop limit 2.{outweighed}"
        )


def _reason(rule: str, summary: str, fix: str, evidence: list[str]) -> Reason:
    return Reason(rule=rule, summary=summary, fix=fix, evidence=evidence)
