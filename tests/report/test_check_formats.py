"""`check` in every format, read back by readers that are not ours where there are any."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import pytest

from imdsctl.judge.controls import evaluate
from imdsctl.model.control import ControlResult
from imdsctl.model.evidence import (
    AccountDefaults,
    Instance,
    LaunchConfiguration,
    Recorded,
    TemplateVersion,
    Unreadable,
)
from imdsctl.model.options import MetadataOptions
from imdsctl.report.check import FORMATS, render_check

NOW = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
ACCOUNT = "111111111111"
BAD_NAME = '=cmd|"/C calc"!A1\x1b<&>'


def a_recorded(item: Any) -> Recorded[Any]:
    return Recorded(id="e1", kind="x", source="ec2", observed_at=NOW, item=item)


def results() -> list[ControlResult]:
    """Passed, failed, not applicable and unknown, of every kind of resource."""
    place: dict[str, Any] = {"account": ACCOUNT, "region": "eu-west-1"}
    instances = [
        Instance(
            id=f"i-{n:017x}",
            state="running",
            name=BAD_NAME if n else "web",
            launched_at=NOW,
            options=MetadataOptions(
                http_tokens=tokens, http_endpoint="enabled", http_put_response_hop_limit=1
            ),
            **place,
        )
        for n, tokens in enumerate(("required", "optional"))
    ]
    template = TemplateVersion(
        template_id="lt-0a", template_name="web", number=1, default=True, **place
    )
    configuration = LaunchConfiguration(name="i-look-like-an-instance", **place)
    empty_region = AccountDefaults(account=ACCOUNT, region="cn-north-1")
    gap = Unreadable(account=ACCOUNT, region="eu-south-2", what="instances", why="denied", seen=3)
    return list(
        evaluate(
            ["cis-5.6", "ec2.170", "autoscaling.3", "ec2_instance_account_imdsv2_enabled"],
            [a_recorded(i) for i in instances],
            [a_recorded(template)],
            [a_recorded(configuration)],
            [a_recorded(empty_region)],
            [],
            [gap],
        )
    )


def rendered(fmt: str) -> str:
    return render_check(fmt, results(), tool_version="0.1.0", generated_at=NOW)


def test_the_sample_has_every_status() -> None:
    assert Counter(r.status for r in results()) == {
        "unknown": 1,
        "pass": 1,
        "fail": 3,
        "not-applicable": 1,
    }


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_names_every_resource_that_did_not_pass(fmt: str) -> None:
    text = rendered(fmt)
    for result in results():
        if result.status not in ("fail", "unknown"):
            continue
        assert result.resource in text or f"AWS::::Account:{result.account}" in text


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_can_be_rendered_with_no_results(fmt: str) -> None:
    assert render_check(fmt, [], tool_version="0.1.0", generated_at=NOW).strip()


def test_json_counts_and_lists() -> None:
    answer = json.loads(rendered("json"))
    assert answer["schema"] == "imdsctl/check/v1"
    assert answer["counts"] == {"unknown": 1, "pass": 1, "fail": 3, "not-applicable": 1}
    assert answer["generated_at"] == "2026-11-21T14:02:00Z"
    assert len(answer["results"]) == 6
    by_control = {c["control"]: c["counts"] for c in answer["controls"]}
    assert by_control["cis-5.6"] == {"unknown": 1, "pass": 1, "fail": 1}


def test_csv_has_a_row_a_result_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(rendered("csv"))))
    assert [r["status"] for r in rows] == [r.status for r in results()]
    (named,) = [r for r in rows if r["status"] == "fail" and r["control"] == "cis-5.6"]
    assert named["name"] == f"'{BAD_NAME}"


def test_junit_is_xml_whose_counters_add_up() -> None:
    root = ET.fromstring(rendered("junit").encode())
    suites = root.findall("testsuite")
    assert {s.get("name", "").split()[0] for s in suites} == {r.control for r in results()}
    for tag, counter in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        for suite in suites:
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(counter, "-1"))
        assert len(root.findall(f".//{tag}")) == int(root.get(counter, "-1"))
    assert [root.get(k) for k in ("tests", "failures", "errors", "skipped")] == ["6", "3", "1", "1"]


def test_sarif_is_shaped_as_version_2_1_0_asks() -> None:
    log = json.loads(rendered("sarif"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    kinds = Counter()  # type: Counter[str]
    for result in run["results"]:
        kinds[result["kind"]] += 1
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        # 3.27.10: level is other than none only where kind is fail.
        assert (result["level"] != "none") == (result["kind"] == "fail")
        assert result["message"]["text"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"aws/[\w/.~-]+", uri)
    assert kinds == {"open": 1, "fail": 3}, "a service that knows no kind would alert on a pass"
    counts = {"unknown": 1, "pass": 1, "fail": 3, "not-applicable": 1}
    assert run["properties"]["counts"] == counts
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "denied" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_fingerprints_tell_results_apart_and_stay_the_same() -> None:
    prints = [
        r["partialFingerprints"]["resource/v1"]
        for r in json.loads(rendered("sarif"))["runs"][0]["results"]
    ]
    assert len(set(prints)) == len(prints)
    again = json.loads(rendered("sarif"))["runs"][0]["results"]
    assert [r["partialFingerprints"]["resource/v1"] for r in again] == prints


def test_ocsf_events_carry_what_class_2003_requires() -> None:
    events = json.loads(rendered("ocsf"))
    required = {
        "activity_id",
        "category_uid",
        "class_uid",
        "cloud",
        "compliance",
        "finding_info",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    }
    for event in events:
        assert required <= event.keys()
        assert event["class_uid"] == 2003
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["time"] == 1795269720000
        assert event["compliance"]["standards"]
    assert Counter(e["compliance"]["status"] for e in events) == {
        "Warning": 1,
        "Pass": 1,
        "Fail": 3,
        "Not Applicable": 1,
    }
    uids = [e["finding_info"]["uid"] for e in events]
    assert len(set(uids)) == len(uids)


def test_asff_is_what_batch_import_findings_takes() -> None:
    model = botocore.loaders.Loader().load_service_model("securityhub", "service-2")
    operation = botocore.model.ServiceModel(model).operation_model("BatchImportFindings")
    answer = json.loads(rendered("asff"))
    report = botocore.validate.ParamValidator().validate(answer, operation.input_shape)
    assert report.generate_report() == ""
    enums = {
        "Compliance": ("Status", {"PASSED", "FAILED", "WARNING", "NOT_AVAILABLE"}),
        "Severity": ("Label", {"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}),
    }
    for finding in answer["Findings"]:
        for member, (key, allowed) in enums.items():
            assert finding[member][key] in allowed
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", finding["UpdatedAt"])
        assert len(finding["Title"]) <= 256


def test_asff_arns_fit_the_kind_of_resource_and_the_partition() -> None:
    found = [f["Resources"][0] for f in json.loads(rendered("asff"))["Findings"]]
    assert [(r["Type"], r["Id"]) for r in found] == [
        ("AwsAccount", "AWS::::Account:111111111111"),
        ("AwsEc2Instance", "arn:aws:ec2:eu-west-1:111111111111:instance/i-00000000000000000"),
        ("AwsEc2Instance", "arn:aws:ec2:eu-west-1:111111111111:instance/i-00000000000000001"),
        ("AwsEc2LaunchTemplate", "arn:aws:ec2:eu-west-1:111111111111:launch-template/lt-0a"),
        (
            "AwsAutoScalingLaunchConfiguration",
            "111111111111/eu-west-1/launch-configuration/i-look-like-an-instance",
        ),
        ("AwsAccount", "AWS::::Account:111111111111"),
    ]
    assert found[-1]["Partition"] == "aws-cn"


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match="yaml"):
        render_check("yaml", [], tool_version="0.1.0", generated_at=NOW)
