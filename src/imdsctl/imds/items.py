"""From the values of an instance to its metadata items, each under its path below the version."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Union

from imdsctl.imds.credentials import LIFETIME, FakeCredentials
from imdsctl.imds.defaults import check_names, complete, given
from imdsctl.imds.identity import SIGNATURES, Signer, document, fake_signer
from imdsctl.imds.schedule import Timed, scheduled
from imdsctl.imds.times import moment, rfc3339

Content = Union[str, bytes, Timed]  # noqa: UP007 - evaluated when imported, on Python 3.9 too
"""An item: its text, its bytes, or what the moment decides."""

_TAG_KEY = re.compile(r"[a-zA-Z0-9+\-=.,_:@]+")
_TAG_KEYS_REFUSED = (".", "..", "_index")


def items(
    values: Mapping[str, Any],
    *,
    tags: bool,
    started: float,
    key: bytes,
    signer: Signer | None = None,
) -> dict[str, Content]:
    """Every item of an instance by path, `meta-data/ami-id` and `user-data` among them.

    Args:
        values: as a user gives them; see DEFAULTS for the names. `paths` adds, replaces or (with
            false) removes single items; with `only_paths` only they are there, and what the
            values give of credentials, schedules, tags and user data.
        tags: whether the instance's tags are part of the metadata.
        started: what `+90s` in the values counts from, in seconds since 1970.
        key: what fake credentials and signatures are derived from.
        signer: signs the identity document; without one the signatures are fakes.

    Raises:
        ValueError: a value is wrong; the message names it.
    """
    full = complete(values)
    pending = full["pending_time"]
    full["pending_time"] = rfc3339(started if pending is None else moment(pending, started))
    found: dict[str, Content] = {}
    if full["only_paths"]:
        # What moves with time cannot be recorded, so it comes from the values where they give it.
        for name in ("iam", "identity_credentials"):
            full[name] = full[name] if name in values else type(full[name])()
    else:
        found.update(_below("meta-data", _plain(full)))
        found.update(_below("meta-data/placement", _placement(full)))
        found.update(_interfaces(full))
        found.update(_below("dynamic", _dynamic(full, signer or fake_signer(key))))
    found.update(_iam(full, started, key))
    moving = scheduled(full, started)
    if full["only_paths"] and "maintenance" not in values:
        moving = {path: item for path, item in moving.items() if "/maintenance/" not in path}
    found.update(_below("meta-data", moving))
    if tags:
        found.update(_tags(full))
    user_data = _user_data(full)
    if user_data is not None:
        found["user-data"] = user_data
    for path, value in full["paths"].items():
        if value is None or value is False:
            _remove(found, path)
        else:
            found[path.strip("/")] = _text(value)
    return found


def _below(folder: str, content: Mapping[str, Any]) -> dict[str, Content]:
    """The items that have a value, with the folder before their names."""
    return {f"{folder}/{n}": _text(v) for n, v in content.items() if v not in (None, "", [], ())}


def _text(value: Any) -> Content:
    if isinstance(value, (str, bytes, Timed)):
        return value
    if isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and any(isinstance(one, dict) for one in value)
    ):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return "\n".join(str(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _remove(found: dict[str, Content], path: str) -> None:
    """Takes away an item, or everything below a folder."""
    name = path.strip("/")
    for one in [one for one in found if one == name or one.startswith(name + "/")]:
        del found[one]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    keys = values["public_keys"]
    mapping = values["block_device_mapping"]
    return {
        "ami-id": values["image_id"],
        "ami-launch-index": values["ami_launch_index"],
        "ami-manifest-path": values["ami_manifest_path"],
        "ancestor-ami-ids": values["ancestor_ami_ids"],
        **{f"block-device-mapping/{name}": device for name, device in mapping.items()},
        "hostname": values["hostname"],
        "instance-action": values["instance_action"],
        "instance-id": values["instance_id"],
        "instance-life-cycle": values["instance_life_cycle"],
        "instance-type": values["instance_type"],
        "ipv6": values["ipv6"],
        "kernel-id": values["kernel_id"],
        "local-hostname": values["local_hostname"],
        "local-ipv4": values["local_ipv4"],
        "mac": values["mac"],
        "metrics/vhostmd": '<?xml version="1.0" encoding="UTF-8"?>',
        "product-codes": values["product_codes"],
        "profile": values["profile"],
        "public-hostname": values["public_hostname"],
        "public-ipv4": values["public_ipv4"],
        **{
            f"public-keys/{number}={name}/openssh-key": key
            for number, (name, key) in enumerate(keys.items())
        },
        "ramdisk-id": values["ramdisk_id"],
        "reservation-id": values["reservation_id"],
        "security-groups": values["security_groups"],
        "services/domain": values["domain"],
        "services/partition": values["partition"],
        "system": values["system"],
    }


def _placement(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "availability-zone": values["availability_zone"],
        "availability-zone-id": values["availability_zone_id"],
        "group-name": values["placement_group"],
        "host-id": values["host_id"],
        "partition-number": values["partition_number"],
        "region": values["region"],
    }


def _interface_defaults(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The first interface has what the instance has; the others only share subnet and groups."""
    first = number == 0
    return {
        "device_number": number,
        "interface_id": f"eni-{0x0123456789ABCDEF0 + number:017x}",
        "ipv6_prefix": None,
        "ipv6s": [values["ipv6"]] if first and values["ipv6"] else [],
        "local_hostname": values["local_hostname"] if first else None,
        "local_ipv4s": [values["local_ipv4"]] if first and values["local_ipv4"] else [],
        "mac": values["mac"] if first else None,
        "network_card": None,
        "owner_id": values["owner_id"],
        "public_hostname": values["public_hostname"] if first else None,
        "public_ipv4s": [values["public_ipv4"]] if first and values["public_ipv4"] else [],
        "security_group_ids": values["security_group_ids"],
        "security_groups": values["security_groups"],
        "subnet_id": values["subnet_id"],
        "subnet_ipv4_cidr_block": values["subnet_ipv4_cidr_block"],
        "subnet_ipv6_cidr_blocks": values["subnet_ipv6_cidr_blocks"],
        "vpc_id": values["vpc_id"],
        "vpc_ipv4_cidr_block": values["vpc_ipv4_cidr_block"],
        "vpc_ipv4_cidr_blocks": [values["vpc_ipv4_cidr_block"]],
        "vpc_ipv6_cidr_blocks": values["vpc_ipv6_cidr_blocks"],
    }


