"""Reads about what a fleet has nothing of: a region answers them as an untouched one does."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

FLEET = """
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
"""
READS = {
    "describe_client_vpn_endpoints": ("ClientVpnEndpoints", []),
    "get_image_block_public_access_state": ("ImageBlockPublicAccessState", "block-new-sharing"),
    "get_snapshot_block_public_access_state": ("State", "unblocked"),
}


@pytest.fixture
def ec2(simulated_aws: Callable[..., Any], boto: Callable[..., Any]) -> Any:
    simulated_aws(FLEET)
    return boto("ec2")


@pytest.mark.parametrize("read", READS)
def test_it_answers_as_a_region_in_which_nobody_has_made_anything(ec2: Any, read: str) -> None:
    member, value = READS[read]
    assert getattr(ec2, read)()[member] == value


@pytest.mark.parametrize("read", READS)
def test_a_dry_run_says_that_it_would_have_succeeded(ec2: Any, read: str) -> None:
    with pytest.raises(ClientError, match="DryRunOperation"):
        getattr(ec2, read)(DryRun=True)
