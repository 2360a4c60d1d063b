"""The metadata options of an instance, a launch template or an account, in AWS's own words."""

from typing import Final, Literal

from msgspec import Struct, structs

Tokens = Literal["optional", "required"]
Switch = Literal["enabled", "disabled"]

MEMBERS: Final = (
    "http_tokens",
    "http_put_response_hop_limit",
    "http_endpoint",
    "http_protocol_ipv6",
    "instance_metadata_tags",
)


class MetadataOptions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The five metadata options; a member that is None is not specified.

    On an instance all five are known. In a launch template, a launch configuration or an
    account default an absent member leaves the choice to whatever comes next in AWS's order
    of precedence. `state` is `pending` until EC2 reports a change as `applied` (instances only).
    """

    http_tokens: str | None = None
    http_put_response_hop_limit: int | None = None
    http_endpoint: str | None = None
    http_protocol_ipv6: str | None = None
    instance_metadata_tags: str | None = None
    state: str | None = None

    @property
    def posture(self) -> Literal["v1-allowed", "v2-only", "imds-off"]:
        """What a caller on the instance can do; unspecified counts as AWS's built-in default."""
        if self.http_endpoint == "disabled":
            return "imds-off"
        return "v2-only" if self.http_tokens == "required" else "v1-allowed"

    def members(self) -> dict[str, str | int]:
        """The specified options by name, without `state`."""
        return {name: value for name in MEMBERS if (value := getattr(self, name)) is not None}

    def differing(self, target: "MetadataOptions") -> dict[str, str | int]:
        """The members of `target` that are specified there and differ here: all that is sent."""
        return {k: v for k, v in target.members().items() if getattr(self, k) != v}

    def over(self, below: "MetadataOptions") -> "MetadataOptions":
        """These options where specified, those of `below` elsewhere."""
        return structs.replace(below, **self.members())


BUILT_IN: Final = MetadataOptions(
    http_tokens="optional",
    http_put_response_hop_limit=1,
    http_endpoint="enabled",
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
)
"""What EC2 uses where nothing else decides (EC2 User Guide, instance metadata options)."""
