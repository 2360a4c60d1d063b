"""The values of an instance: what a file may give, what is assumed, what follows from the rest."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, Any] = {
    "account_id": "123456789012",
    "ami_launch_index": 0,
    "ami_manifest_path": "(unknown)",
    "ancestor_ami_ids": [],
    "architecture": "x86_64",
    "autoscaling": {},
    "availability_zone": "us-east-1a",
    "availability_zone_id": None,
    "billing_products": [],
    "block_device_mapping": {"ami": "/dev/xvda", "root": "/dev/xvda"},
    "domain": None,
    "host_id": None,
    "hostname": None,
    "iam": {"role": "imdsctl-fake-role"},
    "identity_credentials": True,
    "image_id": "ami-0abcdef1234567890",
    "instance_action": "none",
    "instance_id": "i-1234567890abcdef0",
    "instance_life_cycle": "on-demand",
    "instance_type": "m5.large",
    "interfaces": [],
    "ipv6": None,
    "kernel_id": None,
    "local_hostname": None,
    "local_ipv4": "10.0.0.25",
    "mac": "0e:49:61:0f:c3:11",
    "maintenance": {},
    "monitoring": "disabled",
    "only_paths": False,
    "owner_id": None,
    "partition": None,
    "partition_number": None,
    "paths": {},
    "pending_time": None,
    "placement_group": None,
    "product_codes": [],
    "profile": "default-hvm",
    "public_hostname": None,
    "public_ipv4": "203.0.113.25",
    "public_keys": {},
    "ramdisk_id": None,
    "rebalance": {},
    "region": None,
    "reservation_id": "r-0efghijk987654321",
    "security_group_ids": ["sg-0123456789abcdef0"],
    "security_groups": ["default"],
    "spot": {},
    "subnet_id": "subnet-0123456789abcdef0",
    "subnet_ipv4_cidr_block": "10.0.0.0/24",
    "subnet_ipv6_cidr_blocks": [],
    "system": "nitro",
    "tags": {},
    "user_data": None,
    "user_data_base64": None,
    "vpc_id": "vpc-0123456789abcdef0",
    "vpc_ipv4_cidr_block": "10.0.0.0/16",
    "vpc_ipv6_cidr_blocks": [],
}
"""Every value with what it is where nobody gives one; None is worked out or left away.

Addresses and ids are those that documentation uses (RFC 5737, AWS's own examples).
"""

_PARTITIONS = (
    # prefix of the region, partition, domain of its services
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("", "aws", "amazonaws.com"),
)


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """All values of an instance: those given, the defaults, and what follows from both.

    `false` stands for "none" as well as null does, because TOML has no null.

    Raises:
        ValueError: a name is unknown (the nearest known one is named), or two values contradict.
    """
    check_names(values, DEFAULTS, "value")
    full = {**DEFAULTS, **{n: given(n, v, DEFAULTS[n]) for n, v in values.items()}}
    zone = str(full["availability_zone"])
    full["region"] = str(full["region"] or _region_of(zone))
    if not zone.startswith(full["region"]):
        raise ValueError(f"availability_zone {zone} is not in region {full['region']}")
    for prefix, partition, domain in _PARTITIONS:
        if full["region"].startswith(prefix):
            full["partition"] = full["partition"] or partition
            full["domain"] = full["domain"] or domain
            break
    full["owner_id"] = full["owner_id"] or full["account_id"]
    full["local_hostname"] = full["local_hostname"] or _private_name(full)
    full["hostname"] = full["hostname"] or full["local_hostname"]
    if full["public_ipv4"]:
        full["public_hostname"] = full["public_hostname"] or _public_name(full)
    return full


def check_names(given: Mapping[str, Any], known: Any, what: str) -> None:
    """Refuses a misspelt name instead of ignoring it.

    Raises:
        ValueError: a name is not among `known`.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), [str(one) for one in known], 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
            raise ValueError(f"no {what} is called {name}{hint}")


def given(name: str, value: Any, default: Any) -> Any:
    """A value as a user wrote it, in the kind of its default; false and null are "none".

    Raises:
        ValueError: it is of another kind.
    """
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise ValueError(f"{name} is true or false, not {type(value).__name__}")
    if value is None or value is False:
        return type(default)() if isinstance(default, (dict, list)) else None
    for kind, what in ((dict, "table"), (list, "list")):
        if isinstance(default, kind) != isinstance(value, kind):
            wanted = what if isinstance(default, kind) else f"text, no {what}"
            raise ValueError(f"{name} is a {wanted}, not {type(value).__name__}")
    # An account's number may stand in a file as one.
    return str(value) if isinstance(default, str) else value


def _region_of(zone: str) -> str:
    """`eu-west-1a` is in eu-west-1, the Local Zone `us-west-2-lax-1a` in us-west-2."""
    parts = zone.split("-")
    for i, part in enumerate(parts):
        if part[:1].isdigit():
            return "-".join([*parts[:i], part.rstrip("abcdefghijklmnopqrstuvwxyz")])
    raise ValueError(f"availability_zone {zone!r} names no region")


def _private_name(values: Mapping[str, Any]) -> str:
    region = values["region"]
    suffix = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    if not values["local_ipv4"]:
        return f"{values['instance_id']}.{suffix}"
    return f"ip-{values['local_ipv4'].replace('.', '-')}.{suffix}"


def _public_name(values: Mapping[str, Any]) -> str:
    where = "compute-1" if values["region"] == "us-east-1" else f"{values['region']}.compute"
    return f"ec2-{values['public_ipv4'].replace('.', '-')}.{where}.{values['domain']}"
