"""Control results as SARIF 2.1.0 (OASIS), for code scanning and its dashboards."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from imdsctl.model.control import ControlResult
from imdsctl.report.arn import is_gap, resource_id
from imdsctl.report.sarif import document

_KINDS = {"fail": "fail", "unknown": "open"}
_LEVELS = {"informational": "note", "low": "note", "medium": "warning", "high": "error"}
_SCORES = {"informational": "0.0", "low": "3.0", "medium": "5.5", "high": "8.0"}


def render(results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime) -> str:
    """One run with what failed and what is `open` (3.27.9: not enough information to decide).

    What passed or does not apply is counted in the run's properties and not listed: services that
    know no `kind` would show it as an alert.

    A cloud resource has no file, so its place is given as a relative path of account, region and
    id, which is what code-scanning services ask for, and as a logical location with its ARN.
    """
    rules: dict[str, int] = {}
    entries: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.status] += 1
        if result.control not in rules:
            rules[result.control] = len(rules)
            entries.append(_rule(result))
        if result.status in _KINDS:
            found.append(_result(result, rules[result.control]))
        if is_gap(result):
            gaps.append(_notification(result))
    return document(
        rules=entries,
        results=found,
        gaps=gaps,
        tool_version=tool_version,
        generated_at=generated_at,
        properties={"counts": counts},
    )


def _rule(result: ControlResult) -> dict[str, Any]:
    return {
        "id": result.control,
        "name": result.title,
        "shortDescription": {"text": result.title},
        "fullDescription": {"text": f"{result.benchmark}: {result.title}."},
        "defaultConfiguration": {"level": _LEVELS[result.severity]},
        "properties": {
            "benchmark": result.benchmark,
            "security-severity": _SCORES[result.severity],
            "tags": ["security", "aws", "imds"],
        },
    }


def _result(result: ControlResult, rule: int) -> dict[str, Any]:
    failed = result.status == "fail"
    text = f"{result.name or result.resource} in {result.account} {result.region}: {result.why}"
    text += f" {result.note}" if result.note else ""
    text += f" {result.remediation}" if result.remediation and failed else ""
    path = "/".join(p for p in (result.account, result.region, result.resource) if p)
    uri = "aws/" + "".join(c if c.isalnum() or c in "/-._~" else "_" for c in path)
    print_ = f"{result.control}\n{result.account}\n{result.region}\n{result.resource}"
    return {
        "ruleId": result.control,
        "ruleIndex": rule,
        "kind": _KINDS[result.status],
        # 3.27.10: a result that is no failure has the level none.
        "level": _LEVELS[result.severity] if failed else "none",
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri}},
                "logicalLocations": [
                    {
                        "name": result.name or result.resource,
                        "fullyQualifiedName": resource_id(result),
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {"resource/v1": hashlib.sha256(print_.encode()).hexdigest()},
        "properties": {
            "effective": result.effective,
            "account": result.account,
            "region": result.region,
            "evidence": result.evidence,
        },
    }


def _notification(result: ControlResult) -> dict[str, Any]:
    return {
        "level": "warning",
        "message": {"text": f"{result.account} {result.region}: {result.why}"},
        "associatedRule": {"id": result.control},
    }
