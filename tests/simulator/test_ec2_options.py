"""Which level wins for each metadata option of a new instance, and what the API refuses."""

from typing import Any

import pytest

from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.options import check_tag_keys, from_wire, merge, resolve_options
from imdsctl.simulator.life import Options

V1_OR_V2, V2, UNSET = "optional", "required", None

# EC2 User Guide, "Order of precedence for instance metadata options": what the launch or its
# template says, what the account's default says, the image's ImdsSupport, and what comes of it.
TOKENS = [
    (V2, UNSET, "v2.0", V2),
    (V2, V2, "v2.0", V2),
    (V2, V1_OR_V2, "v2.0", V2),
    (V1_OR_V2, UNSET, "v2.0", V1_OR_V2),
    (V1_OR_V2, V2, "v2.0", V1_OR_V2),
    (V1_OR_V2, V1_OR_V2, "v2.0", V1_OR_V2),
    (UNSET, UNSET, "v2.0", V2),
    (UNSET, V2, "v2.0", V2),
    (UNSET, V1_OR_V2, "v2.0", V1_OR_V2),
    (V2, UNSET, None, V2),
    (V2, V2, None, V2),
    (V2, V1_OR_V2, None, V2),
    (V1_OR_V2, UNSET, None, V1_OR_V2),
    (V1_OR_V2, V2, None, V1_OR_V2),
    (V1_OR_V2, V1_OR_V2, None, V1_OR_V2),
    (UNSET, UNSET, None, V1_OR_V2),
    (UNSET, V2, None, V2),
    (UNSET, V1_OR_V2, None, V1_OR_V2),
]


@pytest.mark.parametrize("where", ["launch", "template"])
@pytest.mark.parametrize(("given", "account", "image", "expected"), TOKENS)
def test_tokens_come_from_the_first_level_that_has_a_say(
    where: str, given: str | None, account: str | None, image: str | None, expected: str
) -> None:
    level = {where: {"http_tokens": given}}
    resolved = resolve_options(
        level.get("launch"), level.get("template"), {"http_tokens": account}, image
    )
    assert resolved.http_tokens == expected


HOP_LIMITS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str | None, int]] = [
    ({}, {}, {}, None, 1),
    ({}, {}, {}, "v2.0", 2),
    ({}, {}, {"http_put_response_hop_limit": 1}, "v2.0", 1),
    ({}, {}, {"http_put_response_hop_limit": 3}, None, 3),
    ({}, {"http_put_response_hop_limit": 2}, {"http_put_response_hop_limit": 3}, None, 2),
    (
        {"http_put_response_hop_limit": 5},
        {"http_put_response_hop_limit": 2},
        {"http_put_response_hop_limit": 3},
        "v2.0",
        5,
    ),
    # Tokens at one level leave the hop limit to the next.
    ({"http_tokens": "required"}, {}, {}, None, 1),
    ({"http_tokens": "optional"}, {}, {}, "v2.0", 2),
    ({}, {}, {"http_tokens": "required"}, None, 1),
]


@pytest.mark.parametrize(("launch", "template", "account", "image", "expected"), HOP_LIMITS)
def test_the_hop_limit_is_resolved_by_itself(
    launch: dict[str, Any],
    template: dict[str, Any],
    account: dict[str, Any],
    image: str | None,
    expected: int,
) -> None:
    resolved = resolve_options(launch, template, account, image)
    assert resolved.http_put_response_hop_limit == expected


def test_the_account_has_no_say_in_what_it_has_no_default_for() -> None:
    resolved = resolve_options(
        {}, {}, {"http_tokens": "required", "http_tokens_enforced": "enabled"}
    )
    assert resolved == Options(http_tokens="required")


def test_an_image_says_nothing_of_endpoint_and_tags() -> None:
    assert resolve_options(image="v2.0") == Options(
        "required", 2, "enabled", "disabled", "disabled"
    )


def test_merging_keeps_what_is_left_out() -> None:
    before = Options("required", 7, "enabled", "enabled", "enabled")
    assert merge(before, {"http_tokens": "optional"}) == Options(
        "optional", 7, "enabled", "enabled", "enabled"
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("HttpTokens", "Required"),
        ("HttpTokens", ""),
        ("HttpEndpoint", ""),
        ("HttpPutResponseHopLimit", 0),
        ("HttpPutResponseHopLimit", 65),
        ("HttpPutResponseHopLimit", -1),
        ("HttpProtocolIpv6", "on"),
        ("InstanceMetadataTags", "no-preference"),
    ],
)
def test_a_value_that_the_api_does_not_know_is_refused(member: str, value: object) -> None:
    with pytest.raises(Refused, match=member) as refused:
        from_wire({member: value})
    assert refused.value.error_code == "InvalidParameterValue"


@pytest.mark.parametrize("hop_limit", [1, 64])
def test_the_ends_of_the_hop_limit_are_allowed(hop_limit: int) -> None:
    assert from_wire({"HttpPutResponseHopLimit": hop_limit}) == {
        "http_put_response_hop_limit": hop_limit
    }


@pytest.mark.parametrize("key", ["my key", "a/b", ".", "..", "_index", "ü", "x" * 256])
def test_a_tag_key_that_cannot_be_a_path_is_refused(key: str) -> None:
    with pytest.raises(Refused, match="not a valid tag key"):
        check_tag_keys(["Name", key])


def test_usual_and_aws_tag_keys_are_allowed() -> None:
    check_tag_keys(["Name", "cost-centre", "k8s.io_cluster", "a:b@c=d+e,f", "aws:x/y z"])
