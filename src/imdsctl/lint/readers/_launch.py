"""What every template format says of a launch in the end, from whatever its values are."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from imdsctl.lint.facts import Known, Place
from imdsctl.lint.readers._unknown import Either, Unknown
from imdsctl.lint.readers._userdata import embedded_user_data
from imdsctl.lint.source import Source

MEMBERS: Final = {
    "HttpTokens": "http_tokens",
    "HttpEndpoint": "http_endpoint",
    "HttpPutResponseHopLimit": "http_put_response_hop_limit",
    "HttpProtocolIpv6": "http_protocol_ipv6",
    "InstanceMetadataTags": "instance_metadata_tags",
    "HttpTokensEnforced": "http_tokens_enforced",
}
"""The members of InstanceMetadataOptionsRequest and of the account's defaults (botocore model)."""
_BY_LOWER: Final = {name.lower().replace("_", ""): name for name in MEMBERS.values()} | {
    # Launch templates as Ansible and Terraform's older modules spell them.
    "metadatahttptokens": "http_tokens",
    "metadatahttpendpoint": "http_endpoint",
    "metadatahttpputresponsehoplimit": "http_put_response_hop_limit",
}


def member(name: str) -> str:
    """A member's name in snake_case, whichever way it is spelt; empty for what is none."""
    return _BY_LOWER.get(name.lower().replace("_", ""), "")


@dataclass(slots=True)
class Options:
    """Metadata options as they are gathered: see `Launch` for what the fields mean."""

    values: dict[str, str | int | None] = field(default_factory=dict)
    members: dict[str, Place] = field(default_factory=dict)
    assumed: set[str] = field(default_factory=set)
    complete: bool = True

    def put(self, name: str, value: Any, place: Place | None, *, assumed: bool = False) -> None:
        """Takes a member's value; null says nothing, as if the member were not there."""
        settled, sure = settle(name, value)
        if settled is ABSENT:
            if place is not None and value is None:
                self.members[f"{name} = null"] = place
            return
        self.values[name] = settled
        if place is not None:
            self.members[name] = place
        if assumed or not sure:
            self.assumed.add(name)

    def take(self, values: Mapping[str, Any], place: Place | None, *, assumed: bool) -> None:
        """Takes the members of a map of values."""
        for name, value in values.items():
            if known := member(str(name)):
                self.put(known, value, place, assumed=assumed)


ABSENT: Final = object()


def settle(name: str, value: Any) -> tuple[Any, bool]:
    """One value for a member, and whether it is sure; ABSENT for null, None for what is unknown.

    Of several possible values that which lets IMDSv1 in counts, so that it is said.
    """
    if value is None:
        return ABSENT, True
    if isinstance(value, Either):
        weak = "optional" if name == "http_tokens" else "enabled"
        if weak in value.values:
            return weak, False
        if None in value.values:
            return ABSENT, False
        return None, False
    if isinstance(value, bool | Unknown) or not isinstance(value, str | int | float):
        return None, True
    if name == "http_put_response_hop_limit":
        return (int(value) if re.fullmatch(r"-?\d{1,9}", str(value)) else None), True
    return str(value), True


_CONTAINERS: Final = re.compile(
    r"""(?:\b(?:docker|dockerd|containerd|podman|nerdctl|kubelet|kubeadm|nodeadm|k3s|microk8s|crictl
        |docker-compose)\b|ECS_CLUSTER|/etc/ecs/|/etc/eks/bootstrap\.sh|ecs-optimized|eks[-_/]node
        |amazon-eks|bottlerocket|EKSNode|optimized-ami/amazon-linux)""",
    re.VERBOSE,
)
_V2_IMAGE: Final = re.compile(r"al2023|amazon[-_ ]linux[-_ ]2023|amazonlinux2023", re.IGNORECASE)


def containers_in(text: str) -> Known:
    """Whether the words of user data, or of an image's name, tell of a host of containers."""
    found = _CONTAINERS.search(text)
    if found is None:
        return "unknown"
    row = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
    if row.lstrip().startswith(("#", "//")):
        return "yes" if _CONTAINERS.search(re.sub(r"(?m)^\s*(?:#|//).*$", "", text)) else "unknown"
    return "yes"


def calls_v1(words: str) -> bool:
    """Whether a script among some words calls the metadata service, and may do so without a token.

    Requiring tokens would break such a launch, so that it is no safe fix before the script is
    mended. A call that shows neither a token nor its fetching on its own line counts.
    """
    if not _ADDRESS.search(words):
        return False
    return any(
        not _TOKEN.search(line)
        for line in re.sub(r"\\\r?\n", " ", words).split("\n")
        if _ADDRESS.search(line) and not line.lstrip().startswith(("#", "//"))
    )


_ADDRESS: Final = re.compile(r"169\.254\.169\.254|fd00:ec2::254", re.IGNORECASE)
_TOKEN: Final = re.compile(r"api/token|metadata-token", re.IGNORECASE)


def image_inherits(text: str) -> str:
    """Why an image of such a name is V2 only by itself, empty where nothing is known of it."""
    if found := _V2_IMAGE.search(text):
        return f"the image ({found[0]}) is registered with imds-support v2.0"
    return ""


def user_data(carrier: Source, inside: str) -> Iterator[Source]:
    """The scripts in user data, whose text and lines `carrier` has.

    What no format of user data claims, a template's fragment say, is left alone.
    """
    yield from embedded_user_data(carrier, carrier.text, 1, inside, carrier.indent)
