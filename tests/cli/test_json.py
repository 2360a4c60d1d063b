"""The JSON of every command: one object, the promised fields, times in RFC 3339 UTC."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.conftest import DENIED, FLEET, Imdsctl, Said, StartAws
from imdsctl.cli.answers import ANSWERS
from imdsctl.cli.schemas import schemas
from imdsctl.model.plan import Plan

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
COUNTS = {"total", "v1_allowed", "v2_only", "imds_off"}
OPTIONS = {
    "http_tokens",
    "http_put_response_hop_limit",
    "http_endpoint",
    "http_protocol_ipv6",
    "instance_metadata_tags",
}
CHANGE_STATES = {"applied", "skipped", "failed", "rolled-back", "pending"}


def times(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every value whose name says that it is a moment."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from times(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from times(inner, name)
    elif name.endswith("_at") and value is not None:
        yield name, value


def answer(said: Said, name: str) -> dict[str, Any]:
    """The one object of an answer, held against its schema."""
    found = said.json()
    msgspec.convert(found, ANSWERS[name], strict=True)
    moments = list(times(found))
    assert all(RFC3339_UTC.fullmatch(moment) for _, moment in moments), moments
    return found


def test_scan_and_status(simulated_aws: StartAws, imdsctl: Imdsctl) -> None:
    simulated_aws(FLEET + DENIED)
    said = imdsctl("scan", "--regions", "eu-west-1,us-east-1", "-o", "json")
    assert said.code == 3
    scan = answer(said, "scan")
    assert scan["schema"] == "imdsctl/scan/v1"
    assert scan["complete"] is False
    assert set(scan["instances"]) == COUNTS
    assert scan["instances"] == {"total": 7, "v1_allowed": 6, "v2_only": 1, "imds_off": 0}
    assert scan["callers"] == {"called": 1, "quiet": 5, "no_data": 0, "not_watched": 0}
    assert scan["launch_paths"]["v1_allowed"] == 1
    assert scan["accounts"] == ["111111111111"]
    assert scan["regions"] == ["eu-west-1", "us-east-1"]
    gap = next(u for u in scan["unreadable"] if u["what"] == "instances")
    assert gap["region"] == "us-east-1"
    assert "UnauthorizedOperation" in gap["why"]

    status = answer(imdsctl("status", "-o", "json"), "status")
    assert status["schema"] == "imdsctl/status/v1"
    shared = scan.keys() - {"schema"}
    assert {k: status[k] for k in shared} == {k: scan[k] for k in shared}
    assert status["runs"] == []


@pytest.mark.usefixtures("scanned")
def test_explain(imdsctl: Imdsctl) -> None:
    found = answer(imdsctl("explain", "caller", "-o", "json"), "explain")
    assert found["schema"] == "imdsctl/explain/v1"
    assert found["resource"].startswith("i-")
    assert set(found["options"]) >= OPTIONS
    assert found["verdict"]["status"] == "blocked"
    assert found["verdict"]["confidence"] in ("high", "medium", "low")
    reason = found["verdict"]["reasons"][0]
    assert set(reason) == {"rule", "summary", "fix", "evidence", "status"}
    assert set(reason["evidence"]) <= {e["id"] for e in found["evidence"]}
    assert all({"id", "kind", "source", "observed_at"} <= set(e) for e in found["evidence"])
    assert {"owner", "launch_path"} <= set(found)


@pytest.mark.usefixtures("aws")
def test_explain_a_name_that_two_have(imdsctl: Imdsctl, boto: Callable[..., Any]) -> None:
    ec2 = boto("ec2")
    named = {"Name": "tag:Name", "Values": ["quiet-2", "quiet-3"]}
    found = ec2.describe_instances(Filters=[named])["Reservations"]
    twins = {i["InstanceId"] for r in found for i in r["Instances"]}
    ec2.create_tags(Resources=list(twins), Tags=[{"Key": "Name", "Value": "twin"}])
    assert imdsctl("scan", "--regions", "eu-west-1").code == 0
    first = answer(imdsctl("explain", "twin", "-o", "json"), "explain")
    assert {first["resource"], *(other["resource"] for other in first["others"])} == twins
    shown = imdsctl("explain", "twin").out
    assert all(twin in shown for twin in twins)


@pytest.mark.usefixtures("planned")
def test_plan_and_show(imdsctl: Imdsctl, tmp_path: Path) -> None:
    shown = answer(imdsctl("show", "plan.json", "-o", "json"), "plan")
    assert shown["schema"] == "imdsctl/plan/v1"
    assert msgspec.json.decode((tmp_path / "plan.json").read_bytes(), type=Plan) == msgspec.convert(
        shown, Plan
    )
    assert {"digest", "created_at", "waves", "held"} <= set(shown)
    change = shown["waves"][-1]["changes"][0]
    assert {
        "id",
        "kind",
        "resource",
        "account",
        "region",
        "before",
        "after",
        "inverse",
        "irreversible",
        "reason",
        "gates",
    } <= set(change)
    assert set(change["before"]) >= OPTIONS
    assert {"resource", "status", "reasons"} <= set(shown["held"][0])
    again = answer(imdsctl("plan", "-o", "json"), "plan")
    assert again["waves"] == shown["waves"]


@pytest.mark.usefixtures("planned")
def test_a_run_from_start_to_rollback(imdsctl: Imdsctl) -> None:
    pretended = answer(imdsctl("apply", "plan.json", "--dry-run", "-o", "json"), "apply")
    assert pretended["dry_run"] is True
    assert imdsctl("runs", "-o", "json").json() == {"schema": "imdsctl/runs/v1", "runs": []}

    applied = answer(imdsctl("apply", "plan.json", "--yes", "-o", "json"), "apply")
    assert applied["schema"] == "imdsctl/apply/v1"
    assert applied["state"] == "finished"
    assert applied["changes"]
    assert {c["state"] for c in applied["changes"]} <= CHANGE_STATES
    assert all({"id", "state", "detail"} <= set(c) for c in applied["changes"])
    assert all({"name", "state", "detail"} <= set(g) for g in applied["gates"])
    assert {g["state"] for g in applied["gates"]} == {"passed"}

    run = applied["run"]
    listed = answer(imdsctl("runs", "-o", "json"), "runs")
    assert [r["run"] for r in listed["runs"]] == [run]
    one = answer(imdsctl("runs", run, "-o", "json"), "run")
    assert one["changes"] == applied["changes"] == listed["runs"][0]["changes"]

    verified = answer(imdsctl("verify", run, "-o", "json"), "verify")
    assert verified["schema"] == "imdsctl/verify/v1"
    assert verified["run"] == run
    assert verified["state"] == "ok"
    assert {c["state"] for c in verified["changes"]} == {"applied"}

    back = answer(imdsctl("rollback", run, "--yes", "-o", "json"), "rollback")
    assert back["schema"] == "imdsctl/rollback/v1"
    assert back["state"] == "rolled-back"
    assert {c["state"] for c in back["changes"]} == {"rolled-back"}


@pytest.mark.parametrize("output", ["json", "csv", "sarif", "junit", "ocsf", "asff"])
@pytest.mark.usefixtures("scanned")
def test_check_prints_data_alone(imdsctl: Imdsctl, output: str) -> None:
    said = imdsctl("check", "--benchmark", "cis-5.6", "-o", output)
    assert said.code == 1
    assert said.err == ""
    starts = {"csv": "control,", "junit": "<?xml"}
    assert said.out.startswith(starts.get(output, ("{", "[")))
    if output == "json":
        assert said.json()["schema"] == "imdsctl/check/v1"


@pytest.mark.usefixtures("scanned")
def test_report_as_data(imdsctl: Imdsctl) -> None:
    said = imdsctl("report", "-o", "json")
    assert said.code == 0
    assert said.json()["schema"] == "imdsctl/report/v1"
    assert imdsctl("report", "-o", "csv").out.startswith("id,account,region")


def test_published_schemas_are_current() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in SCHEMAS.glob("*.json")}
    assert written == schemas(), "write them again: python -m imdsctl.cli.schemas docs/schemas"


def test_an_answer_that_is_not_as_promised_is_not_printed() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"schema": "imdsctl/runs/v1", "runs": [], "more": 1}, ANSWERS["runs"])
