"""The current view against a naive model of it, over random readings."""

from itertools import count, product
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_things import (
    NOON,
    calls,
    instance,
)

from imdsctl.model.evidence import (
    Cell,
    Item,
)
from imdsctl.ports import Posture
from imdsctl.store.store import SqlStore

pytest_plugins = ["store_backends"]


class Drawn(NamedTuple):
    """A reading as hypothesis draws it: subject numbers with what is read of them."""

    cell: int
    what: str
    whole: bool
    ended: bool
    complete: bool
    items: list[tuple[int, int]]


DRAWN = st.builds(
    Drawn,
    cell=st.sampled_from([0, 0, 0, 1]),
    what=st.sampled_from(["instances", "instances", "calls"]),
    whole=st.booleans(),
    ended=st.sampled_from([True, True, True, False]),
    complete=st.booleans(),
    items=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=6),
)
ACCOUNTS = count(1)


def drawn_item(what: str, cell: Cell, number: int, value: int) -> Item:
    if what == "instances":
        return instance(
            number,
            cell=cell,
            tokens="required" if value == 1 else "optional",
            endpoint="disabled" if value == 2 else "enabled",
            state="terminated" if value == 3 else "running",
            change="pending" if value == 4 else "applied",
        )
    return calls(number, cell=cell, v1=None if value == 0 else [0, value - 1, 0])


def naive_posture(store: SqlStore) -> Posture:
    """The same counts, taken by hand from what the views show."""
    alive = [r.item for r in store.view("instances") if r.item.state == "running"]
    watched = {(c.item.account, c.item.region, c.item.id): c.item for c in store.view("calls")}
    v1 = [i for i in alive if i.options.posture == "v1-allowed"]
    told = [watched.get((i.account, i.region, i.id)) for i in v1]
    return Posture(
        total=len(alive),
        v1_allowed=len(v1),
        v2_only=sum(i.options.posture == "v2-only" for i in alive),
        imds_off=sum(i.options.posture == "imds-off" for i in alive),
        pending=sum(i.options.state == "pending" for i in alive),
        v1_called=sum(bool(c and c.v1 and c.v1.total) for c in told),
        v1_quiet=sum(bool(c and c.v1 and not c.v1.total) for c in told),
        v1_no_data=sum(bool(c and not c.v1) for c in told),
        v1_not_watched=sum(c is None for c in told),
    )


def assert_shown_as_told(store: SqlStore, cell: Cell, what: str, told: list[Drawn]) -> None:
    """Compare view and readings of one kind in one cell with what was read there, in order."""
    wholes = [n for n, one in enumerate(told) if one.whole]
    newest = told[wholes[-1]] if wholes else None
    counting = told[wholes[-1] :] if wholes else told
    made = [drawn_item(what, cell, *item) for one in counting for item in one.items]
    model = {item.id: item for item in made}
    shown = list(store.view(what, cell))
    assert {recorded.item.id: recorded.item for recorded in shown} == model
    assert len(shown) == len(model)
    listed = [
        (reading.complete, reading.count)
        for reading in store.readings()
        if (reading.account, reading.region, reading.what) == (*cell, what)
    ]
    expected = (newest.complete, len(dict(newest.items))) if newest else None
    assert listed == ([expected] if expected else [])


@settings(
    max_examples=60,
    deadline=None,
    # The store is shared on purpose: each example has an account of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=st.lists(DRAWN, max_size=7), ending=st.permutations(range(7)))
def test_the_current_view_is_what_a_naive_model_says(
    store: SqlStore, drawn: list[Drawn], ending: list[int]
) -> None:
    """Readings begin in one order and end in another, if at all."""
    account = f"{next(ACCOUNTS):012}"
    cells = [Cell(account, "eu-west-1"), Cell(account, "us-east-2")]
    scan = store.begin_scan(NOON, "ada", 14)
    numbers = []
    for one in drawn:
        cell = cells[one.cell]
        reading = store.begin_reading(scan, cell, one.what, "ec2", NOON, whole=one.whole)
        numbers.append(reading)
        for item in one.items:
            store.add(reading, [drawn_item(one.what, cell, *item)])
    order = [n for n in ending if n < len(drawn) and drawn[n].ended]
    for done, last in enumerate(order, start=1):
        store.end_reading(numbers[last], complete=drawn[last].complete)
        ended = [drawn[n] for n in sorted(order[:done])]
        for place, what in product((0, 1), ("instances", "calls")):
            told = [one for one in ended if (one.cell, one.what) == (place, what)]
            assert_shown_as_told(store, cells[place], what, told)
    assert store.posture() == naive_posture(store)
