"""Verdicts and plans, on every kind of database."""

from collections.abc import Iterator

import pytest
from msgspec import structs
from store_things import (
    instance,
    look,
    sealed_plan,
    verdict,
)

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.verdict import Verdict
from imdsctl.store.store import SqlStore

pytest_plugins = ["store_backends"]


def test_verdicts_are_counted_and_come_back_in_order(store: SqlStore) -> None:
    given_ = [verdict(1, "ready"), verdict(2, "blocked"), verdict(3, "ready")]
    store.save_verdicts("scan 1, policy a", iter(given_))
    assert store.verdict_counts("scan 1, policy a") == {"ready": 2, "blocked": 1}
    assert list(store.verdicts("scan 1, policy a")) == given_


def test_verdicts_under_an_unknown_key_are_none_and_no_verdicts_are_no_none(
    store: SqlStore,
) -> None:
    assert store.verdict_counts("never saved") is None
    assert list(store.verdicts("never saved")) == []
    store.save_verdicts("empty fleet", [])
    assert store.verdict_counts("empty fleet") == {}


def test_saving_verdicts_replaces_those_of_the_same_key(store: SqlStore) -> None:
    store.save_verdicts("k", [verdict(n) for n in range(2500)])
    store.save_verdicts("k", [verdict(1, "done")])
    assert store.verdict_counts("k") == {"done": 1}
    assert list(store.verdicts("k")) == [verdict(1, "done")]


def test_verdicts_show_all_at_once_or_not_at_all(store: SqlStore) -> None:
    def broken() -> Iterator[Verdict]:
        for n in range(1500):
            yield verdict(n)
        assert store.verdict_counts("k") == {"done": 1}, "the half-saved ones must not show"
        raise RuntimeError("the judge stumbled")

    store.save_verdicts("k", [verdict(1, "done")])
    with pytest.raises(RuntimeError, match="stumbled"):
        store.save_verdicts("k", broken())
    assert store.verdict_counts("k") == {"done": 1}


def test_verdicts_can_be_judged_from_the_view_while_they_are_saved(store: SqlStore) -> None:
    look(store, "instances", [instance(n) for n in range(1100)])
    store.save_verdicts(
        "k", (verdict(number, "done") for number, _ in enumerate(store.view("instances")))
    )
    assert store.verdict_counts("k") == {"done": 1100}


def test_only_the_newest_keys_are_kept(store: SqlStore) -> None:
    for n in range(8):
        store.save_verdicts(f"key {n}", [verdict(n)])
    kept = [n for n in range(8) if store.verdict_counts(f"key {n}") is not None]
    assert kept == [3, 4, 5, 6, 7]


def test_a_plan_is_kept_under_its_digest(store: SqlStore) -> None:
    plan = sealed_plan()
    store.save_plan(plan)
    store.save_plan(plan)
    kept = store.plan(plan.digest)
    assert kept == plan
    assert kept is not None
    assert kept.content_digest() == plan.digest
    assert store.plan("0" * 64) is None


def test_a_plan_without_a_seal_is_refused(store: SqlStore) -> None:
    unsealed = structs.replace(sealed_plan(), digest="")
    with pytest.raises(UsageError, match="not sealed"):
        store.save_plan(unsealed)
