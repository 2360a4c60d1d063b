"""What a group launches from: a launch template, several of them, or a launch configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from moto.autoscaling.exceptions import ValidationError

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.ec2 import templates
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.region import backend_of

FLOATING_VERSIONS = ("$Default", "$Latest")


@dataclass(frozen=True, slots=True)
class TemplateRef:
    """A launch template and a version as the group's owner named it; None means `$Default`."""

    id: str
    name: str
    version: str | None = None

    @property
    def floats(self) -> bool:
        """Whether the version is one that changes by itself."""
        return self.version is None or self.version in FLOATING_VERSIONS

    def number(self, account: str, region: str) -> int:
        """The version's number today.

        Raises:
            Refused: the template or the version is gone.
        """
        found = templates.find_version(backend_of(account, region), self.id, self.version)
        return int(found.number)

    def view(self) -> dict[str, str]:
        """The LaunchTemplateSpecification that describes show."""
        shown = {"LaunchTemplateId": self.id, "LaunchTemplateName": self.name}
        return shown if self.version is None else {**shown, "Version": self.version}


@dataclass(frozen=True, slots=True)
class Override:
    """An entry of a mixed instances policy: an instance type, and perhaps its own template."""

    instance_type: str | None
    template: TemplateRef
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What new instances of a group are made from; exactly one of the two origins is set.

    `mixed` holds the mixed instances policy as it was given, `overrides` what it resolves to.
    """

    launch_configuration: str | None = None
    template: TemplateRef | None = None
    mixed: Mapping[str, Any] | None = None
    overrides: tuple[Override, ...] = ()

    @property
    def templates(self) -> tuple[TemplateRef, ...]:
        """Every launch template that instances may come from."""
        own = (self.template,) if self.template is not None else ()
        return (*own, *(override.template for override in self.overrides))

    def on_demand_share(self, capacity: int) -> int:
        """How many of `capacity` instances are On-Demand; the others are Spot."""
        if self.mixed is None:
            return capacity
        distribution = self.mixed.get("InstancesDistribution") or {}
        base = int(distribution.get("OnDemandBaseCapacity") or 0)
        share = distribution.get("OnDemandPercentageAboveBaseCapacity")
        percent = 100 if share is None else int(share)
        return min(capacity, base + ceil(max(0, capacity - base) * percent / 100))


def find_template(account: str, region: str, spec: Mapping[str, Any]) -> TemplateRef:
    """The template that a LaunchTemplateSpecification names, by id or name.

    Raises:
        ValidationError: it names none, or one that does not exist.
    """
    wanted_id, wanted_name = spec.get("LaunchTemplateId"), spec.get("LaunchTemplateName")
    if bool(wanted_id) == bool(wanted_name):
        raise ValidationError(
            "Valid requests must contain either launchTemplateId or LaunchTemplateName"
        )
    version = spec.get("Version") or None
    try:
        template = templates.find(backend_of(account, region), str(wanted_id or wanted_name))
        templates.get_version(template, version or "$Default")
    except Refused as refused:
        raise ValidationError(
            f"You must use a valid fully-formed launch template. {refused.message}"
        ) from refused
    return TemplateRef(template.id, template.name, version)


def make_recipe(
    account: str,
    region: str,
    *,
    launch_configuration: str | None = None,
    template: Mapping[str, Any] | None = None,
    mixed: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe that the members of an Auto Scaling request describe; exactly one is given.

    Raises:
        ValidationError: a template or a version of it does not exist.
    """
    if launch_configuration:
        return Recipe(launch_configuration=launch_configuration)
    if mixed:
        described = mixed.get("LaunchTemplate") or {}
        base = find_template(account, region, described.get("LaunchTemplateSpecification") or {})
        overrides = tuple(
            Override(
                entry.get("InstanceType"),
                find_template(account, region, entry["LaunchTemplateSpecification"])
                if entry.get("LaunchTemplateSpecification")
                else base,
                entry.get("ImageId"),
            )
            for entry in described.get("Overrides") or []
        )
        return Recipe(template=base, mixed=templates.plain(mixed), overrides=overrides)
    return Recipe(template=find_template(account, region, template or {}))
