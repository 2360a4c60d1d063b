"""Metadata options: what a caller can do, what has to be sent, and whose word counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imdsctl.model.options import BUILT_IN, MEMBERS, MetadataOptions

SWITCHES = st.sampled_from([None, "enabled", "disabled"])
OPTIONS = st.builds(
    MetadataOptions,
    http_tokens=st.sampled_from([None, "optional", "required"]),
    http_put_response_hop_limit=st.none() | st.integers(1, 64),
    http_endpoint=SWITCHES,
    http_protocol_ipv6=SWITCHES,
    instance_metadata_tags=SWITCHES,
    state=st.sampled_from([None, "pending", "applied"]),
)


@pytest.mark.parametrize(
    ("options", "posture"),
    [
        (MetadataOptions(http_tokens="optional", http_endpoint="enabled"), "v1-allowed"),
        (MetadataOptions(http_tokens="required", http_endpoint="enabled"), "v2-only"),
        (MetadataOptions(http_tokens="optional", http_endpoint="disabled"), "imds-off"),
        (MetadataOptions(http_tokens="required", http_endpoint="disabled"), "imds-off"),
        (MetadataOptions(http_tokens="required"), "v2-only"),
        (MetadataOptions(), "v1-allowed"),
        (BUILT_IN, "v1-allowed"),
    ],
)
def test_the_posture_is_what_a_caller_can_do(options: MetadataOptions, posture: str) -> None:
    assert options.posture == posture


def test_only_the_members_that_differ_are_sent() -> None:
    here = MetadataOptions(http_tokens="optional", http_put_response_hop_limit=1, state="applied")
    target = MetadataOptions(http_tokens="required", http_put_response_hop_limit=1)
    assert here.differing(target) == {"http_tokens": "required"}


def test_an_endpoint_that_the_target_leaves_open_is_never_sent() -> None:
    off = MetadataOptions(http_tokens="optional", http_endpoint="disabled")
    assert off.differing(MetadataOptions(http_tokens="required")) == {"http_tokens": "required"}


@given(OPTIONS, OPTIONS)
@settings(deadline=None)
def test_what_is_sent_leads_to_the_target_and_touches_nothing_else(
    here: MetadataOptions, target: MetadataOptions
) -> None:
    sent = here.differing(target)
    assert "state" not in sent
    assert all(value is not None for value in sent.values())
    reached = {**{m: getattr(here, m) for m in MEMBERS}, **sent}
    for member in MEMBERS:
        wanted = getattr(target, member)
        assert reached[member] == (getattr(here, member) if wanted is None else wanted)


@given(OPTIONS)
@settings(deadline=None)
def test_nothing_is_sent_to_what_is_already_so(options: MetadataOptions) -> None:
    assert options.differing(options) == {}


@given(OPTIONS, OPTIONS)
@settings(deadline=None)
def test_what_is_specified_above_counts_and_the_rest_comes_from_below(
    above: MetadataOptions, below: MetadataOptions
) -> None:
    result = above.over(below)
    assert result.members() == {**below.members(), **above.members()}


@given(OPTIONS)
@settings(deadline=None)
def test_over_what_is_built_in_nothing_stays_open(options: MetadataOptions) -> None:
    assert set(options.over(BUILT_IN).members()) == set(MEMBERS)
