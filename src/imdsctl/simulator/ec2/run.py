"""RunInstances: moto's, with AWS's resolution of the metadata options and a life for each birth."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from imdsctl.simulator.ec2 import clones, describe, stock, templates
from imdsctl.simulator.ec2 import launch as births
from imdsctl.simulator.ec2 import options as levels
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.images import imds_support
from imdsctl.simulator.ec2.region import InstanceOptions, naive, state_of
from imdsctl.simulator.life import EXTRA_HOPS, Caller, Life
from imdsctl.simulator.world import current

CALLERS_TAG = "imdsctl:callers"
"""A tag that brings an instance to life from plain RunInstances: a JSON list of callers."""

_BEHAVIOURS = {"v1-only", "v1-first", "v2", "fallback", "v2-strict"}
_TIMES = {"steady", "boot", "nightly", "monthly", "failover"}


def run_instances_call(self: Any) -> str:
    """RunInstances on the wire: MaxCount instances, once for each client token."""
    state = state_of(self.ec2_backend)
    if self._get_param("LaunchTemplate") is None and not self._get_param("ImageId"):
        raise Refused("MissingParameter", "The request must contain the parameter ImageId")
    lowest, highest = int(self._get_param("MinCount") or 1), int(self._get_param("MaxCount") or 1)
    if not 1 <= lowest <= highest:
        raise Refused(
            "InvalidParameterValue",
            f"Value ({lowest}) for parameter minCount is invalid. "
            "It must be between 1 and maxCount.",
        )
    token = self._get_param("ClientToken")
    request = json.dumps(templates.plain(self.params), sort_keys=True, default=str)
    if token and ("RunInstances", token) in state.replies:
        known, reservation = state.replies["RunInstances", token]
        if known != request:
            raise Refused(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in "
                "previous request(s).",
            )
        return describe.reservation_xml(self.ec2_backend, reservation)
    # moto launches MinCount; EC2 launches as many as it can, up to MaxCount.
    self.params["MinCount"] = highest
    reservation = stock.run_instances_call(self).result
    if token:
        state.replies["RunInstances", token] = (request, reservation)
    return describe.reservation_xml(self.ec2_backend, reservation)


def run_instances(
    backend: Any,
    image_id: str,
    count: int,
    user_data: Any,
    security_group_names: list[str],
    **kwargs: Any,
) -> Any:
    """Replaces moto's method of this name, which Spot requests and fleets call as well."""
    state = state_of(backend)
    now = current().now
    wanted = kwargs.get("launch_template") or {}
    version = None
    if wanted:
        asked = wanted.get("LaunchTemplateId") or wanted.get("LaunchTemplateName") or ""
        version = templates.find_version(backend, asked, wanted.get("Version"))
    data: Mapping[str, Any] = version.data if version else {}
    image = image_id or data.get("ImageId") or ""
    resolved = levels.resolve_options(
        levels.from_wire(kwargs.get("metadata_options")),
        levels.from_wire(data.get("MetadataOptions")),
        state.defaults,
        imds_support(backend, image),
    )
    births.enforce(state, resolved)
    tags = {
        **(templates.instance_tags(version) if version else {}),
        **(kwargs.get("tags") or {}).get("instance", {}),
    }
    if resolved.instance_metadata_tags == "enabled":
        levels.check_tag_keys(tags)
    callers = read_callers(tags.get(CALLERS_TAG))

    reservation = stock.run_instances(
        backend, image, count, user_data, security_group_names, **kwargs
    )
    for instance in reservation.instances:
        _give_id(backend, instance, state.new_id("i", tags.get("Name") or "run"))
        instance.imdsctl_reservation = reservation
        instance.launch_time = naive(now)
        instance.metadata_options = InstanceOptions(
            resolved, now + timedelta(seconds=births.pending_seconds)
        )
        if image not in backend.amis:
            # moto takes instances of images that it does not know for paravirtual ones.
            instance.virtualization_type = "hvm"
        for nic in instance.nics.values():
            nic.attach_time = naive(now)
            nic.delete_on_termination = True
        if templates.asks_for_spot(data):
            instance.lifecycle = "spot"
        profile = data.get("IamInstanceProfile") or {}
        if instance.iam_instance_profile is None and (profile.get("Name") or profile.get("Arn")):
            name = profile.get("Name") or profile["Arn"].rsplit("/", 1)[-1]
            instance.iam_instance_profile = clones.profile(backend.account_id, name)
        state.add(instance)
        current().lives[instance.id] = Life(
            instance_id=instance.id,
            account=backend.account_id,
            region=backend.region_name,
            name=tags.get("Name", ""),
            asg=tags.get("aws:autoscaling:groupName"),
            launched_at=now,
            callers=callers,
            platform="windows" if instance.platform == "windows" else "linux",
            options=[(now, resolved)],
            runs=[(now, None)],
            boots=[now],
        )
    return reservation


def read_callers(text: str | None) -> tuple[Caller, ...]:
    """The callers in a tag's JSON: the same tables as in a fleet file.

    Raises:
        Refused: InvalidParameterValue, saying what is wrong with the tag.
    """
    if not text:
        return ()
    names = {field.name for field in fields(Caller)}
    try:
        tables = json.loads(text)
        callers = tuple(Caller(**table) for table in tables)
    except (ValueError, TypeError) as problem:
        raise Refused(
            "InvalidParameterValue",
            f"The tag {CALLERS_TAG} is no JSON list of callers with the keys "
            f"{', '.join(sorted(names))}: {problem}",
        ) from None
    for caller in callers:
        for name, values in (
            ("behaviour", _BEHAVIOURS),
            ("when", _TIMES),
            ("container", set(EXTRA_HOPS)),
        ):
            if getattr(caller, name) not in values:
                raise Refused(
                    "InvalidParameterValue",
                    f"The tag {CALLERS_TAG} has {name} '{getattr(caller, name)}'; "
                    f"expected one of {', '.join(sorted(values))}.",
                )
    return callers


def _give_id(backend: Any, instance: Any, instance_id: str) -> None:
    """Change a new instance's id from moto's random one to one that is the same in every run."""
    backend.tags[instance_id] = backend.tags.pop(instance.id, {})
    instance.id = instance_id
