"""The JSON configuration of amazon-ec2-metadata-mock, so that its users can keep theirs.

Its keys are documented in that project's docs/configuration.md and docs/usage.md; the names are of
its release 1.12, and of older releases where they were called otherwise.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from imdsctl.emulator import schedule
from imdsctl.imds.defaults import DEFAULTS
from imdsctl.imds.items import items
from imdsctl.imds.schedule import Timed

Parts = tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]

_PLAIN = {
    "ami-id": "image_id",
    "ami-launch-index": "ami_launch_index",
    "ami-manifest-path": "ami_manifest_path",
    "hostname": "hostname",
    "instance-action": "instance_action",
    "instance-id": "instance_id",
    "instance-life-cycle": "instance_life_cycle",
    "instance-type": "instance_type",
    "kernel-id": "kernel_id",
    "local-hostname": "local_hostname",
    "local-ipv4": "local_ipv4",
    "mac": "mac",
    "placement-availability-zone": "availability_zone",
    "placement-availability-zone-id": "availability_zone_id",
    "placement-group-name": "placement_group",
    "placement-host-id": "host_id",
    "placement-partition-number": "partition_number",
    "placement-region": "region",
    "public-hostname": "public_hostname",
    "public-ipv4": "public_ipv4",
    "ramdisk-id": "ramdisk_id",
    "reservation-id": "reservation_id",
    "services-domain": "domain",
    "services-partition": "partition",
}
"""Its values that are ours under another name, and therefore show in the identity document, too."""

_LISTS = {"product-codes": "product_codes", "security-groups": "security_groups"}

_MAC = "meta-data/network/interfaces/macs/{mac}/"
_PATHS = {
    "block-device-mapping-ami": "meta-data/block-device-mapping/ami",
    "block-device-mapping-ebs": "meta-data/block-device-mapping/ebs0",
    "block-device-mapping-ephemeral": "meta-data/block-device-mapping/ephemeral0",
    "block-device-mapping-root": "meta-data/block-device-mapping/root",
    "block-device-mapping-swap": "meta-data/block-device-mapping/swap",
    "elastic-inference-accelerator": "meta-data/elastic-inference/associations/{accelerator}",
    "iam-info": "meta-data/iam/info",
    "mac-device-number": _MAC + "device-number",
    "mac-ipv4-associations": _MAC + "ipv4-associations/{public_ipv4}",
    "mac-ipv6-associations": _MAC + "ipv6s",
    "mac-local-hostname": _MAC + "local-hostname",
    "mac-local-ipv4s": _MAC + "local-ipv4s",
    "mac-mac": _MAC + "mac",
    "mac-network-interface-card-index": _MAC + "network-card-index",
    "mac-network-interface-id": _MAC + "interface-id",
    "mac-owner-id": _MAC + "owner-id",
    "mac-public-hostname": _MAC + "public-hostname",
    "mac-public-ipv4s": _MAC + "public-ipv4s",
    "mac-security-group-ids": _MAC + "security-group-ids",
    "mac-security-groups": _MAC + "security-groups",
    "mac-subnet-id": _MAC + "subnet-id",
    "mac-subnet-ipv4-cidr-block": _MAC + "subnet-ipv4-cidr-block",
    "mac-subnet-ipv6-cidr-blocks": _MAC + "subnet-ipv6-cidr-blocks",
    "mac-vpc-id": _MAC + "vpc-id",
    "mac-vpc-ipv4-cidr-block": _MAC + "vpc-ipv4-cidr-block",
    "mac-vpc-ipv4-cidr-blocks": _MAC + "vpc-ipv4-cidr-blocks",
    "mac-vpc-ipv6-cidr-blocks": _MAC + "vpc-ipv6-cidr-blocks",
    "public-key": "meta-data/public-keys/0=my-key/openssh-key",
}
"""Its values that are single items, by our path of the item."""


def _usual(key: str) -> str:
    """The path of a value that is one of _PLAIN or _LISTS."""
    for folder in ("placement", "services"):
        if key.startswith(f"{folder}-"):
            return f"meta-data/{folder}/{key.removeprefix(f'{folder}-')}"
    return f"meta-data/{key}"


_PLACES = {**{key: _usual(key) for key in (*_PLAIN, *_LISTS)}, **_PATHS}
"""Where every value is served, for `paths` that serve it elsewhere."""

_DYNAMIC = {
    "fws-instance-monitoring": "dynamic/fws/instance-monitoring",
    "instance-identity-document": "dynamic/instance-identity/document",
    "instance-identity-pkcs": "dynamic/instance-identity/pkcs7",
    "instance-identity-signature": "dynamic/instance-identity/signature",
}
_SPECIAL = (
    "elastic-inference-associations",
    "event-id",
    "iam-security-credentials",
    "iam-security-credentials-role",
    "tags-instance",
    "tags-instance-name",
    "tags-instance-test",
)
_RENAMED = {"ipv4-associations": "mac-ipv4-associations"}

_SPOT = ("action", "instance-action", "time", "rebalance-rec-time")
_EVENTS = ("code", "state", "not-before", "not-after", "not-before-deadline")
_TIMES = (
    "mock-delay-sec",
    "mock-trigger-time",
    "rebalance-delay-sec",
    "rebalance-trigger-time",
    "asg-termination-delay-sec",
    "asg-termination-trigger-time",
)
_NO_EFFECT = {
    "config-file": "the file is named on the command line",
    "mock-ip-count": "every client sees the events",
    "save-config-to-file": "the settings are not saved",
    "watch-config-file": "change a running emulator through its control endpoint",
}
_TABLES = ("metadata", "dynamic", "userdata", "server", "spot", "spot-itn", "events")
_KEYS = (*_TABLES, "scheduled-events", "imdsv2", *_TIMES, *_NO_EFFECT)


def is_one(document: Mapping[str, Any]) -> bool:
    """Whether a file has a table or setting that only amazon-ec2-metadata-mock has."""
    return any(key in _KEYS and key != "server" for key in document)


def translate(document: Mapping[str, Any]) -> Parts:
    """Our options, values, server settings, and notes on what has no effect.

    Raises:
        ValueError: a key is unknown or a value wrong; the message says where.
    """
    _known("", document, _KEYS)
    options: dict[str, Any] = {"http_tokens": "required" if document.get("imdsv2") else "optional"}
    server = _server(_table(document, "server"))
    metadata = _table(document, "metadata")
    _known("metadata.", metadata, ("paths", "values"))
    given = _table(metadata, "values", "metadata.")
    values = _values(given)
    for section, places in (("dynamic", _DYNAMIC), ("userdata", {"userdata": "user-data"})):
        table = _table(document, section)
        _known(f"{section}.", table, ("paths", "values"))
        content = _table(table, "values", f"{section}.")
        _known(f"{section}.values.", content, places)
        if section == "userdata":
            if content.get("userdata") is not None:
                values["user_data"] = str(content["userdata"])
        else:
            values["paths"].update(
                {places[key]: _text(content[key]) for key in content if content[key] is not None}
            )
            account = (content.get("instance-identity-document") or {}).get("accountId")
            if account:
                values["account_id"] = str(account)
        moved = _table(table, "paths", f"{section}.")
        _move(values, moved, places, f"{section}.paths.")
    _move(values, _table(metadata, "paths", "metadata."), _PLACES, "metadata.paths.")
    values.update(_happenings(document, str(given.get("event-id") or schedule.EVENT_ID)))
    if values.get("tags"):
        options["instance_metadata_tags"] = "enabled"
    notes = [f"{key} has no effect: {why}" for key, why in _NO_EFFECT.items() if document.get(key)]
    return options, values, server, notes


def _server(table: Mapping[str, Any]) -> dict[str, Any]:
    _known("server.", table, ("hostname", "port"))
    server: dict[str, Any] = {}
    if "hostname" in table:
        server["host"] = str(table["hostname"])
    if "port" in table:
        if not re.fullmatch(r"[0-9]{1,5}", str(table["port"])):
            raise ValueError(f"server.port is a number, not {table['port']!r}")
        server["port"] = int(table["port"])
    return server


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    _known("metadata.values.", given, (*_PLACES, *_SPECIAL))
    values: dict[str, Any] = {ours: given[key] for key, ours in _PLAIN.items() if key in given}
    for key, ours in _LISTS.items():
        if key in given:
            one = given[key]
            values[ours] = one if isinstance(one, list) else str(one).split("\n")
    if "region" in values and "availability_zone" not in values:
        values["availability_zone"] = f"{values['region']}a"
    tags = dict(_table(given, "tags-instance", "metadata.values."))
    for key, name in (("tags-instance-name", "Name"), ("tags-instance-test", "Test")):
        if key in given:
            tags[name] = given[key]
    if tags:
        values["tags"] = tags
    if any(key in given for key in ("iam-security-credentials", "iam-security-credentials-role")):
        role = given.get("iam-security-credentials-role") or DEFAULTS["iam"]["role"]
        values["iam"] = {"role": role}
        if given.get("iam-security-credentials"):
            values["iam"]["given"] = _table(given, "iam-security-credentials", "metadata.values.")
    names = {
        "mac": values.get("mac", DEFAULTS["mac"]),
        "public_ipv4": values.get("public_ipv4", DEFAULTS["public_ipv4"]),
        "accelerator": given.get("elastic-inference-associations", "eia-0"),
    }
    values["paths"] = {
        place.format(**names): _text(given[key])
        for key, place in _PATHS.items()
        if given.get(key) is not None
    }
    return values


def _move(
    values: dict[str, Any],
    moved: Mapping[str, Any],
    places: Mapping[str, str],
    where: str,
) -> None:
    """Serve items elsewhere than at their usual paths."""
    if not moved:
        return
    _known(where, moved, (*places, *_RENAMED))
    served = items(
        {"instance_id": DEFAULTS["instance_id"], **values}, tags=False, started=0.0, key=b""
    )
    names = {
        "mac": values.get("mac", DEFAULTS["mac"]),
        "public_ipv4": values.get("public_ipv4", DEFAULTS["public_ipv4"]),
        "accelerator": "eia-0",
    }
    for key, target in moved.items():
        if not isinstance(target, str) or not target.startswith("/latest/"):
            raise ValueError(f"{where}{key} is a path below /latest/, not {target!r}")
        usual = places[_RENAMED.get(key, key)].format(**names)
        new = target.removeprefix("/latest/").strip("/")
        content = served.get(usual)
        if new == usual or content is None:
            continue
        if isinstance(content, Timed):
            raise ValueError(  # noqa: TRY004 - as above
                f"{where}{key}: what changes with time cannot be moved"
            )
        values["paths"][usual] = False
        values["paths"][new] = content


def _happenings(document: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    """Spot, rebalance, maintenance and lifecycle."""
    values: dict[str, Any] = {}
    after = _after(document, "mock")
    spot = {**_table(document, "spot-itn"), **_table(document, "spot")}
    _known("spot.", spot, _SPOT)
    if spot or after is not None:
        action = spot.get("action", spot.get("instance-action", "terminate"))
        values.update(schedule.spot(action, after or "0", spot.get("time")))
    rebalance = spot.get("rebalance-rec-time") or _after(document, "rebalance")
    if rebalance or spot:
        values.update(schedule.rebalance(rebalance or "0"))
    event = {**_table(document, "scheduled-events"), **_table(document, "events")}
    _known("events.", event, _EVENTS)
    if event:
        values.update(
            schedule.maintenance(
                event.get("code", "system-reboot"),
                after or "0",
                state=event.get("state", "active"),
                not_before=event.get("not-before"),
                not_after=event.get("not-after"),
                not_before_deadline=event.get("not-before-deadline"),
                event_id=event_id,
            )
        )
    terminated = _after(document, "asg-termination")
    if terminated is not None:
        values.update(schedule.lifecycle("Terminated", terminated))
    return values


def _after(document: Mapping[str, Any], name: str) -> str | None:
    """When something happens: at its trigger time, else after its delay."""
    trigger = document.get(f"{name}-trigger-time")
    if trigger:
        return str(trigger)
    delay = document.get(f"{name}-delay-sec")
    if not delay:
        return None
    if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
        raise ValueError(f"{name}-delay-sec is a whole number of seconds, not {delay!r}")
    return f"{delay}s"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2)


def _table(document: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    table = document.get(key) or {}
    if not isinstance(table, dict):
        raise ValueError(  # noqa: TRY004 - all that is wrong in a user's file is a ValueError
            f"{where}{key} is an object, not {json.dumps(table)}"
        )
    return table


def _known(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    names = sorted(known)
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f"; did you mean {where}{near[0]}?" if near else ""
            raise ValueError(f"there is no setting {where}{key}{hint}")
