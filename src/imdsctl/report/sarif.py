"""SARIF 2.1.0 (OASIS), whatever the results are about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec


def document(
    *,
    rules: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    gaps: Sequence[Mapping[str, Any]],
    tool_version: str,
    generated_at: datetime,
    properties: Mapping[str, Any],
) -> str:
    """One log with one run; `gaps` are notifications of what could not be looked at."""
    run = {
        "tool": {
            "driver": {
                "name": "imdsctl",
                "version": tool_version,
                "semanticVersion": tool_version,
                "rules": rules,
            }
        },
        "invocations": [
            {
                "executionSuccessful": not gaps,
                "endTimeUtc": f"{generated_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "toolExecutionNotifications": gaps,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": properties,
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"