def _interfaces(values: Mapping[str, Any]) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for number, interface in enumerate(values["interfaces"] or [{}]):
        facts = _interface_defaults(values, number)
        check_names(interface, facts, "value of an interface")
        facts.update({n: given(f"interface {n}", v, facts[n]) for n, v in interface.items()})
        if not facts["mac"]:
            raise ValueError(f"interface {number} has no mac")
        folder = f"meta-data/network/interfaces/macs/{facts['mac']}"
        content = {name.replace("_", "-"): value for name, value in facts.items()}
        for i, public in enumerate(facts["public_ipv4s"]):
            if i < len(facts["local_ipv4s"]):
                content[f"ipv4-associations/{public}"] = facts["local_ipv4s"][i]
        found.update(_below(folder, content))
    return found


def _series(key: bytes, name: str, started: float, **settings: Any) -> FakeCredentials:
    own = hmac.digest(key, b"credentials of " + name.encode(), "sha256")
    return FakeCredentials(own, started, **settings)


def _iam(values: Mapping[str, Any], started: float, key: bytes) -> dict[str, Content]:
    found: dict[str, Content] = {}
    account = values["account_id"]
    if values["identity_credentials"]:
        series = _series(key, "ec2-instance", started)
        folder = "meta-data/identity-credentials/ec2"
        found[f"{folder}/info"] = Timed(
            lambda now: _json(
                {
                    "Code": "Success",
                    "LastUpdated": rfc3339(series.issued(now)),
                    "AccountId": account,
                }
            )
        )
        found[f"{folder}/security-credentials/ec2-instance"] = Timed(series.text)
    iam = values["iam"]
    known = ("role", "instance_profile_arn", "instance_profile_id", "code", "lifetime", "given")
    check_names(iam, known, "value of iam")
    if not iam:
        return found
    role, lifetime = iam.get("role"), iam.get("lifetime", LIFETIME)
    if not isinstance(role, str) or not role or "/" in role:
        raise ValueError(f"iam needs the name of a role, not {role!r}")
    if not isinstance(lifetime, int):
        # All that is wrong in a user's file is a ValueError.
        raise ValueError(  # noqa: TRY004
            f"the lifetime of credentials is a number of seconds, not {lifetime!r}"
        )
    arn = iam.get("instance_profile_arn") or (
        f"arn:{values['partition']}:iam::{account}:instance-profile/{role}"
    )
    profile = iam.get("instance_profile_id") or "AIPAFAKEFAKEFAKEFAKE1"
    code = iam.get("code", "Success")
    members = tuple(given("iam given", iam.get("given"), {}).items())
    roles = _series(key, role, started, lifetime=lifetime, code=code, given=members)
    found["meta-data/iam/info"] = Timed(
        lambda now: _json(
            {
                "Code": code,
                "LastUpdated": rfc3339(roles.issued(now)),
                "InstanceProfileArn": arn,
                "InstanceProfileId": profile,
            }
        )
    )
    found[f"meta-data/iam/security-credentials/{role}"] = Timed(roles.text)
    return found


def _json(members: Mapping[str, Any]) -> str:
    return json.dumps(members, indent=2, separators=(",", " : "))


def _dynamic(values: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    text = document(values)

    @cache
    def signed(name: str) -> str:
        """The signature, made when it is first asked for: a real one takes its time."""
        return signer(name, text.encode("utf-8"))

    return {
        "fws/instance-monitoring": values["monitoring"],
        "instance-identity/document": text,
        **{
            f"instance-identity/{name}": Timed(partial(_timeless, signed, name))
            for name in SIGNATURES
        },
    }


def _timeless(text_of: Callable[[str], str], name: str, _now: float) -> str:
    return text_of(name)


def _tags(values: Mapping[str, Any]) -> dict[str, Content]:
    """The tags; EC2 refuses to enable them with a key that cannot be part of a path.

    EC2 User Guide, "View tags for your EC2 instances using instance metadata".
    """
    for key in values["tags"]:
        if not _TAG_KEY.fullmatch(key) or key in _TAG_KEYS_REFUSED:
            raise ValueError(
                f"the tag key {key!r} cannot be in instance metadata: letters, digits and "
                "+ - = . , _ : @ only, and not . or .. or _index"
            )
    # An empty value is an item with an empty body, so `_below` would be wrong here.
    return {f"meta-data/tags/instance/{key}": str(text) for key, text in values["tags"].items()}


def _user_data(values: Mapping[str, Any]) -> bytes | None:
    if values["user_data_base64"] is not None:
        if values["user_data"] is not None:
            raise ValueError("user_data and user_data_base64 are both given")
        try:
            return base64.b64decode(values["user_data_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError):
            # The text itself may hold a secret, so it is not repeated.
            raise ValueError("user_data_base64 is no base64") from None
    text = values["user_data"]
    if text is None:
        return None
    return text if isinstance(text, bytes) else str(text).encode("utf-8")
