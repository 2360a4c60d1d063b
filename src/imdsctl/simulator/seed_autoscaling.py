"""Brings the Auto Scaling groups of a fleet file into being, with their launch history.

The tags that AWS puts on a group's instances are put there too. An EKS managed node group shows
as `eks:nodegroup-name`, `eks:cluster-name` and `kubernetes.io/cluster/<cluster>: owned`; the
cluster is the group's own tag `eks:cluster-name`, or "main". Its group launches from EKS's copy of
the launch template that the fleet file names, as on AWS, unless the file says that EKS made that
one. An ECS cluster shows as the tag
`AmazonECSManaged`, which a capacity provider leaves on its group, and as
`aws:ecs:clusterName`, a hint of our own naming: real container instances are only known to ECS.
An Elastic Beanstalk environment shows as `elasticbeanstalk:environment-name` and `-id`.
"""

from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto.core.types import Base64EncodedString

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups, launching
from imdsctl.simulator.autoscaling.members import BOOT, nature_of, note
from imdsctl.simulator.autoscaling.recipes import TemplateRef
from imdsctl.simulator.beanstalk.names import environment_id
from imdsctl.simulator.ec2.options import WIRE_NAMES
from imdsctl.simulator.eks import nodegroups
from imdsctl.simulator.fleetfile import Group, LaunchConfiguration, Region
from imdsctl.simulator.seed_ec2 import DEFAULT_IMAGE, SeededRegion

_OLDEST_DAYS = 400.0
_QUIET_DAYS = 180.0
_CLUSTER, _CLUSTER_TAG = "main", "eks:cluster-name"


@dataclass(frozen=True, slots=True)
class Stay:
    """`count` instances of a group that were launched together, and perhaps are gone again."""

    launched_at: datetime
    terminated_at: datetime | None
    count: int = 1


def seed_region(
    account: str,
    region: Region,
    seeded: SeededRegion,
    *,
    start: datetime,
    recorded_from: datetime,
) -> None:
    """Create a region's launch configurations and groups, with the history of the latter.

    Args:
        account: the account's id.
        region: the region as the fleet file describes it.
        seeded: what the names of images and templates have become.
        start: the fleet's start, at which the history ends.
        recorded_from: where the history begins.
    """
    for configuration in region.launch_configurations:
        _seed_configuration(account, region.name, configuration, seeded.images, recorded_from)
    for group in region.groups:
        _seed_group(account, region.name, group, seeded, start, recorded_from)


def history(
    size: int, replaced_per_day: float, start: datetime, recorded_from: datetime
) -> Iterator[Stay]:
    """The stays of a group's instances, oldest first.

    Replacements come evenly over the history, each taking out the oldest instance and bringing
    in a new one. What there was when the history began had come in at the same pace before it,
    or at once where nothing is ever replaced.

    Args:
        size: how many instances the group has at any time.
        replaced_per_day: how many are replaced a day.
        start: when the history ends.
        recorded_from: when the history begins.
    """
    if replaced_per_day <= 0:
        yield Stay(recorded_from - timedelta(days=_QUIET_DAYS), None, size)
        return
    pace = timedelta(days=1 / replaced_per_day)
    oldest = recorded_from - timedelta(days=_OLDEST_DAYS)
    present = deque(
        max(oldest, recorded_from - pace * (number + 0.5)) for number in reversed(range(size))
    )
    replacements = int((start - recorded_from) / pace)
    gone = []
    for number in range(replacements):
        # Half a pace in, so that none falls on the very edge of the history.
        when = recorded_from + pace * (number + 0.5)
        gone.append(Stay(present.popleft(), when))
        present.append(when)
    yield from gone
    for launched_at in present:
        yield Stay(launched_at, None)


def _seed_configuration(
    account: str,
    region: str,
    configuration: LaunchConfiguration,
    images: Mapping[str, str],
    created: datetime,
) -> None:
    named = configuration.image or DEFAULT_IMAGE
    options = {WIRE_NAMES[name]: value for name, value in (configuration.options or {}).items()}
    user_data = configuration.user_data
    made: Any = groups.backend_of(account, region).create_launch_configuration(
        name=configuration.name,
        image_id=images.get(named, named),
        key_name=None,
        kernel_id="",
        ramdisk_id="",
        security_groups=[],
        user_data=Base64EncodedString(b64encode(user_data.encode()).decode())
        if user_data is not None
        else None,
        instance_type="m5.large",
        instance_monitoring=False,
        instance_profile_name=None,
        spot_price=None,
        ebs_optimized=False,
        associate_public_ip_address=False,
        block_device_mappings=[],
        metadata_options=options or None,
    )
    made.created_time = created - timedelta(days=_QUIET_DAYS)


