"""Reads that scanners make of every region, and that a fleet has nothing to say about.

They answer as a region answers in which nobody has ever set or made anything.
"""

from typing import Any

from moto.core.responses import ActionResult


def describe_client_vpn_endpoints(self: Any) -> ActionResult:
    """There are none."""
    self.error_on_dryrun()
    return ActionResult({"ClientVpnEndpoints": []})


def get_image_block_public_access_state(self: Any) -> ActionResult:
    """`block-new-sharing`, as in accounts without public images.

    EC2 User Guide, "Understand block public access for AMIs": on by default there since
    October 2023.
    """
    self.error_on_dryrun()
    return ActionResult({"ImageBlockPublicAccessState": "block-new-sharing"})


def get_snapshot_block_public_access_state(self: Any) -> ActionResult:
    """`unblocked`, which it is until somebody blocks it (EBS User Guide)."""
    self.error_on_dryrun()
    return ActionResult({"State": "unblocked"})
