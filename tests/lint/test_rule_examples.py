"""Every rule's own examples: the bad ones are found where they say, the good ones are clean."""

import pytest

from imdsctl.lint.engine import look
from imdsctl.lint.finding import Example
from imdsctl.lint.ignore import RULES
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.page import page
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source

CASES = [
    pytest.param(name, kind, example, id=f"{name}-{kind}-{number}-{example.name}")
    for name, rule in every_rule().items()
    for kind, examples in (("bad", rule.bad), ("good", rule.good))
    for number, example in enumerate(examples)
]


def lines(rule: str, example: Example) -> set[int]:
    kind = kind_of(example.name, example.text)
    assert kind in every_reader(), f"{example.name} is of no kind that a reader reads"
    source = Source(example.name, kind, example.text)
    return {finding.place.line for finding in look(source) if finding.rule == rule}


@pytest.mark.parametrize(("name", "kind", "example"), CASES)
def test_an_example_is_found_on_exactly_its_lines(name: str, kind: str, example: Example) -> None:
    assert bool(example.lines) == (kind == "bad")
    assert lines(name, example) == set(example.lines)


def test_every_rule_says_what_and_why_and_shows_both_sides() -> None:
    for name, rule in {**every_rule(), **RULES}.items():
        assert rule.bad, name
        assert rule.good, name
        assert rule.title[0].isupper(), name
        assert not rule.title.endswith("."), name
        assert rule.why.endswith("."), name


def test_the_page_of_the_rules_is_written_from_them(request: pytest.FixtureRequest) -> None:
    written = (request.config.rootpath / "docs" / "lint-rules.md").read_text()
    assert written == page(), "run: python -m imdsctl.lint.page docs/lint-rules.md"
