"""The journal and the lock, on every kind of database."""

import os
import signal
import threading
import time

import pytest
from store_things import (
    CHILD,
    NOON,
    child,
    reopened,
    sealed_plan,
)

from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.model.run import Event
from imdsctl.store.store import SqlStore

pytest_plugins = ["store_backends"]

WRITER = f"""{CHILD}
store.start("run-1", sealed_plan(), None)
n = 0
while True:
    n += 1
    store.write("run-1", "intent", f"c{{n}}")
    print(n, flush=True)
"""
HOLDER = f"""{CHILD}
with store.lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_told_from_its_journal(store: SqlStore) -> None:
    plan = sealed_plan()
    store.start("run-1", plan, [0, 1])
    store.write("run-1", "intent", "c1", {"live": {"http_tokens": "optional"}})
    store.write("run-1", "applied", "c1", {"result": {"at": NOON}})
    store.start("run-2", plan, None)
    store.write("run-1", "finished")
    entries = store.entries("run-1")
    assert [(e.seq, e.event, e.subject) for e in entries] == [
        (1, "started", ""),
        (2, "intent", "c1"),
        (3, "applied", "c1"),
        (4, "finished", ""),
    ]
    assert entries[0].data == {"digest": plan.digest, "waves": [0, 1]}
    assert entries[1].data == {"live": {"http_tokens": "optional"}}
    assert entries[2].data == {"result": {"at": "2026-11-21T12:00:00Z"}}
    assert [e.at for e in entries] == sorted({e.at for e in entries})
    assert [(r.id, r.state, r.digest) for r in store.runs()] == [
        ("run-2", "open", plan.digest),
        ("run-1", "finished", plan.digest),
    ]
    assert store.plan_of("run-1") == plan
    assert store.plan(plan.digest) == plan


@pytest.mark.parametrize("event", ["stopped", "interrupted", "rolled-back"])
def test_a_run_that_is_taken_up_again_is_open(store: SqlStore, event: Event) -> None:
    store.start("run-1", sealed_plan(), None)
    store.write("run-1", event)
    assert [run.state for run in store.runs()] == [event]
    store.write("run-1", "resumed")
    assert [run.state for run in store.runs()] == ["open"]


def test_a_run_that_is_not_there_is_said_to_be_missing(store: SqlStore) -> None:
    with pytest.raises(UsageError, match="no run run-9"):
        store.plan_of("run-9")
    with pytest.raises(UsageError, match="no run run-9"):
        store.write("run-9", "finished")
    assert store.entries("run-9") == []


def test_a_run_is_started_once(store: SqlStore) -> None:
    store.start("run-1", sealed_plan(), None)
    with pytest.raises(UsageError, match="started before") as caught:
        store.start("run-1", sealed_plan("another plan"), None)
    assert "--resume run-1" in caught.value.diagnostic.hint
    assert store.plan_of("run-1") == sealed_plan()
    assert store.plan(sealed_plan("another plan").digest) is None
    assert len(store.entries("run-1")) == 1


def test_many_threads_write_one_journal_without_gaps(store: SqlStore) -> None:
    store.start("run-1", sealed_plan(), None)

    def write(thread: int) -> None:
        for n in range(15):
            store.write("run-1", "intent", f"{thread}-{n}")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = store.entries("run-1")
    assert [e.seq for e in entries] == list(range(1, 92))
    for thread_number in range(6):
        own = [e.subject for e in entries if e.subject.startswith(f"{thread_number}-")]
        assert own == [f"{thread_number}-{n}" for n in range(15)]


def test_every_entry_that_a_killed_process_reported_is_there(address: str, store: SqlStore) -> None:
    with child(WRITER, address) as process:
        assert process.stdout
        reported = [int(process.stdout.readline()) for _ in range(25)]
        process.send_signal(signal.SIGKILL)
        reported += [int(line) for line in process.stdout.read().splitlines() if line]
    assert process.returncode == -signal.SIGKILL
    written = [int(e.subject[1:]) for e in store.entries("run-1") if e.event == "intent"]
    assert written[: len(reported)] == reported
    assert len(written) - len(reported) in {0, 1}, "at most the one it had no time to report"
    store.write("run-1", "resumed")
    assert store.entries("run-1")[-1].seq == len(written) + 2


def test_one_run_at_a_time_holds_the_lock(store: SqlStore, address: str) -> None:
    with (
        reopened(address) as other,
        store.lock(),
        pytest.raises(RefusedError) as caught,
        other.lock(),
    ):
        pytest.fail("two hold the lock")
    assert caught.value.exit_code == 5
    assert f"process {os.getpid()} on " in caught.value.diagnostic.detail
    with reopened(address) as other, other.lock():
        pass


def test_the_lock_is_let_go_when_the_block_fails(store: SqlStore) -> None:
    with pytest.raises(RuntimeError), store.lock():
        raise RuntimeError
    with store.lock():
        store.start("run-1", sealed_plan(), None)
        store.write("run-1", "finished")
    assert [run.state for run in store.runs()] == ["finished"]


def test_the_lock_of_a_killed_process_is_free(address: str, store: SqlStore) -> None:
    with child(HOLDER, address) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RefusedError) as caught, store.lock():
            pytest.fail("two hold the lock")
        assert f"process {process.pid} " in caught.value.diagnostic.detail
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:  # the server behind PostgreSQL needs a moment to notice
        try:
            with store.lock():
                return
        except RefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_several_threads_journal_while_the_lock_is_held(store: SqlStore) -> None:
    with store.lock():
        store.start("run-1", sealed_plan(), None)
        threads = [
            threading.Thread(target=store.write, args=("run-1", "intent", f"c{n}"))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [e.seq for e in store.entries("run-1")] == list(range(1, 10))
