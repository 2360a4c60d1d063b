"""docs/controls.md and docs/custodian.yml against the controls that there are."""

import re
from collections.abc import Iterator

import pytest
from cases import CASES, PAGE, Case, cases_table, controls_table, disagreements, scan, simulated
from scanners import CUSTODIAN_POLICIES, POLICIES
from whole_run import Operator

from imdsctl.judge.controls import benchmarks
from imdsctl.simulator.server import SimulatedAws

Fleet = tuple[SimulatedAws, Operator]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with simulated() as aws:
        operator = Operator(tmp_path_factory.mktemp("cases"))
        scan(operator)
        yield aws, operator


@pytest.fixture(scope="module")
def found(fleet: Fleet) -> dict[Case, list[str]]:
    return disagreements(*fleet)


def test_the_page_lists_every_control_as_it_is() -> None:
    assert controls_table() in PAGE.read_text(encoding="utf-8"), "run tests/external/cases.py"


def test_the_page_says_of_every_case_what_check_says(found: dict[Case, list[str]]) -> None:
    assert cases_table(found) in PAGE.read_text(encoding="utf-8"), "run tests/external/cases.py"


def test_every_case_shows_something(found: dict[Case, list[str]]) -> None:
    for case in CASES:
        assert any(status in ("pass", "fail") for status in found[case]), case.text


def test_no_two_of_the_tools_always_agree(found: dict[Case, list[str]]) -> None:
    columns = list(zip(*found.values(), strict=True))
    assert len(set(columns)) == len(columns)


def test_the_policies_for_cloud_custodian_are_those_that_check_answers() -> None:
    names = re.findall(r"^  - name: (\S+)$", POLICIES.read_text(encoding="utf-8"), re.MULTILINE)
    answered = [id_ for id_ in benchmarks() if id_.startswith("custodian-")]
    assert sorted(names) == sorted(id_.removeprefix("custodian-") for id_ in answered)
    assert set(names) == set(CUSTODIAN_POLICIES)


def test_the_table_shows_what_passes_by_the_letter_and_is_not_done(fleet: Fleet) -> None:
    _, operator = fleet
    said = operator("check", "--benchmark", "ec2.170,ec2.8").out
    (pinned,) = re.findall(r"pass +1  The default version, 2, has .*\n.*\n", said)
    assert "Effective: IMDSv1 allowed." in pinned
    assert "lt-" in pinned
    assert re.search(r"pass +1  HttpTokens is required\. Effective: not done yet\.", said)
    assert re.search(r"fail +1  .* Effective: IMDS off\.", said)


def test_the_exit_code_is_the_answer(fleet: Fleet) -> None:
    _, operator = fleet
    assert operator("check", "--benchmark", "ec2-token-hop-limit-check").code == 1
    assert operator("check", "--benchmark", "ec2-token-hop-limit-check:3").code == 0
    assert operator("check", "--benchmark", "ec2-token-hop-limit-check:0").code == 2
