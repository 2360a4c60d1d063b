"""Launch paths: what would start instances, and which metadata options those would get.

The order of precedence is AWS's, for each option separately: launch template, then account
default, then the image's ImdsSupport (tokens and hop limit only), then what is built in
(EC2 User Guide, "Configure instance metadata options", order of precedence).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import structs

from imdsctl.judge.nodegroups import Nodegroups
from imdsctl.model.evidence import (
    AccountDefaults,
    Group,
    GroupSpec,
    Image,
    Instance,
    LaunchConfiguration,
    Nodegroup,
    Recorded,
    TemplateVersion,
)
from imdsctl.model.launch_path import Decider, LaunchPath
from imdsctl.model.options import BUILT_IN, MetadataOptions

IMAGE_V2 = MetadataOptions(http_tokens="required", http_put_response_hop_limit=2)
"""What an image with ImdsSupport v2.0 asks for."""

_OWNER_TAGS = {
    "eks:nodegroup-name": "EKS managed node group {}",
    "elasticbeanstalk:environment-name": "Elastic Beanstalk environment {}",
    "karpenter.sh/nodepool": "Karpenter node pool {}",
}


def effective_options(
    explicit: MetadataOptions,
    default: MetadataOptions,
    image: Image | None,
    *,
    account_default_applies: bool = True,
) -> tuple[MetadataOptions, Decider]:
    """The options an instance would get, and who decides about the tokens.

    `account_default_applies` is False for launch configurations: AWS documents their own defaults
    and says nothing of account defaults reaching them, so the worse case is taken.
    """
    v2_image = image is not None and image.imds_support == "v2.0"
    result = BUILT_IN
    decider: Decider = "built-in"
    if v2_image and account_default_applies:
        result = IMAGE_V2.over(result)
        decider = "image"
    if account_default_applies:
        result = default.over(result)
        if default.http_tokens is not None:
            decider = "account default"
    result = explicit.over(result)
    if explicit.http_tokens is not None:
        decider = "template" if account_default_applies else "launch configuration"
    return structs.replace(result, state=None), decider


class PathFinder:
    """Finds every launch path of one cell; built once from what was read there."""

    def __init__(
        self,
        *,
        templates: Iterable[Recorded[TemplateVersion]],
        configurations: Iterable[Recorded[LaunchConfiguration]],
        groups: Iterable[Recorded[Group]],
        defaults: Recorded[AccountDefaults] | None,
        images: Iterable[Recorded[Image]],
        instances: Iterable[Instance],
        nodegroups: Iterable[Recorded[Nodegroup]] = (),
    ) -> None:
        self._versions: dict[str, dict[int, Recorded[TemplateVersion]]] = defaultdict(dict)
        for version in templates:
            self._versions[version.item.template_id][version.item.number] = version
        self._nodegroups = Nodegroups(nodegroups, self._versions)
        self._configurations = {c.item.name: c for c in configurations}
        self._groups = sorted(groups, key=lambda g: g.item.name)
        self._defaults = defaults
        self._default_options = defaults.item.options if defaults else MetadataOptions()
        # An account default of `optional` outweighs the image; where it is not known, an image
        # proves nothing.
        self._images = {i.item.id: i.item for i in images} if defaults else {}
        self._by_template: dict[str, list[str]] = defaultdict(list)
        for instance in instances:
            if instance.template and not instance.group and instance.state != "terminated":
                self._by_template[instance.template.id].append(instance.id)

    def paths(self) -> list[LaunchPath]:
        """All of them: groups first, then templates and configurations that no group uses."""
        found: list[LaunchPath] = []
        for group in self._groups:
            found.extend(self._of_group(group))
        used_defaults = {
            path.template
            for path in found
            if path.template and (path.version == "$Default" or self._is_default(path))
        }
        used_defaults |= self._nodegroups.templates(found)
        for template_id, versions in sorted(self._versions.items()):
            default = next((v for v in versions.values() if v.item.default), None)
            if default is not None and template_id not in used_defaults:
                found.append(self._of_template(default))
        used = {path.launch_configuration for path in found}
        found.extend(
            self._of_configuration(configuration, None)
            for name, configuration in sorted(self._configurations.items())
            if name not in used
        )
        return found

    def _is_default(self, path: LaunchPath) -> bool:
        versions = self._versions.get(path.template or "", {})
        return path.number in versions and versions[path.number].item.default

    def _of_group(self, group: Recorded[Group]) -> Iterable[LaunchPath]:
        if group.item.launch_configuration:
            configuration = self._configurations.get(group.item.launch_configuration)
            if configuration is not None:
                yield self._of_configuration(configuration, group)
            else:
                yield self._unread_configuration(group, group.item.launch_configuration)
            return
        by_spec: dict[tuple[str, str], list[GroupSpec]] = defaultdict(list)
        for spec in group.item.specs:
            by_spec[spec.template.id, spec.template.version].append(spec)
        for (template_id, version), specs in by_spec.items():
            record = self._resolve(template_id, version)
            explicit = record.item.options if record else MetadataOptions()
            image = record.item.image if record else None
            effective, decider = effective_options(
                explicit, self._default_options, self._images.get(image or "")
            )
            nodegroup = self._nodegroups.of(group.item)
            yield LaunchPath(
                id=f"{group.item.name}/{specs[0].template.name}:{version}",
                kind="group",
                account=group.item.account,
                region=group.item.region,
                name=group.item.name,
                effective=effective,
                explicit=explicit,
                decided_by=decider,
                group=group.item.name,
                template=template_id,
                template_name=specs[0].template.name,
                version=version,
                number=record.item.number if record else None,
                image=image,
                owner=self._nodegroups.told(nodegroup, owner_of(group.item.tags)),
                nodegroup=nodegroup,
                where=["main" if s.override is None else str(s.override) for s in specs],
                members=sorted(m.id for m in group.item.members),
                evidence=[
                    *self._evidence(group, record),
                    *self._nodegroups.evidence(nodegroup),
                ],
            )

    def _unread_configuration(self, group: Recorded[Group], name: str) -> LaunchPath:
        """A group whose launch configuration is not known: neither a template nor one is named."""
        return LaunchPath(
            id=f"{group.item.name}/{name}",
            kind="group",
            account=group.item.account,
            region=group.item.region,
            name=group.item.name,
            effective=BUILT_IN,
            explicit=MetadataOptions(),
            decided_by="built-in",
            group=group.item.name,
            owner=owner_of(group.item.tags),
            where=["main"],
            members=sorted(m.id for m in group.item.members),
            evidence=self._evidence(group),
        )

    def _resolve(self, template_id: str, version: str) -> Recorded[TemplateVersion] | None:
        versions = self._versions.get(template_id, {})
        if version == "$Default":
            return next((v for v in versions.values() if v.item.default), None)
        if version == "$Latest":
            return next((v for v in versions.values() if v.item.latest), None)
        return versions.get(int(version)) if version.isdigit() else None

    def _of_template(self, record: Recorded[TemplateVersion]) -> LaunchPath:
        version = record.item
        effective, decider = effective_options(
            version.options, self._default_options, self._images.get(version.image or "")
        )
        return LaunchPath(
            id=f"{version.template_name}:$Default",
            kind="template",
            account=version.account,
            region=version.region,
            name=version.template_name,
            effective=effective,
            explicit=version.options,
            decided_by=decider,
            template=version.template_id,
            template_name=version.template_name,
            version="$Default",
            number=version.number,
            image=version.image,
            owner=owner_of(version.tags),
            members=sorted(self._by_template.get(version.template_id, [])),
            evidence=self._evidence(record),
        )

    def _of_configuration(
        self, record: Recorded[LaunchConfiguration], group: Recorded[Group] | None
    ) -> LaunchPath:
        configuration = record.item
        effective, decider = effective_options(
            configuration.options,
            self._default_options,
            self._images.get(configuration.image or ""),
            account_default_applies=False,
        )
        name = group.item.name if group else configuration.name
        return LaunchPath(
            id=f"{name}/{configuration.name}" if group else configuration.name,
            kind="group" if group else "launch-configuration",
            account=configuration.account,
            region=configuration.region,
            name=name,
            effective=effective,
            explicit=configuration.options,
            decided_by=decider,
            group=group.item.name if group else None,
            launch_configuration=configuration.name,
            image=configuration.image,
            owner=owner_of(group.item.tags) if group else None,
            where=["main"] if group else [],
            members=sorted(m.id for m in group.item.members) if group else [],
            evidence=self._evidence(group, record),
        )

    def _evidence(
        self,
        *records: Recorded[Group]
        | Recorded[TemplateVersion]
        | Recorded[LaunchConfiguration]
        | None,
    ) -> list[str]:
        found = [record.id for record in records if record is not None]
        return [*found, self._defaults.id] if self._defaults else found


def owner_of(tags: Mapping[str, str]) -> str | None:
    """The service that owns a resource and would undo changes behind its back, by its tags."""
    for key, text in _OWNER_TAGS.items():
        if key in tags:
            return text.format(tags[key])
    return None
