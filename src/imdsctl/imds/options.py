"""The metadata options of one instance, as its metadata service obeys them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MIN_HOP_LIMIT = 1
MAX_HOP_LIMIT = 64

_CHOICES = {
    "http_tokens": ("optional", "required"),
    "http_endpoint": ("enabled", "disabled"),
    "http_protocol_ipv6": ("enabled", "disabled"),
    "instance_metadata_tags": ("enabled", "disabled"),
}


@dataclass(frozen=True)
class Options:
    """The five metadata options, under AWS's names and with its values.

    The defaults are what EC2 uses where nobody chose (EC2 User Guide, "Configure the Instance
    Metadata Service options"). `http_put_response_hop_limit` counts network hops, 1 to 64.

    Raises:
        ValueError: a member has a value that EC2 does not know.
    """

    http_tokens: str = "optional"
    http_put_response_hop_limit: int = 1
    http_endpoint: str = "enabled"
    http_protocol_ipv6: str = "disabled"
    instance_metadata_tags: str = "disabled"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is {' or '.join(choices)}")
        hops = self.http_put_response_hop_limit
        # Not isinstance: true is an int to Python, and no number of hops to EC2.
        if type(hops) is not int or not MIN_HOP_LIMIT <= hops <= MAX_HOP_LIMIT:
            raise ValueError(
                f"http_put_response_hop_limit is {hops!r}; "
                f"it is {MIN_HOP_LIMIT} to {MAX_HOP_LIMIT} hops"
            )

    @property
    def tokens_required(self) -> bool:
        """Whether a request without a session token is refused (IMDSv2 only)."""
        return self.http_tokens == "required"

    @property
    def endpoint_enabled(self) -> bool:
        """Whether the service answers at all."""
        return self.http_endpoint == "enabled"

    @property
    def ipv6_enabled(self) -> bool:
        """Whether it answers on fd00:ec2::254, too."""
        return self.http_protocol_ipv6 == "enabled"

    @property
    def tags_enabled(self) -> bool:
        """Whether the instance's tags are part of the metadata."""
        return self.instance_metadata_tags == "enabled"

    def replace(self, **changes: Any) -> Options:
        """These options with some members changed, checked again.

        Raises:
            ValueError: an unknown member or value.
        """
        unknown = sorted(set(changes) - {field.name for field in dataclasses.fields(self)})
        if unknown:
            raise ValueError(f"no such metadata option: {', '.join(unknown)}")
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_mapping(cls, members: Mapping[str, Any]) -> Options:
        """Options out of a mapping (a TOML or JSON table); members left out have their default.

        Raises:
            ValueError: an unknown member or value.
        """
        return cls().replace(**members)

    def members(self) -> dict[str, Any]:
        """All five by name."""
        return dataclasses.asdict(self)
