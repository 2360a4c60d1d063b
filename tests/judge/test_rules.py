"""Every rule against its case file, and no rule without one."""

import importlib
import pkgutil
from collections import defaultdict
from types import ModuleType
from typing import Any

import pytest
from judge_cases import HERE, assert_finding, cases, instance_facts, path_facts

from imdsctl.judge import path_rules, rules

ROOMS = [(rules, "cases"), (path_rules, "path_cases")]


@pytest.mark.parametrize(("rule", "case"), list(cases("cases")))
def test_an_instance_rule_says_what_its_case_file_says(rule: str, case: dict[str, Any]) -> None:
    module = importlib.import_module(f"{rules.__name__}.{rule}")
    assert_finding(module.judge(instance_facts(case["given"])), case["expect"])


@pytest.mark.parametrize(("rule", "case"), list(cases("path_cases")))
def test_a_path_rule_says_what_its_case_file_says(rule: str, case: dict[str, Any]) -> None:
    module = importlib.import_module(f"{path_rules.__name__}.{rule}")
    assert_finding(module.judge(path_facts(case["given"])), case["expect"])


@pytest.mark.parametrize(("package", "folder"), ROOMS, ids=lambda v: getattr(v, "__name__", v))
def test_every_rule_has_a_case_file_and_every_case_file_a_rule(
    package: ModuleType, folder: str
) -> None:
    written = {path.stem for path in (HERE / folder).glob("*.toml")}
    assert {module.name for module in pkgutil.iter_modules(package.__path__)} == written


@pytest.mark.parametrize("folder", ["cases", "path_cases"])
def test_every_case_file_has_a_case_where_the_rule_speaks_and_one_where_it_is_silent(
    folder: str,
) -> None:
    seen: dict[str, set[bool]] = defaultdict(set)
    for parameters in cases(folder):
        rule, case = parameters.values
        seen[rule].add(case["expect"].get("silent", False))
    assert {rule: found for rule, found in seen.items() if found != {True, False}} == {}
