"""Findings as SARIF 2.1.0 (OASIS), for code scanning."""

from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import quote

from imdsctl.lint.finding import Example, Rule
from imdsctl.lint.ignore import RULES
from imdsctl.lint.result import NotRead, Report, Shown
from imdsctl.lint.rulebook import every_rule
from imdsctl.report.sarif import document

_SCORES: Final = {"error": "8.0", "warning": "5.5", "note": "3.0"}
_RANKS: Final = {"high": 90.0, "medium": 60.0, "low": 30.0}


def render(report: Report, *, tool_version: str, generated_at: datetime) -> str:
    """One run with every rule, its help and the findings.

    Paths are relative to the folder in which lint ran, as code scanning wants them.
    """
    rules = {**every_rule(), **RULES}
    order = {name: number for number, name in enumerate(rules)}
    return document(
        rules=[_rule(name, rule) for name, rule in rules.items()],
        results=[_result(one, order[one.finding.rule]) for one in report.findings],
        gaps=[_gap(one) for one in report.not_read],
        tool_version=tool_version,
        generated_at=generated_at,
        properties={
            "files": report.files,
            "ignored": report.ignored,
            "baseline": report.old,
        },
    )


def _rule(name: str, rule: Rule) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": _help(rule), "markdown": _markdown(rule)},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "security-severity": _SCORES[rule.severity],
            "precision": "high",
            "tags": ["security", "aws", "imds"],
        },
    }


def _help(rule: Rule) -> str:
    source = f" Source: {rule.source}." if rule.source else ""
    return f"{rule.why}{source}"


def _markdown(rule: Rule) -> str:
    parts = [_help(rule)]
    parts += [f"Bad:\n\n{_fenced(one)}" for one in rule.bad[:1]]
    parts += [f"Good:\n\n{_fenced(one)}" for one in rule.good[:1]]
    return "\n\n".join(parts)


def _fenced(example: Example) -> str:
    return f"```\n{example.text.rstrip()}\n```"


def _result(one: Shown, rule: int) -> dict[str, Any]:
    finding, place = one.finding, one.finding.place
    inside = f" (in {finding.inside})" if finding.inside else ""
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": finding.severity,
        "rank": _RANKS[finding.confidence],
        "message": {"text": f"{finding.message}{inside} Fix: {finding.fix}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(finding.path)},
                    "region": {
                        "startLine": place.line,
                        "startColumn": place.column,
                        "endLine": place.end_line,
                        # 3.30.8: one past the last character.
                        "endColumn": place.end_column + 1,
                        "snippet": {"text": one.text},
                    },
                }
            }
        ],
        "partialFingerprints": {"lint/v1": one.fingerprint},
        "properties": {"confidence": finding.confidence},
    }


def _gap(one: NotRead) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": uri(one.path)}}
    if one.line:
        place["region"] = {"startLine": one.line}
    return {
        "level": "warning",
        "message": {"text": f"not read: {one.why}"},
        "locations": [{"physicalLocation": place}],
    }


def uri(path: str) -> str:
    """A path as a reference: relative to the present folder where it is below it."""
    pure = PurePath(path)
    if pure.is_absolute():
        try:
            pure = pure.relative_to(Path.cwd())
        except ValueError:
            return pure.as_uri()
    return quote(pure.as_posix())
