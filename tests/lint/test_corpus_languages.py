"""A corpus of programs in six languages: what is found in each, and what is not."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from imdsctl.lint.engine import look
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source

ROOT = Path(__file__).parent / "corpus" / "languages"
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
EMBEDS = ("subprocess", "user_data", "exec", "user-data", "curl", "recipe", "Launcher")
"""Files whose findings are in commands of a shell."""


def found(name: str) -> set[tuple[str, int]]:
    text = (ROOT / name).read_text()
    kind = kind_of(name, text)
    assert kind, f"{name} is of no kind that is read"
    return {(f.rule, f.place.line) for f in look(Source(name, kind, text)) if f.rule in RULES}


def wanted(name: str, *, missed: bool) -> set[tuple[str, int]]:
    """What is expected by the rules that there are."""
    rows = [one for one in EXPECTED[name] if ("miss" in one) is missed]
    return {(one["rule"], one["line"]) for one in rows if one["rule"] in every_rule()}


def has_its_readers(name: str) -> bool:
    return "shell" in every_reader() or not any(one in name for one in EMBEDS)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_found_in_a_program_is_what_is_expected(name: str) -> None:
    if not has_its_readers(name):
        pytest.skip("no reader of shell, in which this program's requests are")

    assert found(name) == wanted(name, missed=False)


def test_every_program_of_the_corpus_says_what_is_expected_of_it() -> None:
    files = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()}

    assert files - {"expected.toml"} == set(EXPECTED)
    assert len(EXPECTED) >= 60


def test_a_miss_is_explained_and_is_one() -> None:
    for name, rows in EXPECTED.items():
        for row in rows:
            if "miss" in row:
                assert len(row["miss"]) > 20
                assert (row["rule"], row["line"]) not in found(name)


def test_precision_and_recall_of_languages_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hits = misses = alarms = 0
    for name in filter(has_its_readers, EXPECTED):
        here, want = found(name), wanted(name, missed=False) | wanted(name, missed=True)
        hits += len(here & want)
        misses += len(want - here)
        alarms += len(here - want)
    missing = {row["rule"] for rows in EXPECTED.values() for row in rows} - set(every_rule())
    rows_skipped = sum(row["rule"] in missing for rows in EXPECTED.values() for row in rows)
    if not hits:
        pytest.skip(f"no rules to judge by: {', '.join(sorted(missing))}")
    precision, recall = hits / (hits + alarms), hits / (hits + misses)
    with capsys.disabled():
        print(  # noqa: T201 - what the test is for
            f"\nlanguages: {len(EXPECTED)} files, {hits + misses} expected, precision "
            f"{precision:.3f}, recall {recall:.3f} ({misses} misses, each explained; "
            f"{rows_skipped} skipped for rules that are not there)"
        )
    assert precision == 1
    assert recall > 0.95
