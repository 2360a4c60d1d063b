"""Who goes when: waves, canaries, and what a narrower plan keeps."""

from typing import Any

import pytest
from planner_fleet import (
    OLD,
    SEEN,
    V1,
    Fleet,
    change,
    evidence_before,
    full_id,
    held,
    ids,
    planned,
    policy,
    rules,
)

from imdsctl.model.plan import Wave


def waves(plan: Any) -> dict[str, Wave]:
    return {wave.name: wave for wave in plan.waves}


@pytest.mark.parametrize(
    ("said", "wave"),
    [
        ({}, "stateful"),
        ({"group": "web"}, "auto-scaling"),
        ({"tags": {"env": "dev"}}, "disposable"),
        ({"tags": {"Environment": "Staging"}}, "disposable"),
        ({"tags": {"env": "prod"}}, "stateful"),
        ({"lifecycle": "spot"}, "disposable"),
        ({"tags": {"tier": "0"}, "group": "web"}, "stateful"),
        ({"tags": {"env": "dev", "tier": "0"}}, "stateful"),
        ({"tags": {"env": "dev"}, "group": "web"}, "auto-scaling"),
    ],
)
def test_without_rules_an_instance_goes_with_what_is_cheap_to_lose(
    said: dict[str, Any], wave: str
) -> None:
    fleet = Fleet()
    fleet.instance("i-1", **said)
    assert ids(planned(fleet), wave) == ["instance-options:i-1"]


@pytest.mark.parametrize(
    ("tags", "wave"),
    [
        ({"Team": "Payments-EU", "env": "dev"}, "stateful"),
        ({"team": "payments"}, "auto-scaling"),
        ({"team": "anybody"}, "disposable"),
        ({}, "stateful"),
    ],
)
def test_the_first_tag_rule_that_matches_decides(tags: dict[str, str], wave: str) -> None:
    rules_said = [
        {"wave": "stateful", "tags": {"team": "payments*", "env": "*"}},
        {"wave": "auto-scaling", "tags": {"TEAM": "Payments"}},
        {"wave": "disposable", "tags": {"team": "*"}},
    ]
    fleet = Fleet()
    fleet.instance("i-1", tags=tags)
    assert ids(planned(fleet, policy(wave_rule=rules_said)), wave) == ["instance-options:i-1"]


def test_the_freeze_comes_first_and_the_waves_in_the_order_of_risk() -> None:
    fleet = Fleet()
    fleet.template("spare", V1)
    fleet.instance("i-pet")
    fleet.instance("i-dev", tags={"env": "dev"})
    fleet.instance("i-web", group="web")
    plan = planned(fleet)
    assert [(w.number, w.name) for w in plan.waves] == [
        (-1, "freeze"),
        (0, "disposable"),
        (1, "auto-scaling"),
        (2, "stateful"),
    ]


def test_settings_of_a_wave_come_from_the_policy() -> None:
    fleet = Fleet()
    for number in range(5):
        fleet.instance(f"i-{number}", tags={"env": "dev"}, name=f"job-{number}")
    said = {"waves": {"disposable": {"canaries": 3, "batch": 7, "soak_seconds": 60}}}
    wave = waves(planned(fleet, policy(**said)))["disposable"]
    assert (len(wave.canaries), wave.batch, wave.soak_seconds) == (3, 7, 60)


def test_canaries_are_one_of_each_kind_and_the_least_sure_of_them() -> None:
    fleet = Fleet()
    for number, launched in enumerate([SEEN, OLD, SEEN], 1):
        fleet.instance(f"i-api{number}", name=f"api-{number}", launched=launched,
                       tags={"env": "dev"})  # fmt: skip
    for number in (1, 2):
        fleet.instance(f"i-job{number}", name=f"job-{number}", tags={"env": "dev"})
    wave = waves(planned(fleet))["disposable"]
    assert wave.canaries == [
        full_id("instance-options:i-api2"),
        full_id("instance-options:i-job1"),
    ]
    assert [c.id for c in wave.changes][:2] == wave.canaries


def test_a_wave_of_one_needs_no_canary() -> None:
    fleet = Fleet()
    fleet.instance("i-1", tags={"env": "dev"})
    assert waves(planned(fleet))["disposable"].canaries == []


def test_an_instance_changes_its_tokens_and_nothing_else() -> None:
    fleet = Fleet()
    fleet.instance(
        "i-1", options={"http_put_response_hop_limit": 7, "http_protocol_ipv6": "enabled"}
    )
    made = change(planned(fleet), "instance-options:i-1")
    assert made.before == made.inverse == evidence_before(fleet, "i-1")
    assert made.after == {**made.before, "http_tokens": "required"}
    assert "state" not in made.before


