"""Who launches an image: what would be born differently if the image itself asked for IMDSv2."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from imdsctl.model.evidence import Image, Instance, LaunchConfiguration, Recorded, TemplateVersion
from imdsctl.model.launch_path import LaunchPath

_ALIAS = "resolve:"
# AWS's own parameters never name an image of the account's.
_PUBLIC_ALIAS = "resolve:ssm:/aws/service/"


class ImageUse(Struct, frozen=True, kw_only=True):
    """An image of the account's own, and what is known to launch it.

    `paths` are launch paths that name it, `aliases` those that look their image up in a parameter,
    which may be this one; `others` are template versions and launch configurations that name it
    and that nothing uses today; `instances` came from it and exist.
    """

    record: Recorded[Image]
    paths: list[LaunchPath] = field(default_factory=list)
    aliases: list[LaunchPath] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)

    @property
    def image(self) -> Image:
        """The image itself."""
        return self.record.item

    @property
    def launched(self) -> bool:
        """Whether anything is known to launch it or to have come from it."""
        return bool(self.paths or self.instances)

    def words(self) -> list[str]:
        """Who launches it, one each, for people."""
        named = [
            f"{'group' if path.group else 'template'} {path.name}"
            for path in self.paths
            if path.kind != "launch-configuration"
        ]
        listed = [*dict.fromkeys(named), *self.others]
        if self.instances:
            count = len(self.instances)
            listed.append(f"{count:,} instance{'s' * (count != 1)}")
        return listed


def image_uses(
    images: Iterable[Recorded[Image]],
    paths: Sequence[LaunchPath],
    templates: Iterable[Recorded[TemplateVersion]],
    configurations: Iterable[Recorded[LaunchConfiguration]],
    instances: Iterable[Instance],
) -> list[ImageUse]:
    """The account's own images that do not ask for IMDSv2, each with who launches it.

    The paths, templates, configurations and instances may be of several accounts in one region,
    because an image can be shared.
    """
    starting = [path for path in paths if path.kind != "launch-configuration"]
    by_image: dict[str, list[LaunchPath]] = defaultdict(list)
    for path in starting:
        by_image[path.image or ""].append(path)
    used = {(path.template, path.number) for path in starting}
    used_configurations = {path.launch_configuration for path in starting}
    others: dict[str, list[str]] = defaultdict(list)
    for version in templates:
        item = version.item
        if item.image and (item.template_id, item.number) not in used:
            others[item.image].append(f"template {item.template_name} version {item.number}")
    for configuration in configurations:
        one = configuration.item
        if one.image and one.name not in used_configurations:
            others[one.image].append(f"launch configuration {one.name}")
    came: dict[str, list[str]] = defaultdict(list)
    for instance in instances:
        if instance.state not in ("terminated", "shutting-down"):
            came[instance.image].append(instance.id)
    aliases = [path for path in starting if _is_alias(path.image or "")]
    return [
        ImageUse(
            record=record,
            paths=by_image.get(record.item.id, []),
            aliases=aliases,
            # In an order of their own, so that the same evidence always gives the same words.
            others=sorted(others.get(record.item.id, [])),
            instances=sorted(came.get(record.item.id, [])),
        )
        for record in sorted(images, key=lambda r: (r.item.name, r.item.id))
        if record.item.own and record.item.imds_support is None
    ]


def _is_alias(image: str) -> bool:
    """Whether a template's image is looked up at each launch, in a parameter of somebody's own."""
    return image.startswith(_ALIAS) and not image.startswith(_PUBLIC_ALIAS)
