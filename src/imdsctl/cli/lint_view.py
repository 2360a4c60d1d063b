"""How `imdsctl lint` shows what it found: the table, the list of rules, and the JSON."""

import shlex
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from imdsctl.cli.screen import Part, Screen, count, joined
from imdsctl.lint.finding import Rule
from imdsctl.lint.result import NotRead, Report, Shown

_STYLES: Final = {"error": "red", "warning": "yellow", "note": "cyan"}
_UNREAD_SHOWN: Final = 10
_SKIPPED_SHOWN: Final = 5


def show(screen: Screen, report: Report, paths: Sequence[str]) -> None:
    """The findings by file, the counts, what was not looked at, and the next step."""
    for path, rows in groupby(report.findings, key=lambda one: one.finding.path):
        screen.line((path, "bold"))
        for one in rows:
            _finding(screen, one)
        screen.line()
    _counts(screen, report)
    _not_looked_at(screen, report)
    _next(screen, report, paths)


def _finding(screen: Screen, one: Shown) -> None:
    finding, place = one.finding, one.finding.place
    where = f"{place.line}:{place.column}"
    inside = f"  in {finding.inside}" if finding.inside else ""
    screen.line(
        f"  {where:<8} ",
        (f"{finding.severity:<8}", _STYLES[finding.severity]),
        (finding.rule, "bold"),
        f"  confidence {finding.confidence}{inside}",
        hang=11,
    )
    if one.text:
        screen.line(f"{'':11}{one.text}", hang=13)
    screen.line(f"{'':11}{finding.message}", hang=11)
    screen.line(f"{'':11}", ("fix: ", "bold"), finding.fix, hang=16)


def _counts(screen: Screen, report: Report) -> None:
    numbers = [(severity, report.counted(severity)) for severity in ("error", "warning", "note")]
    said: list[Part] = []
    for severity, number in numbers:
        if number:
            said += [" · " if said else "", (count(number, severity), _STYLES[severity])]
    if not said:
        said = [("nothing found", "green")]
    beside = [
        f"{report.ignored:,} ignored with a reason" if report.ignored else "",
        f"{report.old:,} in the baseline" if report.old else "",
    ]
    screen.line(
        *said, f" in {count(report.files, 'file')}", *(f" · {b}" for b in beside if b), hang=2
    )
    if report.gone:
        screen.line(
            f"{count(report.gone, 'finding')} of the baseline "
            f"{'is' if report.gone == 1 else 'are'} gone: write it anew with --write-baseline"
        )


def _not_looked_at(screen: Screen, report: Report) -> None:
    if report.others:
        screen.line(f"{count(report.others, 'other file')} of no kind that lint reads")
    skipped = report.skipped
    for path, why in skipped if screen.verbose else skipped[:_SKIPPED_SHOWN]:
        screen.line(f"left out  {path}: {why}", hang=10)
    _more(screen, len(skipped) - _SKIPPED_SHOWN)
    for one in report.not_read if screen.verbose else report.not_read[:_UNREAD_SHOWN]:
        screen.line(("not read", "yellow"), f"  {_place(one)}: {one.why}", hang=10)
    _more(screen, len(report.not_read) - _UNREAD_SHOWN)


def _more(screen: Screen, number: int) -> None:
    if number > 0 and not screen.verbose:
        screen.line(f"          and {number:,} more: -v, or -o json")


def _place(one: NotRead) -> str:
    return f"{one.path}:{one.line}" if one.line else one.path


def _next(screen: Screen, report: Report, paths: Sequence[str]) -> None:
    named = shlex.join(paths) or "PATH"
    fixable = sum(bool(one.finding.edits) for one in report.findings)
    if fixable and "-" not in paths:
        screen.next(
            f"imdsctl lint --fix {named}   ({fixable:,} can be mended; shows the patch and asks)",
            "docs/lint-rules.md   (each rule, with examples)",
        )
    elif report.fails:
        screen.next("docs/lint-rules.md   (each rule, with examples)")
    elif report.not_read:
        screen.note("nothing found, but not everything could be read")


def show_rules(screen: Screen, rules: dict[str, Rule]) -> None:
    """Every rule with its severity, its title and why."""
    for name, rule in rules.items():
        screen.line((name, "bold"), "  ", (rule.severity, _STYLES[rule.severity]))
        screen.line(f"  {rule.title}. {rule.why}", hang=2)


def document(report: Report) -> dict[str, Any]:
    """The JSON answer."""
    return {
        "complete": not report.not_read,
        "summary": {
            "files": report.files,
            "others": report.others,
            "errors": report.counted("error"),
            "warnings": report.counted("warning"),
            "notes": report.counted("note"),
            "fixable": sum(bool(one.finding.edits) for one in report.findings),
            "ignored": report.ignored,
            "baseline": report.old,
            "gone": report.gone,
        },
        "findings": [_row(one) for one in report.findings],
        "not_read": [
            {"path": one.path, "line": one.line or None, "why": one.why} for one in report.not_read
        ],
        "skipped": [{"path": path, "why": why} for path, why in report.skipped],
    }


def _row(one: Shown) -> dict[str, Any]:
    finding, place = one.finding, one.finding.place
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "fix": finding.fix,
        "path": finding.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "inside": finding.inside,
        "text": one.text,
        "fingerprint": one.fingerprint,
        "fixable": bool(finding.edits),
    }


def unknown_names(names: Sequence[str], known: Sequence[str]) -> str:
    """Names that no rule has, in words."""
    return joined(sorted(repr(name) for name in set(names) - set(known)))
