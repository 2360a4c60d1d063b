"""DescribeInstances and DescribeInstanceStatus, quick enough for a hundred thousand instances."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from moto.ec2.utils import passes_filter_dict

from imdsctl.simulator import life as lives
from imdsctl.simulator.ec2 import paging
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.filters import Predicate, compile_filters
from imdsctl.simulator.ec2.region import RegionState, state_of
from imdsctl.simulator.ec2.render import HEAD, NAMESPACE, REQUEST_ID, instance_xml
from imdsctl.simulator.world import current

SMALLEST_PAGE, LARGEST_PAGE = 5, 1000
"""MaxResults counts instances, from 5 to 1000 (API Reference, DescribeInstances)."""

INITIALIZING = timedelta(minutes=2)
"""How long after a boot the status checks have no result yet."""


def _option(name: str) -> Callable[[Any], object]:
    return lambda instance: getattr(instance.metadata_options.values, name)


def _nic(read: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda instance: read(instance.nics[0]) if instance.state != "terminated" else None


INSTANCE_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "metadata-options.http-tokens": _option("http_tokens"),
    "metadata-options.http-endpoint": _option("http_endpoint"),
    # IPv4 is on whenever the endpoint is.
    "metadata-options.http-protocol-ipv4": _option("http_endpoint"),
    "metadata-options.http-protocol-ipv6": _option("http_protocol_ipv6"),
    "metadata-options.http-put-response-hop-limit": _option("http_put_response_hop_limit"),
    "metadata-options.instance-metadata-tags": _option("instance_metadata_tags"),
    "metadata-options.state": lambda instance: instance.metadata_options.state,
    "instance-state-name": lambda instance: instance.state,
    "instance-state-code": lambda instance: instance.state_code,
    "instance-id": lambda instance: instance.id,
    "instance-type": lambda instance: instance.instance_type,
    "instance-lifecycle": lambda instance: instance.lifecycle,
    "image-id": lambda instance: instance.image_id,
    "vpc-id": _nic(lambda nic: nic.subnet.vpc_id),
    "subnet-id": _nic(lambda nic: nic.subnet.id),
    "private-ip-address": _nic(lambda nic: nic.private_ip_address),
    "network-interface.network-interface-id": _nic(lambda nic: nic.id),
    "instance.group-id": _nic(lambda nic: [group.id for group in nic.group_set]),
    "instance.group-name": _nic(lambda nic: [group.name for group in nic.group_set]),
    "availability-zone": lambda instance: instance.placement.zone,
    "platform": lambda instance: instance.platform,
    "platform-details": lambda instance: (
        "Windows" if instance.platform == "windows" else "Linux/UNIX"
    ),
    "launch-time": lambda instance: f"{instance.launch_time:%Y-%m-%dT%H:%M:%S.000Z}",
    "iam-instance-profile.arn": lambda instance: (instance.iam_instance_profile or {}).get("Arn"),
    "iam-instance-profile.id": lambda instance: (instance.iam_instance_profile or {}).get("Id"),
    "key-name": lambda instance: instance.key_name,
    "monitoring-state": lambda instance: instance.monitoring_state,
    "owner-id": lambda instance: instance.owner_id,
    "reservation-id": lambda instance: instance.imdsctl_reservation.id,
    "root-device-type": lambda instance: instance.root_device_type,
    "operator.managed": lambda instance: bool(getattr(instance, "imdsctl_operator", "")),
    "operator.principal": lambda instance: getattr(instance, "imdsctl_operator", "") or None,
}
"""Filters that are read here; moto's own code knows some more."""


def describe_instances(self: Any) -> str:
    """DescribeInstances."""
    self.error_on_dryrun()
    backend = self.ec2_backend
    state = state_of(backend)
    state.forget_the_dead(backend)
    predicates = compile_filters(
        self._filters_from_querystring(),
        INSTANCE_FILTERS,
        lambda instance: backend.tags.get(instance.id, {}),
        _moto_filter,
    )
    page, following = _page(self, "DescribeInstances", state, predicates)
    body = "".join(
        f"<item>{_reservation_head(reservation, backend.account_id)}<instancesSet>"
        + "".join(instance_xml(instance, backend.tags.get(instance.id, {})) for instance in group)
        + "</instancesSet></item>"
        for reservation, group in groupby(page, key=lambda one: one.imdsctl_reservation.id)
    )
    return (
        f'{HEAD}<DescribeInstancesResponse xmlns="{NAMESPACE}">{REQUEST_ID}'
        f"<reservationSet>{body}</reservationSet>{_token(following)}</DescribeInstancesResponse>"
    )


