"""The five metadata options: their names, their legal values, and which level wins at launch."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.life import Options

WIRE_NAMES = {
    "http_tokens": "HttpTokens",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "http_endpoint": "HttpEndpoint",
    "http_protocol_ipv6": "HttpProtocolIpv6",
    "instance_metadata_tags": "InstanceMetadataTags",
}
"""Our names of the options, and the EC2 API's."""

MEMBER_NAMES = {wire: name for name, wire in WIRE_NAMES.items()}

CHOICES = {
    "http_tokens": ("optional", "required"),
    "http_endpoint": ("disabled", "enabled"),
    "http_protocol_ipv6": ("disabled", "enabled"),
    "instance_metadata_tags": ("disabled", "enabled"),
}

MAX_HOP_LIMIT = 64

V2_IMAGE = {"http_tokens": "required", "http_put_response_hop_limit": 2}
"""What an image with ImdsSupport v2.0 asks for (User Guide, "Configure the AMI")."""

ENFORCED_MESSAGE = (
    "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this "
    "account. Either launch the instance with httpTokens=required or contact your account owner "
    "to disable httpTokensEnforced using the ModifyInstanceMetadataDefaults API or the account "
    "settings in the EC2 console."
)

_TAG_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
_RESERVED_TAG_KEYS = {".", "..", "_index"}


def resolve_options(
    launch: Mapping[str, object] | None = None,
    template: Mapping[str, object] | None = None,
    account_default: Mapping[str, object] | None = None,
    image: str | None = None,
) -> Options:
    """The options an instance is born with, each option resolved separately.

    The order is the User Guide's ("Order of precedence for instance metadata options"): launch
    parameters, then the launch template, then the account's default in the region, then the
    image, then what is built in. Keys are AWS's names in snake_case; a key that is missing or
    None has no say at its level.

    Args:
        launch: options given with the launch itself.
        template: options in the launch template version that is launched.
        account_default: the account's metadata defaults in the region.
        image: the image's ImdsSupport, "v2.0" or None.
    """
    levels = [launch or {}, template or {}, account_default or {}]
    if image == "v2.0":
        levels.append(V2_IMAGE)
    found: dict[str, object] = {}
    for level in levels:
        for name in WIRE_NAMES:
            if level.get(name) is not None:
                found.setdefault(name, level[name])
    return merge(Options(), found)


def merge(options: Options, changes: Mapping[str, object]) -> Options:
    """`options` with the given members replaced, and all others as they were."""
    values: dict[str, object] = {
        name: changes[name] for name in WIRE_NAMES if changes.get(name) is not None
    }
    if "http_put_response_hop_limit" in values:
        values["http_put_response_hop_limit"] = int(str(values["http_put_response_hop_limit"]))
    return replace(options, **values)  # type: ignore[arg-type]


def from_wire(members: Mapping[str, object] | None) -> dict[str, object]:
    """Options under our names from the EC2 API's, validated.

    Raises:
        Refused: InvalidParameterValue for a value that the API does not know.
    """
    found: dict[str, object] = {}
    for wire, name in MEMBER_NAMES.items():
        value = (members or {}).get(wire)
        if value is None:
            continue
        found[name] = check_hop_limit(value) if name not in CHOICES else check_choice(wire, value)
    return found


def check_choice(wire: str, value: object, extra: tuple[str, ...] = ()) -> str:
    """`value` if it is one of the member's values.

    Raises:
        Refused: InvalidParameterValue otherwise.
    """
    choices = (*CHOICES[MEMBER_NAMES[wire]], *extra)
    if value in choices:
        return str(value)
    listed = " or ".join(f"'{choice}'" for choice in choices)
    raise Refused(
        "InvalidParameterValue",
        f"A value of '{value}' is not valid for {wire}. Specify either {listed} and try again.",
    )


def check_hop_limit(value: object, *, unset: bool = False) -> int:
    """`value` as a hop limit of 1 to 64, or -1 where `unset` allows it.

    Raises:
        Refused: InvalidParameterValue otherwise.
    """
    text = str(value)
    if text.isdigit() and 1 <= int(text) <= MAX_HOP_LIMIT:
        return int(text)
    if unset and text == "-1":
        return -1
    raise Refused(
        "InvalidParameterValue",
        f"A value of '{value}' is not valid for HttpPutResponseHopLimit. "
        f"Specify a number from 1 to {MAX_HOP_LIMIT} and try again.",
    )


def check_tag_keys(keys: Iterable[str]) -> None:
    """Refuse tag keys that the metadata service cannot serve as paths.

    Source: User Guide, "Work with instance tags in instance metadata".

    Raises:
        Refused: InvalidParameterValue, naming the first such key.
    """
    for key in keys:
        # AWS's own tags are exempt: they are not served under tags/instance.
        if key.startswith("aws:"):
            continue
        if key in _RESERVED_TAG_KEYS or not _TAG_KEY.fullmatch(key):
            raise Refused(
                "InvalidParameterValue",
                f"'{key}' is not a valid tag key. Tag keys must match pattern "
                "([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name "
                "('.', '..', '_index')",
            )
