"""The rules about launches on templates as they look in the wild."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imdsctl.lint.engine import look
from imdsctl.lint.finding import Example
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source

AREA = Path(__file__).parent / "corpus" / "iac"
RULES = (
    "account-default-optional",
    "contradictory-options",
    "endpoint-disabled-with-user-data",
    "hop-limit-containers",
    "image-without-imds-support",
    "metadata-options-missing",
    "v1-allowed",
)

EXPECTED: dict[str, list[dict[str, Any]]] = tomllib.loads((AREA / "expected.toml").read_text())


def found_in(name: str) -> set[tuple[str, str, int]]:
    path = AREA / name
    text = path.read_text()
    kind = kind_of(str(path), text)
    assert kind in every_reader(), name
    found = look(Source(str(path), kind, text))
    return {(name, one.rule, one.place.line) for one in found if one.rule in RULES}


def test_all_that_is_wrong_is_found_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    seen = {row for name in EXPECTED for row in found_in(name)}
    rows = [(name, one) for name, found in EXPECTED.items() for one in found]
    wanted = {
        (name, one["rule"], one["line"]): one.get("miss", "")
        for name, one in rows
        if one["rule"] in RULES
    }
    explained = {row for row, why in wanted.items() if why}
    right = seen & wanted.keys()
    with capsys.disabled():
        sys.stdout.write(
            f"\ninfrastructure as code: {len(EXPECTED)} files, precision "
            f"{len(right) / len(seen):.3f}, recall {len(right) / len(wanted):.3f}\n"
        )
        sys.stdout.writelines(f"  missed: {row}: {wanted[row]}\n" for row in sorted(explained))
    assert seen - wanted.keys() == set(), "false alarms"
    assert wanted.keys() - seen - explained == set(), "missed"
    assert explained & seen == set(), "found, though it is said to be missed"
    assert len(right) >= 60


def test_every_file_of_the_corpus_is_spoken_of() -> None:
    files = {str(p.relative_to(AREA)) for p in AREA.rglob("*") if p.is_file()}
    assert files - {"expected.toml"} == EXPECTED.keys()
    assert len(files) > 80


def examples() -> Iterator[Any]:
    for name in RULES:
        rule = every_rule()[name]
        for number, example in enumerate((*rule.bad, *rule.good)):
            yield pytest.param(name, example, id=f"{name}-{number}")


@pytest.mark.parametrize(("rule", "example"), list(examples()))
def test_an_example_of_a_rule_is_found_where_it_says(rule: str, example: Example) -> None:
    kind = kind_of(example.name, example.text)
    assert kind is not None
    lines = {f.place.line for f in look(Source(example.name, kind, example.text)) if f.rule == rule}
    assert lines == set(example.lines)
