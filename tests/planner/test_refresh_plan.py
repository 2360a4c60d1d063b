"""Which groups a refresh replaces, what it asks for, and what the reviewer is told."""

import msgspec
import pytest
from planner_fleet import (
    ACCOUNT,
    OLD,
    REGION,
    V1,
    Fleet,
    change,
    full_id,
    ids,
    planned,
    policy,
    rules,
)

from imdsctl.model.options import MetadataOptions

REFRESH = {"existing": "refresh"}


def protect(fleet: Fleet, *members: str, lifecycle: str = "InService") -> None:
    """Protect members from scale-in, or put them into another state of their life."""
    fleet.groups = [
        msgspec.structs.replace(
            group,
            members=[
                msgspec.structs.replace(
                    m, protected=lifecycle == "InService", lifecycle_state=lifecycle
                )
                if m.id in members
                else m
                for m in group.members
            ],
        )
        for group in fleet.groups
    ]


def shop(spec: str = "web:1", **group: object) -> Fleet:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", spec, **{"size": 4, **group})  # type: ignore[arg-type]
    return fleet


def test_a_pin_of_the_latest_comes_before_the_version_that_would_take_its_name() -> None:
    plan = planned(shop("web:$Latest"), policy(plan=REFRESH))
    assert ids(plan, "freeze") == [
        "asg-launch-template:shop:pin",
        "launch-template-version:lt-web:1",
    ]
    created = change(plan, "launch-template-version:lt-web:1")
    assert created.needs == [full_id("asg-launch-template:shop:pin")]


def test_a_default_moves_only_after_the_refresh_that_it_would_overtake() -> None:
    plan = planned(shop("web:$Default"), policy(plan=REFRESH))
    moved = change(plan, "launch-template-default:lt-web")
    assert full_id("instance-refresh:shop") in moved.needs
    assert ids(plan, "auto-scaling") == ["instance-refresh:shop", "launch-template-default:lt-web"]


def test_a_group_whose_instances_are_all_on_v2_only_needs_no_refresh() -> None:
    fleet = shop(options={"http_tokens": "required"})
    plan = planned(fleet, policy(plan=REFRESH))
    assert ids(plan) == [
        "launch-template-version:lt-web:1",
        "launch-template-default:lt-web",
        "asg-launch-template:shop",
    ]


def test_standby_instances_are_terminated_or_left_as_the_policy_says() -> None:
    fleet = shop()
    protect(fleet, "i-shop1", lifecycle="Standby")
    plan = planned(fleet, policy(plan=REFRESH))
    assert "instance-options:i-shop1" in ids(plan, "auto-scaling")
    plan = planned(fleet, policy(plan=REFRESH, refresh={"standby": "Terminate"}))
    assert "instance-options:i-shop1" not in ids(plan)


def test_an_instance_that_a_refresh_leaves_never_goes_before_it() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", "web:1", size=2)
    fleet.instances = [msgspec.structs.replace(i, tags={"tier": "cheap"}) for i in fleet.instances]
    protect(fleet, "i-shop1")
    rule = {"wave": "disposable", "tags": {"tier": "cheap"}}
    plan = planned(fleet, policy(plan=REFRESH, wave_rule=[rule]))
    left = change(plan, "instance-options:i-shop1")
    assert left.needs == [full_id("instance-refresh:shop")]
    assert "instance-options:i-shop1" in ids(plan, "auto-scaling")


def test_an_instance_with_the_groups_tag_that_is_no_member_is_not_forgotten() -> None:
    fleet = shop()
    fleet.instance("i-detached", group="shop")
    plan = planned(fleet, policy(plan=REFRESH))
    assert "instance-options:i-detached" in ids(plan)


def test_waiting_for_protected_instances_is_said() -> None:
    fleet = shop()
    protect(fleet, "i-shop1")
    plan = planned(fleet, policy(plan=REFRESH, refresh={"protected": "Wait"}))
    (note,) = change(plan, "instance-refresh:shop").notes
    assert "waits an hour for i-shop1" in note


def test_the_way_back_is_given_up_only_by_name() -> None:
    fleet = shop(launched=OLD)
    fleet.templates = [
        msgspec.structs.replace(t, image="resolve:ssm:/golden") for t in fleet.templates
    ]
    assert rules(planned(fleet))["shop/web:1"] == "refresh-no-rollback"
    plan = planned(fleet, policy(refresh={"auto_rollback": False}))
    refresh = change(plan, "instance-refresh:shop")
    assert refresh.after["preferences"]["AutoRollback"] is False
    assert "imdsctl rollback" in refresh.notes[0]


@pytest.mark.parametrize("draining", [None, "DISABLED"])
def test_tasks_that_nobody_moves_are_left_in_place(draining: str | None) -> None:
    fleet = shop(tags={"AmazonECSManaged": ""})
    fleet.provider("shop", draining=draining)
    plan = planned(fleet, policy(plan=REFRESH))
    assert "instance-refresh:shop" not in ids(plan)
    assert "managedDraining" in change(plan, "instance-options:i-shop1").notes[0]


@pytest.mark.parametrize(
    ("limit", "tags", "words"),
    [
        (1, {"AmazonECSManaged": ""}, 1),
        (1, {"kubernetes.io/cluster/main": "owned"}, 1),
        (1, {}, 0),
        (2, {"AmazonECSManaged": ""}, 0),
        (None, {"AmazonECSManaged": ""}, 0),
    ],
)
def test_a_hop_limit_that_cuts_containers_off_is_said(
    limit: int | None, tags: dict[str, str], words: int
) -> None:
    fleet = Fleet()
    fleet.template(
        "web", MetadataOptions(http_tokens="optional", http_put_response_hop_limit=limit)
    )
    fleet.group("shop", "web:1", tags=tags)
    created = change(planned(fleet), "launch-template-version:lt-web:1")
    assert len(created.notes) == words
    assert created.after["options"]["http_put_response_hop_limit"] == (limit or 2)


def test_a_launch_configuration_that_gives_way_is_changed_in_place_whatever_is_wished() -> None:
    fleet = Fleet()
    fleet.configuration("old", V1)
    fleet.group("mail", configuration="old")
    plan = planned(fleet, policy(plan=REFRESH))
    assert ids(plan)[0] == "launch-configuration-replacement:mail"
    assert "not replaced" in change(plan, "instance-options:i-mail1").notes[0]
    assert change(plan, "instance-options:i-mail1").account == ACCOUNT
    assert change(plan, "instance-options:i-mail1").region == REGION
