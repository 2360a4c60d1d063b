"""The names by which AWS and security tools know a resource."""

from imdsctl.model.control import ControlResult

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


def partition(region: str) -> str:
    """AWS's partition of a region, told by the region's prefix."""
    return next((p for prefix, p in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def is_gap(result: ControlResult) -> bool:
    """Whether the result stands for something that could not be read, not for a resource."""
    return result.status == "unknown" and not result.evidence


def resource_id(result: ControlResult) -> str:
    """The ARN, or what identifies the resource where its ARN holds a part that is not known.

    The ARNs of launch configurations and Auto Scaling groups contain an id that is not kept;
    account, region and name identify them as well. Account-wide things are named as AWS
    Config names an account.
    """
    start = f"arn:{partition(result.region)}:ec2:{result.region}:{result.account}"
    if result.subject == "account-defaults" or is_gap(result):
        return f"AWS::::Account:{result.account}"
    if result.subject == "instance":
        return f"{start}:instance/{result.resource}"
    if result.subject == "launch-template":
        return f"{start}:launch-template/{result.resource}"
    return f"{result.account}/{result.region}/{result.subject}/{result.resource}"
