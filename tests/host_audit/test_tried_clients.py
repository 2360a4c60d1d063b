"""What the audit says of real clients is what was seen when they ran (docs/clients.md)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from host_audit.audited import look
from host_audit.managers import SHELF

FILE = Path(__file__).parents[1] / "real_clients" / "clients.toml"
TRIED: dict[str, str] = {
    "boto-2.49.0": "boto",
    "botocore-1.12.253": "botocore",
    "botocore-1.13.0": "botocore",
    "botocore-1.13.24": "botocore",
    "botocore-1.44.5": "botocore",
    "awscli-1.16.100": "botocore",
    "awscli-1.46.2": "botocore",
    "ec2-metadata-1.8.0": "ec2-metadata",
    "ec2-metadata-2.0.0": "ec2-metadata",
    "ec2-metadata-3.0.0": "ec2-metadata",
    "aws-sdk-for-Node.js-2.574.0": "aws-sdk-js",
    "aws-sdk-for-Node.js-2.1693.0": "aws-sdk-js",
    "smithy-credential-provider-imds-4.5.2": "smithy-imds",
    "node-ec2-metadata-0.0.5": "node-ec2-metadata",
    "s3cmd-2.4.0": "s3cmd",
    "rclone-1.60.1": "aws-sdk-go",
}
"""The client's folder, and the software in it that does the calls."""


def seen(client: dict[str, Any]) -> str:
    """What its requests were where v1 is allowed, and where no token comes back."""
    optional = client["seen"]["optional"]["asked"]
    if not any(one.startswith("PUT") for one in optional):
        return "v1-only"
    without = client["seen"]["hop-limit-1"]["asked"]
    return "fallback" if any(one.startswith("v1") for one in without) else "no-fallback"


def tried() -> dict[str, dict[str, Any]]:
    listed = tomllib.loads(FILE.read_text(encoding="utf-8"))["client"]
    names = (f"{one['name']}-{one['version']}".lstrip("@") for one in listed)
    clean = (name.replace("/", "-").replace(" ", "-") for name in names)
    return dict(zip(clean, listed, strict=True))


@pytest.mark.parametrize("client", TRIED)
def test_the_audit_says_what_the_trial_showed(client: str) -> None:
    if not (SHELF / client / ".installed").exists():
        pytest.skip(f"no {client} in {SHELF.name}: make clients")
    answer = look(SHELF / client)
    said = {row["behaviour"] for row in [*answer["findings"], *answer["notes"]]
            if row["software"] == TRIED[client]}  # fmt: skip
    assert {one.removeprefix("sticky-") for one in said} == {seen(tried()[client])}
    assert bool(answer["findings"]) == (said == {"v1-only"})
