"""`check -o ocsf` read by the OCSF models that Prowler writes its own findings with."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from cases import scan, simulated
from scanners import PROWLER, missing
from whole_run import Operator

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "installed")

_READ = """
import json, sys
from collections import Counter
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
events = [ComplianceFinding.model_validate(one) for one in json.load(sys.stdin)]
print(json.dumps(Counter(int(event.compliance.status_id) for event in events)))
"""


@pytest.fixture
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with simulated():
        somebody = Operator(tmp_path_factory.mktemp("ocsf"))
        scan(somebody)
        yield somebody


def read(ocsf: str) -> subprocess.CompletedProcess[str]:
    python = PROWLER.with_name("python")
    return subprocess.run(
        [python, "-c", _READ], input=ocsf, capture_output=True, text=True, check=False, timeout=60
    )


def test_every_event_is_a_compliance_finding(operator: Operator) -> None:
    counts = operator("check", "--benchmark", "all", "-o", "json").json["counts"]
    seen = read(operator("check", "--benchmark", "all", "-o", "ocsf").out)
    assert seen.returncode == 0, seen.stderr
    by_id = {"1": counts["pass"], "3": counts["fail"], "99": counts["not-applicable"]}
    assert json.loads(seen.stdout) == by_id


def test_the_reader_refuses_what_is_no_finding() -> None:
    assert read('[{"class_uid": 2003}]').returncode != 0
