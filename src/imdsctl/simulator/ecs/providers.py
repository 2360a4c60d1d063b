"""Capacity providers and container instances as ECS describes them.

moto wants the names of capacity providers, forgets managedDraining on an update, and knows
nothing of Auto Scaling: here a group's members are the container instances of its cluster.
"""

from collections.abc import Mapping
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import CapacityProvider, EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups
from imdsctl.simulator.autoscaling.members import members_of

MOST: Final = 10
"""How many a page of DescribeCapacityProviders holds (API Reference, maxResults)."""

_FARGATE: Final = ("FARGATE", "FARGATE_SPOT")

_moto_update = CapacityProvider.update
_moto_list = EC2ContainerServiceBackend.list_container_instances
_moto_describe = EC2ContainerServiceBackend.describe_container_instances
_moto_describe_clusters = EC2ContainerServiceBackend.describe_clusters


def install() -> None:
    """See `imdsctl.simulator.ecs.install`."""
    for place, name, method in (
        (EC2ContainerServiceResponse, "describe_capacity_providers", describe_capacity_providers),
        (EC2ContainerServiceBackend, "list_container_instances", _list_container_instances),
        (EC2ContainerServiceBackend, "describe_container_instances", _describe_container_instances),
        (EC2ContainerServiceBackend, "describe_clusters", _describe_clusters),
        (CapacityProvider, "update", _update),
    ):
        # moto's type hints know nothing of being extended, hence setattr.
        setattr(place, name, method)


def describe_capacity_providers(self: Any) -> ActionResult:
    """DescribeCapacityProviders: those named, or all of them, ten to a page."""
    backend = self.ecs_backend
    names = self._get_param("capacityProviders")
    own = sorted(backend.capacity_providers)
    rows: list[Any] = []
    failures: list[Any] = []
    for name in names or [*_FARGATE, *own]:
        if name in _FARGATE:
            rows.append(_fargate(backend, name))
            continue
        found, missing = backend.describe_capacity_providers([name])
        rows += found
        failures += missing
    most = self._get_param("maxResults") or MOST
    if not 1 <= most <= MOST:
        raise InvalidParameterException(f"maxResults must be between 1 and {MOST}")
    start = _start(self._get_param("nextToken"))
    answer: dict[str, Any] = {
        "capacityProviders": rows[start : start + most],
        "failures": failures,
    }
    if start + most < len(rows):
        answer["nextToken"] = str(start + most)
    return ActionResult(answer)


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal():
        raise InvalidParameterException("Invalid token")
    return int(token)


def _fargate(backend: Any, name: str) -> dict[str, str]:
    """A provider that AWS itself has in every account; it has no Auto Scaling group."""
    return {
        "capacityProviderArn": (
            f"arn:aws:ecs:{backend.region_name}:{backend.account_id}:capacity-provider/{name}"
        ),
        "name": name,
        "status": "ACTIVE",
    }


def _update(self: Any, asg_details: Mapping[str, Any]) -> None:
    _moto_update(self, dict(asg_details))
    if draining := asg_details.get("managedDraining"):
        self.auto_scaling_group_provider["managedDraining"] = draining


def enrol(backend: Any, group: str, cluster: str) -> None:
    """Let the members of an Auto Scaling group be container instances of a cluster."""
    _groups(backend)[group] = cluster


def _groups(backend: Any) -> dict[str, str]:
    if not hasattr(backend, "imdsctl_groups"):
        backend.imdsctl_groups = {}
    known: dict[str, str] = backend.imdsctl_groups
    return known


def _match(backend: Any) -> None:
    """Register the members that have come since, deregister those that are gone."""
    scaling = groups.backend_of(backend.account_id, backend.region_name)
    for name, cluster in _groups(backend).items():
        group = scaling.autoscaling_groups.get(name)
        here = {
            member.instance_id
            for member in (members_of(group) if group is not None else ())
            if member.lifecycle_state == "InService"
        }
        registered = backend.container_instances.setdefault(cluster, {})
        for key, one in list(registered.items()):
            if one.ec2_instance_id not in here:
                del registered[key]
                backend.clusters[cluster].registered_container_instances_count -= 1
        for instance_id in sorted(here - {one.ec2_instance_id for one in registered.values()}):
            backend.register_container_instance(cluster, instance_id)


def _list_container_instances(self: Any, *args: Any, **kwargs: Any) -> Any:
    _match(self)
    return _moto_list(self, *args, **kwargs)


def _describe_container_instances(self: Any, *args: Any, **kwargs: Any) -> Any:
    _match(self)
    return _moto_describe(self, *args, **kwargs)


def _describe_clusters(self: Any, *args: Any, **kwargs: Any) -> Any:
    _match(self)
    return _moto_describe_clusters(self, *args, **kwargs)
