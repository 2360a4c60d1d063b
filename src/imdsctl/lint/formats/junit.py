"""Findings as JUnit XML, for the test views of build servers."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from imdsctl.lint.result import NotRead, Report, Shown
from imdsctl.lint.rulebook import every_rule
from imdsctl.report.junit import document, text

_COUNTERS: Final = ("tests", "failures", "errors", "skipped")


def render(report: Report, *, tool_version: str, generated_at: datetime) -> str:
    """A test suite for each rule, and one for what could not be read.

    A finding is a failed case, a note a passed one with its text as output; a rule that found
    nothing is one case that passed.
    """
    root = etree.Element("testsuites", name=f"imdsctl {tool_version} lint")
    by_rule: dict[str, list[Shown]] = defaultdict(list)
    for one in report.findings:
        by_rule[one.finding.rule].append(one)
    moment = f"{generated_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    for rule in sorted({*every_rule(), *by_rule}):
        suite = etree.SubElement(root, "testsuite", name=text(rule), timestamp=moment)
        for one in by_rule.get(rule, ()):
            _case(suite, one)
        if rule not in by_rule:
            etree.SubElement(suite, "testcase", classname=rule, name="nothing found", time="0")
        _count(suite)
    if report.not_read:
        suite = etree.SubElement(root, "testsuite", name="files that are read", timestamp=moment)
        for missed in report.not_read:
            _missed(suite, missed)
        _count(suite)
    for counter in _COUNTERS:
        root.set(counter, str(sum(int(suite.get(counter, "0")) for suite in root)))
    return document(root)


def _count(suite: etree._Element) -> None:
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": 0,
    }
    for counter in _COUNTERS:
        suite.set(counter, str(counts[counter]))


def _case(suite: etree._Element, one: Shown) -> None:
    finding = one.finding
    where = f"{finding.path}:{finding.place.line}"
    case = etree.SubElement(
        suite,
        "testcase",
        classname=text(f"{finding.rule}.{finding.path}"),
        name=text(f"{where}:{finding.place.column}"),
        file=text(finding.path),
        line=str(finding.place.line),
        time="0",
    )
    detail = f"{where}: {finding.message}\n{one.text}\nfix: {finding.fix}"
    if finding.severity == "note":
        etree.SubElement(case, "system-out").text = text(detail)
        return
    failure = etree.SubElement(
        case, "failure", message=text(finding.message), type=finding.severity
    )
    failure.text = text(f"{detail}\nconfidence: {finding.confidence}")


def _missed(suite: etree._Element, missed: NotRead) -> None:
    name = f"{missed.path}:{missed.line}" if missed.line else missed.path
    case = etree.SubElement(suite, "testcase", classname="not-read", name=text(name), time="0")
    etree.SubElement(case, "error", message=text(missed.why), type="not-read")
