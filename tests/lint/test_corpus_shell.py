"""A corpus of shell, and of what carries shell: what is found in it, and what is not."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from imdsctl.lint.engine import look
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

ROOT = Path(__file__).parent / "corpus" / "shell"
EXPECTED: dict[str, list[dict[str, Any]]] = tomllib.loads((ROOT / "expected.toml").read_text())
RULES = {
    "error-page-as-token",
    "hard-coded-address",
    "proxied-call",
    "swallowed-failure",
    "token-lifetime",
    "token-not-used",
    "token-path",
    "tokenless-call",
    "v2-disabled-by-environment",
}


def found(name: str) -> set[tuple[str, int]]:
    text = (ROOT / name).read_text()
    kind = kind_of(name, text)
    assert kind, f"{name} is of no kind that is read"
    return {(f.rule, f.place.line) for f in look(Source(name, kind, text)) if f.rule in RULES}


def wanted(name: str, *, missed: bool) -> set[tuple[str, int]]:
    return {(one["rule"], one["line"]) for one in EXPECTED[name] if ("miss" in one) is missed}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_found_in_a_file_is_what_is_expected(name: str) -> None:
    assert found(name) == wanted(name, missed=False)


def test_every_file_of_the_corpus_says_what_is_expected_of_it() -> None:
    files = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()}

    assert files - {"expected.toml"} == set(EXPECTED)


def test_precision_and_recall_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hits = misses = alarms = 0
    for name in EXPECTED:
        here, want = found(name), wanted(name, missed=False) | wanted(name, missed=True)
        hits += len(here & want)
        misses += len(want - here)
        alarms += len(here - want)
    precision, recall = hits / (hits + alarms), hits / (hits + misses)
    with capsys.disabled():
        print(  # noqa: T201 - what the test is for
            f"\nshell: {len(EXPECTED)} files, {hits + misses} expected, precision {precision:.3f}, "
            f"recall {recall:.3f} ({misses} misses, each explained)"
        )
    assert precision == 1
    assert recall > 0.95
