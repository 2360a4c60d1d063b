"""Opening stores, good and bad, on every kind of database."""

import threading

import pytest
from sqlalchemy import text
from store_things import (
    SteppingClock,
    instance,
    look,
    reopened,
    sealed_plan,
    verdict,
)

from imdsctl.model.diagnostics import StoreError, UsageError
from imdsctl.ports import Journal, Store
from imdsctl.store import open_store
from imdsctl.store.store import SqlStore

pytest_plugins = ["store_backends"]


def test_it_is_both_ports(store: SqlStore) -> None:
    evidence: Store = store
    journal: Journal = store
    assert [*evidence.scans(), *journal.runs()] == []


def test_everything_is_there_after_opening_it_again(address: str) -> None:
    with open_store(address, clock=SteppingClock()) as store:
        look(store, "instances", [instance(1, name="web")])
        store.save_verdicts("k", [verdict(1)])
        store.start("run-1", sealed_plan(), [0])
    with reopened(address) as store:
        assert [r.item for r in store.view("instances")] == [instance(1, name="web")]
        assert list(store.verdicts("k")) == [verdict(1)]
        assert store.plan_of("run-1") == sealed_plan()


def test_there_is_no_store_to_read_where_none_was_made(address: str) -> None:
    with pytest.raises(UsageError, match="no store at") as caught:
        open_store(address, create=False, clock=SteppingClock())
    assert "imdsctl scan" in caught.value.diagnostic.hint


def test_a_store_of_a_newer_version_is_left_alone(address: str) -> None:
    with open_store(address, clock=SteppingClock()) as store:
        look(store, "instances", [instance(1)])
        with store._database.write() as connection:
            connection.execute(text("INSERT INTO imdsctl_migration VALUES (9000, 'future')"))
    for create in (True, False):
        with pytest.raises(StoreError, match="newer imdsctl") as caught:
            open_store(address, create=create, clock=SteppingClock())
        assert caught.value.exit_code == 2
        assert "9000" in caught.value.diagnostic.detail
        assert "update imdsctl" in caught.value.diagnostic.hint


def test_two_processes_can_make_the_store_at_once(address: str) -> None:
    """The second finds the work done, and does not trip over it."""
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def make() -> None:
        barrier.wait()
        try:
            open_store(address, clock=SteppingClock()).close()
        except BaseException as error:  # noqa: BLE001 (a thread's failure must reach the test)
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reopened(address) as store:
        assert store.scans() == []
