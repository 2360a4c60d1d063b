"""Lays the documented EC2 behaviour over moto's classes, by name."""

from datetime import UTC, datetime
from functools import wraps
from typing import Any

from moto.core.utils import utcnow as real_utcnow
from moto.ec2.models import (
    amis,
    core,
    elastic_block_store,
    fleets,
    instances,
    launch_templates,
    tags,
)
from moto.ec2.responses import EC2Response
from moto.ec2.responses._base_response import EC2BaseResponse

from imdsctl.simulator.ec2 import (
    blank,
    describe,
    images,
    lifecycle,
    metadata,
    options,
    run,
    stock,
    template_calls,
    templates,
)
from imdsctl.simulator.ec2.errors import dry_run, no_instances
from imdsctl.simulator.ec2.region import state_of
from imdsctl.simulator.world import current

CALLS = (
    blank.describe_client_vpn_endpoints,
    blank.get_image_block_public_access_state,
    blank.get_snapshot_block_public_access_state,
    describe.describe_instances,
    describe.describe_instance_status,
    images.describe_images,
    images.describe_image_attribute,
    images.modify_image_attribute,
    images.register_image,
    images.reset_image_attribute,
    metadata.get_instance_metadata_defaults,
    metadata.modify_instance_metadata_defaults,
    metadata.modify_instance_metadata_options,
    template_calls.create_launch_template,
    template_calls.create_launch_template_version,
    template_calls.delete_launch_template_versions,
    template_calls.describe_launch_template_versions,
    template_calls.describe_launch_templates,
    template_calls.get_launch_template_data,
    template_calls.modify_launch_template,
)
"""The API's calls that are answered here, under moto's names for them."""


def install() -> None:
    """Lay the documented behaviour over moto; a second time changes nothing."""
    if hasattr(EC2Response, "imdsctl_installed"):
        return
    EC2Response.imdsctl_installed = True
    for call in CALLS:
        setattr(EC2Response, call.__name__, _in_the_world(call))
    EC2Response.run_instances = _in_the_world(run.run_instances_call)
    EC2BaseResponse.error_on_dryrun = _error_on_dryrun

    instances.InstanceBackend.run_instances = run.run_instances
    for method in (
        lifecycle.start_instances,
        lifecycle.stop_instances,
        lifecycle.reboot_instances,
        lifecycle.terminate_instances,
    ):
        setattr(instances.InstanceBackend, method.__name__, method)
    instances.InstanceBackend.get_instance = _get_instance
    instances.InstanceBackend.get_instance_by_id = _get_instance_by_id
    instances.InstanceBackend.get_multi_instances_by_id = _get_multi_instances_by_id
    amis.AmiBackend.create_image = images.create_image
    amis.AmiBackend.copy_image = images.copy_image
    launch_templates.LaunchTemplate.get_version = templates.get_version
    launch_templates.LaunchTemplate.create_version = templates.add_version
    launch_templates.LaunchTemplate.default_version = _default_version
    core.TaggedEC2Resource.get_tags = _get_tags
    tags.TagBackend.create_tags = _create_tags
    for module in (amis, elastic_block_store, fleets, instances, launch_templates):
        module.utcnow = _utcnow


def _in_the_world(call: Any) -> Any:
    """A call that first lets everything happen that is due, and is alone while it runs."""

    @wraps(call)
    def answer(self: Any) -> Any:
        world = current()
        with world.lock:
            world.catch_up()
            return call(self)

    return answer


def _error_on_dryrun(self: Any) -> None:
    if self._get_bool_param("DryRun", if_none=False):
        raise dry_run()


def _utcnow() -> datetime:
    try:
        return current().now.astimezone(UTC).replace(tzinfo=None)
    except RuntimeError:
        # moto's backends may be made before there is a world.
        return real_utcnow()  # type: ignore[no-any-return]


def _get_instance(backend: Any, instance_id: str) -> Any:
    found = _get_instance_by_id(backend, instance_id)
    if found is None:
        raise no_instances([instance_id])
    return found


def _get_instance_by_id(backend: Any, instance_id: str) -> Any:
    found = state_of(backend).instances.get(instance_id)
    if found is None and backend.reservations:
        # moto attaches volumes to instances that it has not handed out yet: the newest.
        newest = backend.reservations[next(reversed(backend.reservations))]
        found = next((one for one in newest.instances if one.id == instance_id), None)
    return found


def _get_multi_instances_by_id(backend: Any, instance_ids: list[str], filters: Any = None) -> Any:
    found = state_of(backend).find(list(instance_ids))
    return [instance for instance in found if instance.applies(filters)]


def _default_version(template: Any) -> Any:
    return templates.get_version(template, "$Default")


def _get_tags(resource: Any) -> list[dict[str, str]]:
    # moto looks through the tags of everything that exists.
    return [
        {"resource_id": resource.id, "key": key, "value": value}
        for key, value in resource.ec2_backend.tags.get(resource.id, {}).items()
    ]


def _create_tags(backend: Any, resource_ids: list[str], new: dict[str, str]) -> Any:
    known = state_of(backend).instances
    for resource_id in resource_ids:
        instance = known.get(resource_id)
        if instance and instance.metadata_options.instance_metadata_tags == "enabled":
            options.check_tag_keys(new)
    return stock.create_tags(backend, resource_ids, new)
