"""The examples of the rules about requests, and of those about settings."""

import pytest

from imdsctl.lint.engine import look
from imdsctl.lint.finding import Example
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import every_rule
from imdsctl.lint.source import Source

_MINE = (
    "error-page-as-token",
    "hard-coded-address",
    "proxied-call",
    "swallowed-failure",
    "token-lifetime",
    "token-not-used",
    "token-path",
    "tokenless-call",
    "v2-disabled-by-environment",
)
_BAD = [(name, example) for name in _MINE for example in every_rule()[name].bad]
_GOOD = [
    pytest.param(example, id=f"{name}-{example.name}")
    for name in _MINE
    for example in every_rule()[name].good
]


def found(example: Example) -> list[tuple[str, int]]:
    kind = kind_of(example.name, example.text)
    assert kind
    return [(f.rule, f.place.line) for f in look(Source(example.name, kind, example.text))]


@pytest.mark.parametrize(
    ("rule", "example"), _BAD, ids=lambda v: v if isinstance(v, str) else v.name
)
def test_a_rule_finds_its_bad_example_on_the_lines_that_it_names(
    rule: str, example: Example
) -> None:
    assert [line for name, line in found(example) if name == rule] == list(example.lines)


@pytest.mark.parametrize("example", _GOOD)
def test_no_rule_finds_anything_in_a_good_example(example: Example) -> None:
    assert found(example) == []
