"""New instances as copies of one that moto built: forty times as fast, and the same to moto.

moto's own way of building an instance, its network interface and its root volume takes about a
millisecond and looks through everything that exists already; a fleet of tens of thousands needs
microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from moto.ec2.models.block_device import BlockDeviceMapping
from moto.ec2.models.instances import InstanceState, Reservation

from imdsctl.simulator.ec2 import stock
from imdsctl.simulator.ec2.region import RegionState

ZONES = 3
"""Availability zones over which a region's instances are spread."""

_SUBNET_HOSTS = 4000
"""Addresses taken from each default subnet (a /20) before others are used."""


@dataclass(frozen=True, slots=True)
class Prototype:
    """An instance with its network interface and root volume, as classes of what clones share."""

    instance: type
    interface: type
    volume: type
    attachment: type
    block: type
    device: str
    subnet: Any


def clone(backend: Any, state: RegionState, instance_id: str, born: datetime) -> Any:
    """A running instance under a new id, with its own network interface and root volume.

    Args:
        backend: moto's EC2 backend.
        state: what the simulator keeps beside it.
        instance_id: the new instance's id.
        born: when it was launched: UTC without a zone, as moto has it.
    """
    if not state.prototypes:
        state.prototypes = _prototypes(backend)
    number = state.addresses
    state.addresses += 1
    prototype = state.prototypes[number % len(state.prototypes)]
    address = _address(prototype.subnet, number, len(state.prototypes))
    suffix = instance_id[2:]

    instance = object.__new__(prototype.instance)
    instance.id = instance_id
    instance._state = InstanceState("running", 16)
    instance.launch_time = born

    nic = object.__new__(prototype.interface)
    nic.id = f"eni-{suffix}"
    nic.attachment_id = f"eni-attach-{suffix}"
    nic.attach_time = born
    nic.instance = instance
    nic.mac_address = _mac(suffix)
    nic.private_ip_address = address
    nic.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    # Taken, so that moto gives it to nobody else.
    prototype.subnet._subnet_ips[address] = instance  # noqa: SLF001 - moto has no setter
    instance.nics = {0: nic}
    backend.enis[nic.id] = nic

    volume = object.__new__(prototype.volume)
    volume.id = f"vol-{suffix}"
    volume.create_time = born
    volume.attachment = object.__new__(prototype.attachment)
    volume.attachment.volume = volume
    volume.attachment.instance = instance
    volume.attachment.attach_time = born
    block = object.__new__(prototype.block)
    block.volume_id = volume.id
    block.attach_time = born
    instance.block_device_mapping = BlockDeviceMapping({prototype.device: block})
    backend.volumes[volume.id] = volume

    reservation = Reservation(f"r-{suffix}", backend.account_id)
    reservation.instances.append(instance)
    backend.reservations[reservation.id] = reservation
    instance.imdsctl_reservation = reservation
    return instance


def profile(account: str, name: str) -> dict[str, str]:
    """An instance profile as an instance refers to it; the same id for the same profile."""
    arn = f"arn:aws:iam::{account}:instance-profile/{name}"
    digest = blake2b(arn.encode(), digest_size=8).hexdigest().upper()
    return {"Arn": arn, "Id": f"AIPA{digest}"}


def _shared(thing: Any, own: Mapping[str, Any] | None = None) -> type:
    """A class of things that are like `thing` until they are given attributes of their own.

    So a clone holds only what is its own, a few hundred bytes instead of a few thousand. The
    class is made past moto's metaclass, which would keep it, and the backend with it, for good.
    """
    kind = type(thing)
    attributes = {**thing.__dict__, **(own or {}), "__module__": kind.__module__}
    return type.__new__(type(kind), kind.__name__, (kind,), attributes)


def _prototypes(backend: Any) -> list[Prototype]:
    """One a zone, built by moto and then taken out of its lists again."""
    found = []
    for zone in sorted(backend.get_default_subnets())[:ZONES]:
        reservation = stock.run_instances(
            backend,
            "ami-00000000000000000",
            1,
            None,
            [],
            instance_type="m5.large",
            is_instance_type_default=True,
            placement=zone,
            region_name=backend.region_name,
            subnet_id=backend.get_default_subnets()[zone].id,
        )
        instance = reservation.instances[0]
        backend.reservations.pop(reservation.id)
        nic = backend.enis.pop(instance.nics[0].id)
        device, block = next(iter(instance.block_device_mapping.items()))
        volume = backend.volumes.pop(block.volume_id)
        found.append(
            Prototype(
                _shared(instance, {"virtualization_type": "hvm", "client_token": ""}),
                _shared(nic, {"delete_on_termination": True, "public_ip": None}),
                _shared(volume),
                _shared(volume.attachment),
                _shared(block),
                device,
                nic.subnet,
            )
        )
    return found


def _address(subnet: Any, number: int, subnets: int) -> str:
    """The `number`th address: from the default subnets while they last, then from 10.64.0.0/10."""
    host, _ = divmod(number, subnets)
    if host < _SUBNET_HOSTS:
        return str(subnet.cidr.network_address + 16 + host)
    value = 0x0A400000 + number
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def _mac(suffix: str) -> str:
    return "02:" + ":".join(suffix[at : at + 2] for at in range(7, 17, 2))
