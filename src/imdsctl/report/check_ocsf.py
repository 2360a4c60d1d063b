"""Control results as OCSF Compliance Findings (class 2003), schema version 1.3.0."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from imdsctl.model.control import ControlResult
from imdsctl.report.arn import is_gap, partition, resource_id

_CLASS, _CATEGORY, _CREATE = 2003, 2, 1
_SEVERITIES = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
}
_COMPLIANCE = {
    "pass": (1, "Pass"),
    "unknown": (2, "Warning"),
    "fail": (3, "Fail"),
    "not-applicable": (99, "Not Applicable"),
}
_TYPES = {
    "instance": "AwsEc2Instance",
    "launch-template": "AwsEc2LaunchTemplate",
    "launch-configuration": "AwsAutoScalingLaunchConfiguration",
    "auto-scaling-group": "AwsAutoScalingAutoScalingGroup",
    "account-defaults": "AwsAccount",
}


def render(results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime) -> str:
    """A JSON array of events. Times are milliseconds since 1970, as OCSF's timestamp_t asks."""
    events = [_event(r, tool_version, round(generated_at.timestamp() * 1000)) for r in results]
    return msgspec.json.format(msgspec.json.encode(events), indent=2).decode() + "\n"


def _event(result: ControlResult, tool_version: str, now: int) -> dict[str, Any]:
    failed = result.status == "fail"
    severity_id, severity = _SEVERITIES[result.severity if failed else "informational"]
    status_id, status = _COMPLIANCE[result.status]
    key = f"{result.control}\n{result.account}\n{result.region}\n{result.resource}"
    seen = round(result.observed_at.timestamp() * 1000) if result.observed_at else now
    event: dict[str, Any] = {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Compliance Finding",
        "type_uid": _CLASS * 100 + _CREATE,
        "type_name": "Compliance Finding: Create",
        "time": now,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1 if status_id in (2, 3) else 4,
        "status": "New" if status_id in (2, 3) else "Resolved",
        "message": f"{result.resource}: {result.why}",
        "metadata": {
            "version": "1.3.0",
            "profiles": ["cloud"],
            "product": {"name": "imdsctl", "vendor_name": "imdsctl", "version": tool_version},
        },
        "cloud": {
            "provider": "AWS",
            "region": result.region,
            "account": {"uid": result.account, "type": "AWS Account", "type_id": 10},
        },
        "compliance": {
            "control": result.control,
            "standards": [result.benchmark],
            "requirements": [result.title],
            "status_id": status_id,
            "status": status,
            "status_detail": " ".join(filter(None, (result.why, result.note))),
        },
        "finding_info": {
            "uid": f"imdsctl-{hashlib.sha256(key.encode()).hexdigest()[:32]}",
            "title": result.title,
            "desc": " ".join(filter(None, (result.why, result.note))),
            "created_time": now,
            "last_seen_time": seen,
            "data_sources": ["Amazon EC2 API", "Amazon EC2 Auto Scaling API"],
            "types": ["Software and Configuration Checks"],
        },
        "resources": [
            {
                "uid": resource_id(result),
                "name": result.name or result.resource,
                "type": "AwsAccount" if is_gap(result) else _TYPES[result.subject],
                "region": result.region,
                "cloud_partition": partition(result.region),
                "data": {"effective": result.effective, "evidence": result.evidence},
            }
        ],
    }
    if result.remediation:
        event["remediation"] = {"desc": result.remediation}
    return event