def _tags(spec: Group) -> dict[str, str]:
    tags = dict(spec.tags)
    if spec.eks_nodegroup:
        cluster = tags.setdefault(_CLUSTER_TAG, _CLUSTER)
        tags["eks:nodegroup-name"] = spec.eks_nodegroup
        tags[f"kubernetes.io/cluster/{cluster}"] = "owned"
    if spec.ecs_cluster:
        tags["AmazonECSManaged"] = ""
        tags["aws:ecs:clusterName"] = spec.ecs_cluster
    if spec.beanstalk_environment:
        tags["elasticbeanstalk:environment-name"] = spec.beanstalk_environment
        tags["elasticbeanstalk:environment-id"] = environment_id(spec.beanstalk_environment)
    return tags


def _seed_group(
    account: str,
    region: str,
    spec: Group,
    seeded: SeededRegion,
    start: datetime,
    recorded_from: datetime,
) -> None:
    recipe: dict[str, Any]
    own, copy = _eks_copy(account, region, spec, seeded)
    if spec.launch_configuration:
        recipe = {"launch_configuration": spec.launch_configuration}
    elif own is not None and copy is not None:
        made = copy.ref(str(own.version))
        recipe = {"template": {"LaunchTemplateId": made.id, "Version": made.version}}
    else:
        assert spec.launch_template is not None, "a fleet file gives a group one or the other"
        template = seeded.launch_templates.get(spec.launch_template, spec.launch_template)
        recipe = {"template": {"LaunchTemplateId": template, "Version": spec.version}}
    group = groups.create_from_spec(
        account, region, spec.name, recipe=recipe, size=spec.size, tags=_tags(spec)
    )
    nature = nature_of(group)
    nature.callers, nature.metrics, nature.traced = spec.callers, spec.metrics, spec.traced
    nature.software, nature.ssm = spec.software, spec.ssm
    nature.role, nature.credentials = spec.role, spec.credentials
    nature.image, nature.recorded_from = seeded.images[DEFAULT_IMAGE], recorded_from
    stays = list(history(spec.size, spec.replaced_per_day, start, recorded_from))
    group.created_time = min(stay.launched_at for stay in stays)
    for stay in stays:
        cause = (
            "an instance was started in response to a difference between desired and actual "
            "capacity, increasing the capacity."
        )
        launching.bear(
            group,
            stay.count,
            cause,
            launched_at=stay.launched_at,
            terminated_at=stay.terminated_at,
        )
        if stay.terminated_at is not None:
            _note_end(group, stay.terminated_at)
    if spec.eks_nodegroup:
        nodegroups.create(
            account,
            region,
            _tags(spec)[_CLUSTER_TAG],
            spec.eks_nodegroup,
            group=group,
            created_at=group.created_time,
            template=own,
            copy=copy,
            drainable=spec.eks_drainable,
        )


def _eks_copy(
    account: str, region: str, spec: Group, seeded: SeededRegion
) -> tuple[TemplateRef | None, nodegroups.Copy | None]:
    """A node group's own template with its version, and the copy that its group launches from."""
    if not (spec.eks_nodegroup and spec.eks_custom_template and spec.launch_template):
        return None, None
    template = seeded.launch_templates[spec.launch_template]
    tags = {key: value for key, value in _tags(spec).items() if key.startswith("eks:")}
    copy = nodegroups.make_copy(account, region, template, spec.version, tags)
    return TemplateRef(template, spec.launch_template, copy.sources[1]), copy


def _note_end(group: Any, when: datetime) -> None:
    """The activity that ended the instance whose launch was noted last."""
    from imdsctl.simulator.autoscaling.members import book_of  # noqa: PLC0415 - read only here

    launched = book_of(group.autoscaling_backend).activities[-1]
    instance_id = launched.description.rpartition(" ")[2]
    note(
        group,
        f"Terminating EC2 instance: {instance_id}",
        f"instance {instance_id} was taken out of service in response to an instance replacement.",
        started=when - BOOT,
        zone=launched.zone,
    )
