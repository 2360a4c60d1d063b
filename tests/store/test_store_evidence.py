"""Evidence and the current view over it, on every kind of database."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs
from store_things import (
    IRELAND,
    NOON,
    OHIO,
    calls,
    instance,
    look,
    seen,
    template,
)

from imdsctl.model.diagnostics import StoreError
from imdsctl.model.evidence import (
    ITEM_OF,
    AccountDefaults,
    CapacityProvider,
    Cell,
    Environment,
    Group,
    GroupSpec,
    Image,
    InstalledPackage,
    Item,
    LaunchConfiguration,
    Nodegroup,
    Reading,
    Software,
    TemplateSpec,
    Trace,
    TracedProgram,
)
from imdsctl.ports import Posture
from imdsctl.store.store import SqlStore

pytest_plugins = ["store_backends"]


def test_every_kind_comes_back_as_it_went_in(store: SqlStore) -> None:
    account, region = IRELAND
    spec = TemplateSpec(id="lt-1", name="web", version="$Default")
    items: dict[str, Item] = {
        "instances": instance(1, name="wörker"),
        "calls": calls(1, v1=[1, 0, 2]),
        "launch-templates": template(5, name="web", at=NOON),
        "launch-configurations": LaunchConfiguration(name="old", account=account, region=region),
        "groups": Group(
            name="web", specs=[GroupSpec(template=spec)], account=account, region=region
        ),
        "account-defaults": AccountDefaults(enforced="enabled", account=account, region=region),
        "images": Image(
            id="ami-1", name="al2023", imds_support="v2.0", account=account, region=region
        ),
        "nodegroups": Nodegroup(
            name="workers", cluster="main", template=spec, account=account, region=region
        ),
        "environments": Environment(
            name="shop-prod",
            environment_id="e-abc",
            application="shop",
            disable_imdsv1="true",
            account=account,
            region=region,
        ),
        "software": Software(
            id="i-1",
            agent_version="2.3.612.0",
            status="Active",
            platform="Ubuntu 22.04",
            packages=[InstalledPackage(name="awscli", version="1.16.100", sure=False)],
            account=account,
            region=region,
        ),
        "traces": Trace(
            id="i-1",
            tracer="imdsctl",
            start=NOON,
            end=NOON,
            v1=3,
            v1_per_day=[3],
            programs=[TracedProgram(program="app", behaviour="v1-only", confidence="high", v1=3)],
            account=account,
            region=region,
        ),
        "capacity-providers": CapacityProvider(
            name="main-ec2", group="ecs", draining="ENABLED", account=account, region=region
        ),
    }
    assert set(items) == set(ITEM_OF)
    for what, item in items.items():
        look(store, what, [item])
    for what, item in items.items():
        (recorded,) = store.view(what, IRELAND)
        assert recorded.item == item
        assert (recorded.kind, recorded.source, recorded.observed_at) == (what, "ec2", NOON)
        assert recorded.id[0] == "e"
        assert recorded.id[1:].isdigit()


def test_evidence_ids_are_never_given_out_twice(store: SqlStore) -> None:
    look(store, "instances", [instance(1)])
    (first,) = store.view("instances")
    look(store, "instances", [instance(1)])
    (second,) = store.view("instances")
    look(store, "instances", [])
    store.prune(1)
    look(store, "instances", [instance(1)])
    (third,) = store.view("instances")
    assert len({first.id, second.id, third.id}) == 3


def test_a_reading_counts_from_the_moment_it_is_ended(store: SqlStore) -> None:
    look(store, "instances", [instance(1, name="before")])
    scan = store.begin_scan(NOON, "ada", 14)
    reading = store.begin_reading(scan, IRELAND, "instances", "ec2", NOON)
    store.add(reading, [instance(1, name="after"), instance(2, name="new")])
    assert seen(store) == {"before"}
    assert store.posture().total == 1
    store.end_reading(reading, complete=True)
    assert seen(store) == {"after", "new"}
    assert store.posture().total == 2


def test_a_look_at_one_resource_lies_over_the_whole_reading(store: SqlStore) -> None:
    look(store, "instances", [instance(1, name="a"), instance(2, name="b")])
    look(store, "instances", [instance(2, name="b", tokens="required")], whole=False)
    look(store, "instances", [instance(3, name="c")], whole=False)
    assert seen(store) == {"a", "b", "c"}
    assert store.posture().v2_only == 1
    look(store, "instances", [instance(2, name="b, again")], whole=False)
    assert seen(store) == {"a", "b, again", "c"}
    look(store, "instances", [instance(1, name="a")])
    assert seen(store) == {"a"}


def test_a_denied_reading_replaces_the_older_view_and_says_why(store: SqlStore) -> None:
    look(store, "instances", [instance(1)])
    look(store, "instances", [instance(2, cell=OHIO, name="elsewhere")], cell=OHIO)
    look(store, "instances", [], why="UnauthorizedOperation: ec2:DescribeInstances")
    assert seen(store) == {"elsewhere"}
    assert store.posture().total == 1
    denied, fine = store.readings()
    assert (denied.complete, denied.count) == (False, 0)
    assert denied.why == "UnauthorizedOperation: ec2:DescribeInstances"
    assert (fine.complete, fine.count, fine.why) == (True, 1, None)


def test_a_partial_list_shows_what_was_seen_and_never_passes_for_a_whole_one(
    store: SqlStore,
) -> None:
    look(store, "instances", [instance(1), instance(2)], why="Throttling on page 2")
    assert store.readings() == [
        Reading(
            scan=1,
            account=IRELAND.account,
            region=IRELAND.region,
            what="instances",
            observed_at=NOON,
            complete=False,
            count=2,
            why="Throttling on page 2",
        )
    ]
    assert len(seen(store)) == 2


def test_a_look_at_one_resource_does_not_hide_that_the_rest_was_denied(store: SqlStore) -> None:
    look(store, "instances", [], why="denied")
    look(store, "instances", [instance(1)], whole=False)
    assert [reading.why for reading in store.readings()] == ["denied"]
    assert seen(store) == {instance(1).id}


def test_readings_and_cells_are_told_in_order(store: SqlStore) -> None:
    look(store, "calls", [], cell=OHIO)
    look(store, "instances", [], cell=OHIO)
    look(store, "groups", [], cell=IRELAND, whole=False)
    assert [r.what for r in store.readings()] == ["instances", "calls"]
    assert store.cells() == [IRELAND, OHIO]


def test_an_instance_that_aws_lists_twice_counts_once_with_its_last_word(store: SqlStore) -> None:
    scan = store.begin_scan(NOON, "ada", 14)
    reading = store.begin_reading(scan, IRELAND, "instances", "ec2", NOON)
    store.add(reading, [instance(1, name="one"), instance(1, name="two")])
    store.add(reading, [instance(1, name="three")])
    store.end_reading(reading, complete=True)
    assert seen(store) == {"three"}
    assert store.readings()[0].count == 1


def test_calls_that_come_twice_in_one_reading_are_not_added_up(store: SqlStore) -> None:
    scan = store.begin_scan(NOON, "ada", 14)
    reading = store.begin_reading(scan, IRELAND, "calls", "cloudwatch", NOON)
    store.add(reading, [calls(1, v1=[9, 9, 9])])
    store.add(reading, [calls(1, v1=[0, 1, 0])])
    store.end_reading(reading, complete=True)
    assert [v1 for _, v1, _ in store.calls_per_day()] == [0, 1, 0]


def test_a_closed_reading_takes_nothing_more(store: SqlStore) -> None:
    reading = look(store, "instances", [instance(1)])
    with pytest.raises(ValueError, match="not open"):
        store.add(reading, [instance(2)])
    with pytest.raises(ValueError, match="not open"):
        store.end_reading(reading, complete=True)
    assert seen(store) == {instance(1).id}


def test_a_reading_takes_its_own_kind_only(store: SqlStore) -> None:
    scan = store.begin_scan(NOON, "ada", 14)
    with pytest.raises(ValueError, match="no kind of evidence"):
        store.begin_reading(scan, IRELAND, "volumes", "ec2", NOON)
    reading = store.begin_reading(scan, IRELAND, "calls", "cloudwatch", NOON)
    with pytest.raises(ValueError, match="takes calls only"):
        store.add(reading, [instance(1)])


def test_a_reading_without_its_scan_is_an_error_of_ours(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="could not do"):
        store.begin_reading(12345, IRELAND, "instances", "ec2", NOON)


def test_scans_are_listed_newest_first(store: SqlStore) -> None:
    first = store.begin_scan(NOON, "ada", 14)
    second = store.begin_scan(NOON + timedelta(hours=1), "grace", 7)
    store.end_scan(first, NOON + timedelta(minutes=5))
    newest, oldest = store.scans()
    assert (newest.id, newest.caller, newest.days, newest.finished_at) == (second, "grace", 7, None)
    assert (oldest.started_at, oldest.finished_at) == (NOON, NOON + timedelta(minutes=5))
    assert oldest.started_at.tzinfo is UTC


def test_posture_counts_what_can_still_be_called(store: SqlStore) -> None:
    fleet = [
        instance(1),
        instance(2),
        instance(3, change="pending"),
        instance(4, state="stopped"),
        instance(5, tokens="required"),
        instance(6, tokens="required", endpoint="disabled"),
        instance(7, state="terminated"),
        instance(8, state="shutting-down", tokens="required"),
    ]
    look(store, "instances", fleet)
    watched = [
        calls(1, v1=[0, 5, 0]),
        calls(2, v1=[0, 0, 0], rejected=[1, 1, 1]),
        calls(3, rejected=[4, 0, 0]),
        calls(5, v1=[7, 0, 0]),
        calls(7, v1=[7, 0, 0]),
    ]
    look(store, "calls", watched)
    assert store.posture() == Posture(
        total=6,
        v1_allowed=4,
        v2_only=1,
        imds_off=1,
        pending=1,
        v1_called=1,
        v1_quiet=1,
        v1_no_data=1,
        v1_not_watched=1,
    )


def test_the_same_id_in_two_cells_is_two_things(store: SqlStore) -> None:
    look(store, "instances", [instance(1)])
    look(store, "instances", [instance(1, cell=OHIO)], cell=OHIO)
    look(store, "calls", [calls(1, v1=[1, 1, 1])])
    posture = store.posture()
    assert (posture.total, posture.v1_called, posture.v1_not_watched) == (2, 1, 1)
    assert [r.item.account for r in store.view("instances", OHIO)] == [OHIO.account]


def test_an_empty_store_has_an_empty_posture(store: SqlStore) -> None:
    assert set(structs.asdict(store.posture()).values()) == {0}
    assert store.calls_per_day() == []
    assert [*store.readings(), *store.cells(), *store.find("i-1"), *store.scans()] == []


def test_calls_are_summed_by_day_over_the_current_view(store: SqlStore) -> None:
    later = NOON - timedelta(days=1)
    look(store, "calls", [calls(9, v1=[100, 100, 100])])
    look(store, "calls", [calls(1, v1=[1, 0, 3]), calls(2, rejected=[0, 0, 7]), calls(3)])
    look(store, "calls", [calls(4, v1=[0, 0, 5], start=later)], whole=False)
    assert store.calls_per_day() == [
        ("2026-11-18", 1, 0),
        ("2026-11-19", 0, 0),
        ("2026-11-20", 3, 7),
        ("2026-11-21", 0, 0),
        ("2026-11-22", 5, 0),
    ]


def test_without_any_data_there_are_no_days_of_zero(store: SqlStore) -> None:
    look(store, "calls", [calls(1), calls(2)])
    assert store.calls_per_day() == []


def test_a_resource_is_found_by_its_id_and_by_its_names(store: SqlStore) -> None:
    account, region = IRELAND
    look(store, "instances", [instance(1, name="worker-7"), instance(2, name="web")])
    look(store, "calls", [calls(1, v1=[1, 1, 1])])
    look(store, "groups", [Group(name="web", account=account, region=region)])
    versions = [template(5), template(7)]
    look(store, "launch-templates", versions)
    found = {
        name: [(r.kind, r.item.id) for r in store.find(name)]
        for name in (instance(1).id, "worker-7", "web", "lt-1", "base", "lt-1:7", "nothing")
    }
    one = [("instances", instance(1).id), ("calls", instance(1).id)]
    templates = [("launch-templates", "lt-1:5"), ("launch-templates", "lt-1:7")]
    assert found == {
        instance(1).id: one,
        "worker-7": one,
        "web": [("instances", instance(2).id), ("groups", "web")],
        "lt-1": templates,
        "base": templates,
        "lt-1:7": templates[1:],
        "nothing": [],
    }


def test_only_the_current_is_found(store: SqlStore) -> None:
    look(store, "instances", [instance(1, name="old"), instance(2, name="gone")])
    look(store, "instances", [instance(1, name="new")])
    assert store.find("old") == store.find("gone") == store.find(instance(2).id) == []
    (found,) = store.find(instance(1).id)
    assert found.item.name == "new"


def test_a_view_stays_as_it_was_while_it_is_read(store: SqlStore) -> None:
    look(store, "instances", [instance(n) for n in range(1200)])
    view = store.view("instances")
    next(view)
    look(store, "instances", [])
    assert sum(1 for _ in view) == 1199
    assert seen(store) == set()


def test_many_threads_read_cells_at_once(store: SqlStore) -> None:
    scan = store.begin_scan(NOON, "ada", 14)
    cells = [Cell(f"{n:012}", "eu-west-1") for n in range(8)]
    failures: list[BaseException] = []

    def scan_cell(cell: Cell) -> None:
        try:
            for what in ("instances", "calls"):
                reading = store.begin_reading(scan, cell, what, "ec2", NOON)
                for n in range(3):
                    items = [instance(n, cell=cell)] if what == "instances" else []
                    store.add(reading, items or [calls(n, cell=cell, v1=[1, 0, 0])])
                store.end_reading(reading, complete=True)
        except BaseException as error:  # noqa: BLE001 (a thread's failure must reach the test)
            failures.append(error)

    threads = [threading.Thread(target=scan_cell, args=(cell,)) for cell in cells]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.posture().v1_called == 24
    assert store.cells() == cells


def test_pruning_forgets_old_scans_and_changes_nothing_that_is_current(store: SqlStore) -> None:
    look(store, "instances", [instance(7, name="never read again")])
    look(store, "calls", [calls(7, v1=[3, 2, 1])])
    look(store, "instances", [instance(8, name="looked at twice")], whole=False)
    look(store, "instances", [instance(8, name="looked at again")], whole=False)
    for name in ("first", "second", "third"):
        scan = store.begin_scan(NOON, "ada", 14)
        here = [instance(n, cell=OHIO, name=name) for n in (1, 2)]
        look(store, "instances", here, cell=OHIO, scan=scan)
        look(store, "calls", [calls(1, cell=OHIO, v1=[1, 2, 3])], cell=OHIO, scan=scan)
    killed = store.begin_reading(scan, OHIO, "instances", "ec2", NOON)
    store.add(killed, [instance(9, cell=OHIO)])
    store.begin_scan(NOON, "ada", 14)

    def current() -> list[object]:
        views = [list(store.view(what)) for what in ("instances", "calls")]
        return [*views, store.calls_per_day(), store.posture(), store.readings(), store.cells()]

    before = current()
    # Two instances and one's calls in each of two scans, what was seen before the second look, and
    # what the killed scan had read.
    assert store.prune(1) == 2 * (2 + 1) + 1 + 1
    assert current() == before
    assert len(store.scans()) == 5
    assert store.prune(1) == 0
    assert store.prune(0) == 0
    assert current() == before


def test_times_of_other_zones_are_kept_as_utc(store: SqlStore) -> None:
    from_tokyo = datetime.fromisoformat("2026-11-21T21:00:00.123456+09:00")
    store.begin_scan(from_tokyo, "ada", 14)
    (scan,) = store.scans()
    assert scan.started_at == from_tokyo
    assert scan.started_at.isoformat() == "2026-11-21T12:00:00.123456+00:00"
