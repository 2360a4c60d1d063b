"""Brings the EC2 part of a fleet file into being: images, launch templates, defaults, instances."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from imdsctl.simulator.ec2 import images, templates
from imdsctl.simulator.ec2.launch import launch
from imdsctl.simulator.ec2.options import WIRE_NAMES
from imdsctl.simulator.ec2.region import backend_of, set_defaults
from imdsctl.simulator.fleetfile import InstanceSpec, LaunchTemplate, Region, TemplateVersion
from imdsctl.simulator.world import current

DEFAULT_IMAGE = "default"
"""The name of the image that instances have whose fleet file names none; it is Amazon's."""


@dataclass(frozen=True, slots=True)
class SeededRegion:
    """The ids that the names in a fleet file have become in one region.

    Attributes:
        images: AMI ids by image name; `DEFAULT_IMAGE` is always there.
        launch_templates: launch template ids by name.
        instances: instance ids by the instances' names, in the order of the file.
    """

    images: Mapping[str, str]
    launch_templates: Mapping[str, str]
    instances: Mapping[str, tuple[str, ...]]


def seed_region(
    account: str, region: Region, *, start: datetime | None = None, history_days: float = 14
) -> SeededRegion:
    """Create what a fleet file has in one region of an account, Auto Scaling aside.

    The account's defaults are set first, so that instances without options of their own have
    what AWS would give them today.

    Args:
        account: the account's id.
        region: the region as the fleet file describes it.
        start: the fleet's start, which all ages count back from; None for the simulated now.
        history_days: for how many days before the start metrics exist.

    Raises:
        Refused: AWS would refuse something of it.
    """
    start = start or current().now
    defaults = dict(region.defaults)
    managed_by = str(defaults.pop("managed_by", "account"))
    message = str(defaults.pop("managed_exception_message", ""))
    set_defaults(account, region.name, defaults, managed_by=managed_by, message=message)

    named = {
        image.name: images.create(account, region.name, image.name, support=image.imds_support)
        for image in region.images
    }
    if DEFAULT_IMAGE not in named:
        named[DEFAULT_IMAGE] = images.create(account, region.name, DEFAULT_IMAGE, amazon=True)
    made = {
        template.name: _seed_template(account, region.name, template, named)
        for template in region.launch_templates
    }
    recorded_from = start - timedelta(days=history_days)
    instances: dict[str, tuple[str, ...]] = {}
    for spec in region.instances:
        ids = _seed_instances(account, region.name, spec, named, start, recorded_from)
        instances[spec.name] = (*instances.get(spec.name, ()), *ids)
    return SeededRegion(named, made, instances)


def template_data(version: TemplateVersion, images_by_name: Mapping[str, str]) -> dict[str, Any]:
    """A version's LaunchTemplateData; what the fleet file leaves out is absent."""
    data: dict[str, Any] = {}
    if version.image is not None:
        data["ImageId"] = images_by_name.get(version.image, version.image)
    if version.options:
        data["MetadataOptions"] = {
            WIRE_NAMES[name]: value for name, value in version.options.items()
        }
    if version.user_data is not None:
        data["UserData"] = b64encode(version.user_data.encode()).decode()
    return data


def _seed_template(
    account: str, region: str, template: LaunchTemplate, images_by_name: Mapping[str, str]
) -> str:
    first, *later = template.versions or (TemplateVersion(),)
    made = templates.create(account, region, template.name, template_data(first, images_by_name))
    for version in later:
        templates.create_version(account, region, made, template_data(version, images_by_name))
    backend = backend_of(account, region)
    found = templates.find_version(backend, made, template.default)
    found.template.default_version_number = found.number
    return made


def _seed_instances(
    account: str,
    region: str,
    spec: InstanceSpec,
    images_by_name: Mapping[str, str],
    start: datetime,
    recorded_from: datetime,
) -> list[str]:
    image = spec.image or DEFAULT_IMAGE
    return launch(
        account,
        region,
        image_id=images_by_name.get(image, image),
        options=spec.options,
        count=spec.count,
        name=spec.names,
        tags=spec.tags,
        callers=spec.callers,
        launched_at=start - timedelta(days=spec.launched_days_ago),
        booted_at=_before(start, spec.booted_days_ago),
        stopped_at=_before(start, spec.stopped_days_ago),
        state=spec.state,
        spot=spec.spot,
        platform=spec.platform,
        user_data=spec.user_data,
        metrics=spec.metrics,
        traced=spec.traced,
        software=spec.software,
        ssm=spec.ssm,
        role=spec.role,
        credentials=spec.credentials,
        operator=spec.operator,
        recorded_from=recorded_from,
    )


def _before(start: datetime, days: float | None) -> datetime | None:
    return None if days is None else start - timedelta(days=days)
