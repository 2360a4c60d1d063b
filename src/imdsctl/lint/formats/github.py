"""Workflow commands, which GitHub Actions shows beside the lines of a pull request.

GitHub Docs, "Workflow commands for GitHub Actions", setting a notice, warning or error message.
"""

from datetime import datetime
from typing import Final

from imdsctl.lint.result import Report

_COMMANDS: Final = {"error": "error", "warning": "warning", "note": "notice"}


def render(report: Report, *, tool_version: str, generated_at: datetime) -> str:  # noqa: ARG001
    """One command a line; the runner takes them from the step's output."""
    rows = []
    for one in report.findings:
        finding, place = one.finding, one.finding.place
        rows.append(
            _command(
                _COMMANDS[finding.severity],
                f"{finding.message}\nfix: {finding.fix}",
                file=finding.path,
                line=place.line,
                endLine=place.end_line,
                col=place.column,
                endColumn=place.end_column,
                title=f"imdsctl {finding.rule}",
            )
        )
    rows += [
        _command(
            "warning", one.why, file=one.path, line=max(1, one.line), title="imdsctl: not read"
        )
        for one in report.not_read
    ]
    return "".join(f"{row}\n" for row in rows)


def _command(name: str, message: str, **properties: str | int) -> str:
    shown = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{name} {shown}::{_data(message)}"


def _data(text: str) -> str:
    """As the runner's own toolkit escapes it (actions/toolkit, packages/core)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