def test_what_is_done_is_neither_planned_nor_held() -> None:
    fleet = Fleet()
    fleet.instance("i-v2", options={"http_tokens": "required"})
    fleet.instance("i-off", options={"http_endpoint": "disabled"})
    fleet.instance("i-gone", state="terminated")
    plan = planned(fleet)
    assert (ids(plan), held(plan), plan.instances) == ([], {}, 2)


def test_what_is_held_says_why_and_what_to_do() -> None:
    fleet = Fleet()
    fleet.instance("i-loud", called=9, name="billing")
    fleet.instance("i-dark", called=None)
    plan = planned(fleet)
    assert ids(plan) == []
    assert rules(plan) == {"i-loud": "calls-seen", "i-dark": "no-data"}
    assert held(plan)["i-loud"].name == "billing"
    assert all(reason.fix for one in plan.held for reason in one.reasons)
    assert [one.status for one in plan.held] == ["blocked", "unknown"]


def test_a_policy_may_refresh_groups_instead_of_modifying_their_instances() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1", size=10)
    plan = planned(fleet, policy(plan={"existing": "refresh"}))
    assert ids(plan) == ["launch-template-version:lt-web:1", "instance-refresh:shop"]
    refresh = change(plan, "instance-refresh:shop")
    assert refresh.needs == [full_id("launch-template-version:lt-web:1")]
    assert refresh.after["preferences"]["CheckpointPercentages"] == [10, 100]
    assert refresh.inverse == {"specs": refresh.before["specs"]}


def test_a_group_with_a_held_instance_is_modified_and_not_refreshed() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1")
    fleet.calls.pop("i-shop2")
    plan = planned(fleet, policy(plan={"existing": "refresh"}))
    assert ids(plan) == [
        "launch-template-version:lt-web:1",
        "asg-launch-template:shop",
        "instance-options:i-shop1",
    ]


def a_mixed_fleet() -> Fleet:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.template("spare", V1)
    fleet.group("shop", "web:$Default", launched=OLD)
    for number in range(4):
        fleet.instance(f"i-{number}", name=f"job-{number}", tags={"env": "dev"})
    return fleet


def test_only_what_is_asked_for_is_planned_with_all_that_it_needs() -> None:
    plan = planned(a_mixed_fleet(), only=["shop"])
    assert ids(plan) == [
        "asg-launch-template:shop:pin",
        "launch-template-version:lt-web:1",
        "instance-refresh:shop",
    ]


def test_needs_are_followed_to_their_end() -> None:
    plan = planned(a_mixed_fleet(), only=[full_id("launch-template-default:lt-web")])
    assert ids(plan) == [
        "asg-launch-template:shop:pin",
        "launch-template-version:lt-web:1",
        "instance-refresh:shop",
        "launch-template-default:lt-web",
    ]


def test_a_narrower_plan_has_canaries_of_its_own() -> None:
    wave = waves(planned(a_mixed_fleet(), only=["job-2", "job-3", "i-1"]))["disposable"]
    assert len(wave.changes) == 3
    assert len(wave.canaries) == 2
    assert set(wave.canaries) <= {c.id for c in wave.changes}


def test_one_wave_keeps_what_it_needs_of_the_freeze() -> None:
    plan = planned(a_mixed_fleet(), wave=1)
    assert ids(plan) == [
        "asg-launch-template:shop:pin",
        "launch-template-version:lt-web:1",
        "instance-refresh:shop",
        "launch-template-default:lt-web",
    ]
    assert ids(planned(a_mixed_fleet(), wave=0)) == [
        f"instance-options:i-{number}" for number in range(4)
    ]


def test_the_freeze_alone_touches_no_instance() -> None:
    plan = planned(a_mixed_fleet(), wave=-1)
    assert {w.name for w in plan.waves} == {"freeze"}
    assert "launch-template-default:lt-spare" in ids(plan)


def test_nothing_asked_for_is_nothing_planned_but_what_is_held_stays_listed() -> None:
    fleet = a_mixed_fleet()
    fleet.instance("i-loud", called=9)
    plan = planned(fleet, only=["nobody"])
    assert plan.waves == []
    assert "i-loud" in held(plan)


@pytest.mark.parametrize(
    ("size", "checkpoints"), [(1, [100]), (2, [50, 100]), (3, [34, 100]), (150, [1, 100])]
)
def test_a_refresh_stops_after_about_one_instance(size: int, checkpoints: list[int]) -> None:
    """Rounded up: a checkpoint at 33 % of three instances would come before the first."""
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1", launched=OLD, size=size)
    refresh = change(planned(fleet), "instance-refresh:shop")
    assert refresh.after["preferences"]["CheckpointPercentages"] == checkpoints
