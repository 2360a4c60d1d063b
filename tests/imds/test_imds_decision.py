"""The decision table as a whole: nothing is left open, nothing is dead."""

import itertools

import pytest

from imdsctl.imds.decide import (
    NO_TOKEN,
    NO_TOKEN_REJECTED,
    ROWS,
    VOCABULARY,
    Facts,
    decide,
    kind_of,
    path_class,
)

EVERYTHING = [
    Facts(*words)
    for words in itertools.product(*(VOCABULARY[name] for name in Facts.__dataclass_fields__))
]
EXAMPLE = {
    "token": "/latest/api/token",
    "token-slash": "/latest/api/token/",
    "token-versioned": "/2021-03-23/api/token",
    "metadata": "/latest/meta-data/",
}


def test_every_request_is_decided_and_every_row_decides_something() -> None:
    assert {decide(facts).name for facts in EVERYTHING} == {row.name for row in ROWS}


def test_no_row_asks_for_a_word_that_there_is_not() -> None:
    for row in ROWS:
        for name, words in VOCABULARY.items():
            assert getattr(row, name) in (*words, "any"), f"{row.name}: {name}"


def test_a_word_that_there_is_not_is_refused() -> None:
    with pytest.raises(LookupError, match="no row"):
        decide(Facts("enabled", "GET", "metadata", "no", "absent", "perhaps", "optional"))


def test_the_table_and_a_look_at_the_bytes_agree_on_how_a_request_speaks() -> None:
    for facts in EVERYTHING:
        row = decide(facts)
        if row.kind != "any":
            seen = kind_of(facts.method, EXAMPLE[facts.path], has_token=facts.presented != "absent")
            assert row.kind == seen, facts


def test_a_request_counts_as_v1_exactly_if_it_is_a_get_of_metadata_without_a_token() -> None:
    for facts in EVERYTHING:
        if facts.endpoint == "disabled" or facts.path == "token" or facts.method != "GET":
            continue
        wanted = None
        if facts.presented == "absent":
            wanted = NO_TOKEN if facts.mode == "optional" else NO_TOKEN_REJECTED
        assert decide(facts).counted == wanted, facts


def test_the_two_metrics_exclude_each_other() -> None:
    for facts in EVERYTHING:
        excluded = NO_TOKEN if facts.mode == "required" else NO_TOKEN_REJECTED
        assert decide(facts).counted != excluded


def test_only_answers_to_puts_are_hop_limited() -> None:
    for facts in EVERYTHING:
        limited = decide(facts).hop_limited
        assert limited == (facts.method == "PUT" and facts.endpoint == "enabled"), facts


def test_a_service_that_is_off_answers_403_whatever_is_asked() -> None:
    off = [decide(facts) for facts in EVERYTHING if facts.endpoint == "disabled"]
    assert {row.status for row in off} == {403}
    assert {row.counted for row in off} == {None}


def test_metadata_is_served_only_to_a_valid_token_or_to_v1_where_it_is_allowed() -> None:
    for facts in EVERYTHING:
        if decide(facts).action == "serve":
            v1 = facts.presented == "absent" and facts.mode == "optional"
            assert facts.endpoint == "enabled"
            assert facts.method == "GET"
            assert facts.presented == "valid" or v1


def test_a_token_is_issued_only_for_a_good_lifetime_to_nobody_forwarded() -> None:
    issuing = [facts for facts in EVERYTHING if decide(facts).action == "issue"]
    assert issuing
    for facts in issuing:
        assert (facts.method, facts.path, facts.forwarded, facts.ttl, facts.endpoint) == (
            "PUT", "token", "no", "good", "enabled",
        )  # fmt: skip


@pytest.mark.parametrize(("word", "path"), list(EXAMPLE.items()))
def test_paths_are_told_apart(word: str, path: str) -> None:
    assert path_class(path) == word


@pytest.mark.parametrize("path", ["//latest/api/token", "/latest/api/tokens", "/api/token", "/"])
def test_only_the_exact_path_is_the_token_path(path: str) -> None:
    assert path_class(path) == "metadata"
