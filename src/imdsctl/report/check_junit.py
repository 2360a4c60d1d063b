"""Control results as JUnit XML, for the test views of build servers."""

from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree

from imdsctl.model.control import ControlResult
from imdsctl.report.junit import document
from imdsctl.report.junit import text as _text


def render(results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime) -> str:
    """A test suite for each control, a test case for each resource.

    A failed control is a `failure`, what could not be read an `error`, what a control does not
    apply to `skipped`.
    """
    root = etree.Element("testsuites", name=f"imdsctl {tool_version}")
    suites: dict[str, etree._Element] = {}
    counts: dict[str, dict[str, int]] = {}
    for result in results:
        suite = suites.get(result.control)
        if suite is None:
            suite = etree.SubElement(root, "testsuite", name=_text(_suite_name(result)))
            suite.set("timestamp", f"{generated_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}")
            suites[result.control] = suite
            counts[result.control] = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        count = counts[result.control]
        count["tests"] += 1
        counted = _case(suite, result)
        if counted:
            count[counted] += 1
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for control, suite in suites.items():
        for key, value in counts[control].items():
            suite.set(key, str(value))
            total[key] += value
    for key, value in total.items():
        root.set(key, str(value))
    return document(root)


def _suite_name(result: ControlResult) -> str:
    return f"{result.control} {result.title}"


def _case(suite: etree._Element, result: ControlResult) -> str | None:
    """Adds the case and names the counter that it belongs to."""
    case = etree.SubElement(
        suite,
        "testcase",
        classname=_text(f"{result.control}.{result.account}.{result.region}"),
        name=_text(f"{result.resource} {result.name}".rstrip()),
        time="0",
    )
    detail = "\n".join(
        line
        for line in (
            result.why,
            result.note,
            f"effective: {result.effective}",
            f"fix: {result.remediation}" if result.remediation else "",
        )
        if line
    )
    if result.status == "fail":
        failure = etree.SubElement(case, "failure", message=_text(result.why), type=result.severity)
        failure.text = _text(detail)
        return "failures"
    if result.status == "unknown":
        error = etree.SubElement(case, "error", message=_text(result.why), type="unknown")
        error.text = _text(detail)
        return "errors"
    if result.status == "not-applicable":
        etree.SubElement(case, "skipped", message=_text(result.why))
        return "skipped"
    return None