def reservation_xml(backend: Any, reservation: Any) -> str:
    """A RunInstancesResponse: what was just launched, still pending."""
    instances = "".join(
        instance_xml(instance, backend.tags.get(instance.id, {}), state=(0, "pending"))
        for instance in reservation.instances
    )
    return (
        f'{HEAD}<RunInstancesResponse xmlns="{NAMESPACE}">{REQUEST_ID}'
        f"{_reservation_head(reservation.id, backend.account_id)}"
        f"<instancesSet>{instances}</instancesSet></RunInstancesResponse>"
    )


def describe_instance_status(self: Any) -> str:
    """DescribeInstanceStatus: running instances only, unless IncludeAllInstances is given."""
    self.error_on_dryrun()
    backend = self.ec2_backend
    state = state_of(backend)
    state.forget_the_dead(backend)
    predicates = compile_filters(self._filters_from_querystring(), STATUS_FILTERS)
    if not self._get_bool_param("IncludeAllInstances", if_none=False):
        predicates.insert(0, lambda instance: instance.state == "running")
    page, following = _page(self, "DescribeInstanceStatus", state, predicates)
    body = "".join(_status_xml(instance) for instance in page)
    return (
        f'{HEAD}<DescribeInstanceStatusResponse xmlns="{NAMESPACE}">{REQUEST_ID}'
        f"<instanceStatusSet>{body}</instanceStatusSet>{_token(following)}"
        "</DescribeInstanceStatusResponse>"
    )


def instance_status(instance: Any) -> str:
    """`ok`, `impaired`, `initializing`, or `not-applicable` for one that is not running."""
    if instance.state != "running":
        return "not-applicable"
    life = current().lives[instance.id]
    now = current().now
    booted = max((*life.boots, life.launched_at))
    if now - booted < INITIALIZING:
        return "initializing"
    return "ok" if lives.healthy(life, now) else "impaired"


def system_status(instance: Any) -> str:
    """The status of the host, which is never impaired by what a program does."""
    status = instance_status(instance)
    return "ok" if status == "impaired" else status


_REACHABILITY = {"ok": "passed", "impaired": "failed", "initializing": "initializing"}

STATUS_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "availability-zone": lambda instance: instance.placement.zone,
    "instance-state-code": lambda instance: instance.state_code,
    "instance-state-name": lambda instance: instance.state,
    "instance-status.status": instance_status,
    "instance-status.reachability": lambda one: _REACHABILITY.get(instance_status(one)),
    "system-status.status": system_status,
    "system-status.reachability": lambda one: _REACHABILITY.get(system_status(one)),
    "operator.managed": INSTANCE_FILTERS["operator.managed"],
    "operator.principal": INSTANCE_FILTERS["operator.principal"],
}


def _page(
    self: Any, operation: str, state: RegionState, predicates: Sequence[Predicate]
) -> tuple[list[Any], str | None]:
    """The instances that a call asks for, and the token for those that follow."""
    ids = self._get_param("InstanceIds", [])
    asked = self._get_param("MaxResults")
    if ids and asked is not None:
        raise Refused(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    if ids:
        found = state.find(list(dict.fromkeys(ids)))
        return list(_passing(found, predicates)), None
    size = paging.page_size(asked, SMALLEST_PAGE, LARGEST_PAGE)
    last = paging.read_token(operation, self._get_param("NextToken"))
    page: list[Any] = []
    for instance in _passing(state.after(int(last or 0)), predicates):
        if len(page) == size:
            return page, paging.token(operation, str(page[-1].imdsctl_number))
        page.append(instance)
    return page, None


def _passing(instances: Iterable[Any], predicates: Sequence[Predicate]) -> Iterable[Any]:
    if not predicates:
        return instances
    return (one for one in instances if all(predicate(one) for predicate in predicates))


def _moto_filter(name: str, values: Sequence[str]) -> Predicate | None:
    def passes(instance: Any) -> bool:
        try:
            return bool(passes_filter_dict(instance, {name: values}))
        except NotImplementedError:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid") from None

    return passes


def _reservation_head(reservation_id: str, owner: str) -> str:
    return f"<reservationId>{reservation_id}</reservationId><ownerId>{owner}</ownerId><groupSet/>"


def _token(following: str | None) -> str:
    return f"<nextToken>{escape(following)}</nextToken>" if following else ""


def _status_xml(instance: Any) -> str:
    return (
        f"<item><instanceId>{instance.id}</instanceId>"
        f"<availabilityZone>{instance.placement.zone}</availabilityZone>"
        f"<instanceState><code>{instance.state_code}</code><name>{instance.state}</name>"
        f"</instanceState>{_check('systemStatus', system_status(instance))}"
        f"{_check('instanceStatus', instance_status(instance))}</item>"
    )


def _check(element: str, status: str) -> str:
    details = ""
    if status in _REACHABILITY:
        details = (
            "<details><item><name>reachability</name>"
            f"<status>{_REACHABILITY[status]}</status></item></details>"
        )
    return f"<{element}><status>{status}</status>{details}</{element}>"
