"""Control results in the AWS Security Finding Format, as BatchImportFindings takes them."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from imdsctl.model.control import ControlResult
from imdsctl.report.arn import is_gap, partition, resource_id

_TYPES = {
    "instance": "AwsEc2Instance",
    "launch-template": "AwsEc2LaunchTemplate",
    "launch-configuration": "AwsAutoScalingLaunchConfiguration",
    "auto-scaling-group": "AwsAutoScalingAutoScalingGroup",
    "account-defaults": "AwsAccount",
}
_COMPLIANCE = {
    "pass": "PASSED",
    "fail": "FAILED",
    "unknown": "WARNING",
    "not-applicable": "NOT_AVAILABLE",
}
# Lengths that the API's reference gives for these members.
_TITLE, _DESCRIPTION, _RECOMMENDATION = 256, 1024, 512


def render(results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime) -> str:
    """One object with `Findings`. BatchImportFindings takes at most 100 of them in one call."""
    findings = [finding(r, tool_version=tool_version, generated_at=generated_at) for r in results]
    return (
        msgspec.json.format(msgspec.json.encode({"Findings": findings}), indent=2).decode() + "\n"
    )


def finding(result: ControlResult, *, tool_version: str, generated_at: datetime) -> dict[str, Any]:
    """One finding; its Id stays the same from run to run, so that an import updates it."""
    key = f"{result.control}\n{result.account}\n{result.region}\n{result.resource}"
    now = _stamp(generated_at)
    part = partition(result.region)
    answer: dict[str, Any] = {
        "SchemaVersion": "2018-10-08",
        "Id": f"imdsctl/{result.control}/{hashlib.sha256(key.encode()).hexdigest()[:32]}",
        "ProductArn": f"arn:{part}:securityhub:{result.region}:{result.account}:product/"
        f"{result.account}/default",
        "GeneratorId": f"imdsctl/{result.control}",
        "AwsAccountId": result.account,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "CreatedAt": now,
        "UpdatedAt": now,
        "LastObservedAt": _stamp(result.observed_at or generated_at),
        "Severity": {
            "Label": result.severity.upper() if result.status == "fail" else "INFORMATIONAL"
        },
        "Title": _cut(f"{result.control} {result.title}", _TITLE),
        "Description": _cut(" ".join(filter(None, (result.why, result.note))), _DESCRIPTION),
        "ProductFields": {
            "imdsctl/version": tool_version,
            "imdsctl/effective": result.effective,
            "imdsctl/benchmark": result.benchmark,
        },
        "Resources": [
            {
                "Type": "AwsAccount" if is_gap(result) else _TYPES[result.subject],
                "Id": resource_id(result),
                # The finding format has its own names for two partitions.
                "Partition": part.replace("aws-iso", "aws-us-iso"),
                "Region": result.region,
            }
        ],
        "Compliance": {
            "Status": _COMPLIANCE[result.status],
            "RelatedRequirements": [result.benchmark],
        },
        "Workflow": {"Status": "NEW" if result.status in ("fail", "unknown") else "RESOLVED"},
        "RecordState": "ACTIVE",
    }
    if result.remediation:
        text = _cut(result.remediation, _RECOMMENDATION)
        answer["Remediation"] = {"Recommendation": {"Text": text}}
    return answer


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
