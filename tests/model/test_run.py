"""A run told from its journal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imdsctl.model.run import Entry, Event, Progress, fold, fold_one

BEGAN = datetime(2026, 11, 21, 14, tzinfo=UTC)


def told(*events: tuple[Event, str] | tuple[Event, str, dict[str, Any]]) -> list[Entry]:
    """Entries a minute apart; each is an event, its subject and its data."""
    return [
        Entry(
            seq=seq,
            run="r1",
            at=BEGAN + timedelta(minutes=seq),
            event=event[0],
            subject=event[1],
            data=event[2] if len(event) == 3 else {},
        )
        for seq, event in enumerate(events)
    ]


def test_nothing_has_happened_in_an_empty_journal() -> None:
    progress = fold("r1", [])
    assert (progress.run, progress.state, progress.changes, progress.gates) == (
        "r1",
        "open",
        {},
        {},
    )


def test_the_first_entry_says_when_and_which_waves() -> None:
    progress = fold("r1", told(("started", "", {"waves": [0, 1]})))
    assert (progress.started_at, progress.waves) == (BEGAN, [0, 1])


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([("started", "")], "open"),
        ([("started", ""), ("stopped", "")], "stopped"),
        ([("started", ""), ("interrupted", "")], "interrupted"),
        ([("started", ""), ("stopped", ""), ("resumed", "")], "open"),
        ([("started", ""), ("stopped", ""), ("resumed", ""), ("finished", "")], "finished"),
        ([("started", ""), ("finished", ""), ("rolled-back", "")], "rolled-back"),
    ],
)
def test_a_run_is_where_its_last_word_left_it(events: list[tuple[Event, str]], state: str) -> None:
    assert fold("r1", told(*events)).state == state


@pytest.mark.parametrize(
    ("events", "state", "undoing"),
    [
        (["intent"], "in-doubt", False),
        (["intent", "applied"], "applied", False),
        (["skipped"], "skipped", False),
        (["intent", "failed"], "failed", False),
        (["intent", "failed", "intent"], "in-doubt", False),
        (["intent", "applied", "undo-intent"], "applied", True),
        (["intent", "applied", "undo-intent", "undone"], "rolled-back", False),
        (["intent", "applied", "undo-intent", "undo-failed"], "applied", False),
        (["intent", "undo-intent"], "in-doubt", True),
    ],
)
def test_a_change_is_in_doubt_from_its_intent_until_its_outcome(
    events: list[Event],
    state: str,
    undoing: bool,  # noqa: FBT001 - a column of the table
) -> None:
    change = fold("r1", told(*((event, "c1") for event in events))).changes["c1"]
    assert (change.state, change.undoing) == (state, undoing)


def test_what_the_live_resource_looked_like_and_what_aws_answered_are_kept() -> None:
    change = fold(
        "r1",
        told(
            ("intent", "c1", {"live": {"http_tokens": "optional"}}),
            ("applied", "c1", {"result": {"version": "4"}, "detail": "the answer was lost"}),
            ("undo-intent", "c1", {"live": {"http_tokens": "required"}}),
        ),
    ).changes["c1"]
    assert change.live_before == {"http_tokens": "optional"}
    assert change.result == {"version": "4"}
    assert change.applied_at == BEGAN + timedelta(minutes=1)


def test_changes_do_not_touch_one_another() -> None:
    progress = fold("r1", told(("intent", "c1"), ("intent", "c2"), ("applied", "c2")))
    assert {k: v.state for k, v in progress.changes.items()} == {"c1": "in-doubt", "c2": "applied"}
    assert progress.state == "open"


def test_a_gate_waits_since_its_wait_began_also_after_a_restart() -> None:
    entries = told(
        ("started", ""),
        ("gate-waiting", "disposable: canaries"),
        ("interrupted", ""),
        ("resumed", ""),
    )
    gate = fold("r1", entries).gates["disposable: canaries"]
    assert (gate.state, gate.since) == ("waiting", BEGAN + timedelta(minutes=1))


@pytest.mark.parametrize(("event", "state"), [("gate-passed", "passed"), ("gate-failed", "failed")])
def test_a_gate_ends_with_its_reason(event: Event, state: str) -> None:
    gates = fold("r1", told(("gate-waiting", "g"), (event, "g", {"detail": "2 healthy"}))).gates
    assert (gates["g"].state, gates["g"].detail) == (state, "2 healthy")


def test_folding_one_by_one_gives_what_folding_all_gives() -> None:
    entries = told(
        ("started", "", {"waves": None}),
        ("intent", "c1", {"live": {"a": 1}}),
        ("applied", "c1"),
        ("gate-waiting", "g"),
        ("gate-failed", "g", {"detail": "no"}),
        ("undo-intent", "c1"),
        ("undone", "c1"),
        ("stopped", ""),
    )
    progress = Progress(run="r1")
    for entry in entries:
        fold_one(progress, entry)
    assert progress == fold("r1", entries)
    assert progress.changes["c1"].state == "rolled-back"
