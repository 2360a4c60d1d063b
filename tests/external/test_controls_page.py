"""docs/controls.md and docs/custodian.yml against the controls that there are."""

import re
from collections.abc import Iterator

import pytest
from cases import CASES, PAGE, Case, cases_table, controls_table, disagreements, scan, simulated
from scanners import CUSTODIAN_POLICIES, POLICIES
from whole_run import Operator

from imdsctl.judge.controls import benchmarks


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, list[str]]]:
    with simulated() as aws:
        operator = Operator(tmp_path_factory.mktemp("cases"))
        scan(operator)
        yield disagreements(aws, operator)


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
