"""The freeze: what stops new instances on v1, and what has to wait for somebody else."""

from typing import Any

import pytest
from planner_fleet import (
    OLD,
    V1,
    V2,
    Fleet,
    change,
    full_id,
    held,
    ids,
    planned,
    policy,
    rules,
)

from imdsctl.model.options import MetadataOptions


def test_a_pinned_group_gets_a_new_version_and_is_pointed_at_it() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1")
    plan = planned(fleet)
    assert ids(plan, "freeze") == ["launch-template-version:lt-web:1", "asg-launch-template:shop"]
    version = change(plan, "launch-template-version:lt-web:1")
    assert version.before == {"source": "1", "options": {"http_tokens": "optional"}}
    assert version.after["version"] == "2"
    assert version.inverse == {"delete_version": "2"}
    point = change(plan, "asg-launch-template:shop")
    assert point.before == {"specs": {"main": {"id": "lt-web", "name": "web", "version": "1"}}}
    assert point.after["specs"]["main"]["version"] == "2"
    assert point.after["specs"]["main"]["version_from"] == version.id
    assert (point.inverse, point.needs) == (point.before, [version.id])


def test_a_group_on_the_default_follows_when_the_default_moves() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", "web:$Default")
    plan = planned(fleet)
    assert ids(plan, "freeze") == [
        "launch-template-version:lt-web:1",
        "launch-template-default:lt-web",
    ]
    default = change(plan, "launch-template-default:lt-web")
    assert (default.before, default.inverse) == ({"default": "1"}, {"default": "1"})
    assert default.after["default"] == "2"


def test_a_default_shared_with_a_held_group_does_not_move() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("quiet", "web:$Default")
    fleet.group("loud", "web:$Default", called=9)
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["loud/web:$Default"] == "members-held"
    assert rules(plan)["quiet/web:$Default"] == "default-in-use"
    assert "loud" in held(plan)["quiet/web:$Default"].reasons[0].summary
    # What runs in the quiet group is ready all the same.
    assert ids(plan, "auto-scaling") == ["instance-options:i-quiet1", "instance-options:i-quiet2"]


def test_a_pinned_group_does_not_wait_for_a_held_group_on_the_default() -> None:
    fleet = Fleet()
    fleet.template("web", V1, V1)
    fleet.group("quiet", "web:2")
    fleet.group("loud", "web:$Default", called=9)
    plan = planned(fleet)
    assert ids(plan, "freeze") == ["launch-template-version:lt-web:2", "asg-launch-template:quiet"]


def test_any_new_version_would_reach_a_held_group_on_the_latest() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("pinned", "web:1")
    fleet.group("loud", "web:$Latest", called=9)
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["pinned/web:1"] == "latest-in-use"
    assert "Pin group loud to version 1" in held(plan)["pinned/web:1"].reasons[0].fix


def test_a_new_version_of_an_old_one_would_turn_a_group_on_the_latest_back() -> None:
    fleet = Fleet()
    fleet.template("web", V1, V2, default=2)
    fleet.group("pinned", "web:1")
    fleet.group("ahead", "web:$Latest")
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["pinned/web:1"] == "latest-in-use"


def test_a_group_on_the_latest_is_frozen_by_the_new_version_alone() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:$Latest")
    assert ids(planned(fleet), "freeze") == ["launch-template-version:lt-web:1"]


@pytest.mark.parametrize("spec", ["web:1", "web:$Default"])
def test_an_unproven_group_on_the_latest_holds_the_others_of_its_template_too(spec: str) -> None:
    """The new version that the others need would be what the unproven group launches next."""
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("proven", spec)
    fleet.group("unproven", "web:$Latest", launched=OLD)
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["unproven/web:$Latest"] == "latest-in-use"
    assert rules(plan)[f"proven/{spec}"] == "latest-in-use"


def test_two_groups_on_two_versions_of_one_template_get_one_new_version_each() -> None:
    fleet = Fleet()
    fleet.template("web", V1, MetadataOptions(http_tokens="optional", http_endpoint="enabled"), V2,
                   default=3)  # fmt: skip
    fleet.group("blue", "web:1")
    fleet.group("green", "web:2")
    plan = planned(fleet)
    first = change(plan, "launch-template-version:lt-web:1")
    second = change(plan, "launch-template-version:lt-web:2")
    assert (first.after["version"], second.after["version"]) == ("4", "5")
    assert change(plan, "asg-launch-template:blue").after["specs"]["main"]["version"] == "4"
    assert change(plan, "asg-launch-template:green").after["specs"]["main"]["version"] == "5"


def test_two_groups_on_one_version_share_its_successor() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("blue", "web:1")
    fleet.group("green", "web:1")
    plan = planned(fleet)
    version = full_id("launch-template-version:lt-web:1")
    assert ids(plan, "freeze").count("launch-template-version:lt-web:1") == 1
    assert change(plan, "asg-launch-template:blue").needs == [version]
    assert change(plan, "asg-launch-template:green").needs == [version]


def test_overrides_of_several_templates_are_all_pointed_at_new_versions() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.template("arm", V1, default=0)
    fleet.template("gpu", V2)
    fleet.group("mixed", "web:1", "arm:1", "gpu:1", "web:1")
    plan = planned(fleet)
    point = change(plan, "asg-launch-template:mixed")
    assert {where: spec["id"] for where, spec in point.after["specs"].items()} == {
        "main": "lt-web",
        "0": "lt-arm",
        "2": "lt-web",
    }
    assert set(point.before["specs"]) == set(point.after["specs"])
    assert point.needs == [
        full_id("launch-template-version:lt-web:1"),
        full_id("launch-template-version:lt-arm:1"),
    ]


def test_a_new_version_says_all_of_its_options_and_keeps_what_was_chosen() -> None:
    fleet = Fleet()
    fleet.template("web", MetadataOptions(http_tokens="optional", instance_metadata_tags="enabled"),
                   default=0)  # fmt: skip
    fleet.group("shop", "web:1")
    version = change(planned(fleet), "launch-template-version:lt-web:1")
    assert version.after["options"] == {
        "http_tokens": "required",
        "http_put_response_hop_limit": 2,
        "http_endpoint": "enabled",
        "instance_metadata_tags": "enabled",
    }


@pytest.mark.parametrize(
    ("said", "account", "expected"), [(1, 3, 1), (None, 3, 3), (None, None, 5)]
)
def test_the_hop_limit_is_the_templates_else_the_accounts_else_the_policys(
    said: int | None, account: int | None, expected: int
) -> None:
    fleet = Fleet()
    fleet.account_default(MetadataOptions(http_tokens="required",
                                          http_put_response_hop_limit=account))  # fmt: skip
    fleet.template("web", MetadataOptions(http_tokens="optional", http_put_response_hop_limit=said),
                   default=0)  # fmt: skip
    fleet.group("shop", "web:1")
    plan = planned(fleet, policy(plan={"default_hop_limit": 5}))
    options = change(plan, "launch-template-version:lt-web:1").after["options"]
    assert options["http_put_response_hop_limit"] == expected


def test_an_unproven_group_is_refreshed_before_the_default_moves() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", "web:$Default", launched=OLD)
    plan = planned(fleet)
    assert ids(plan, "freeze") == [
        "asg-launch-template:shop:pin",
        "launch-template-version:lt-web:1",
    ]
    assert ids(plan, "auto-scaling") == [
        "instance-refresh:shop",
        "launch-template-default:lt-web",
    ]
    pin = change(plan, "asg-launch-template:shop:pin")
    assert pin.before["specs"]["main"]["version"] == "$Default"
    assert pin.after["specs"]["main"]["version"] == "1"
    refresh = change(plan, "instance-refresh:shop")
    assert refresh.before["specs"]["main"]["version"] == "1"
    assert refresh.before["instances"] == ["i-shop1", "i-shop2"]
    assert refresh.after["preferences"]["CheckpointPercentages"] == [50, 100]
    assert refresh.after["preferences"]["AutoRollback"] is True
    assert pin.id in refresh.needs
    assert refresh.id in change(plan, "launch-template-default:lt-web").needs


def test_a_refresh_can_be_rolled_back_only_if_no_other_place_of_the_group_follows_a_default() -> (
    None
):
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.template("gpu", V2)
    fleet.group("mixed", "web:1", "gpu:$Default", launched=OLD)
    pin = change(planned(fleet), "asg-launch-template:mixed:pin")
    assert pin.before == {"specs": {"0": {"id": "lt-gpu", "name": "gpu", "version": "$Default"}}}
    assert pin.after == {"specs": {"0": {"id": "lt-gpu", "name": "gpu", "version": "1"}}}


def test_a_policy_may_trust_an_unproven_boot() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", "web:$Default", launched=OLD)
    plan = planned(fleet, policy(plan={"unproven_boot": "freeze"}))
    assert "launch-template-default:lt-web" in ids(plan, "freeze")
    assert not any("refresh" in change_id for change_id in ids(plan))


def test_a_policy_may_hold_an_unproven_boot() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", "web:$Default", launched=OLD)
    plan = planned(fleet, policy(plan={"unproven_boot": "hold"}))
    assert ids(plan, "freeze") == []
    assert rules(plan) == {"shop/web:$Default": "boot-unseen"}
    assert held(plan)["shop/web:$Default"].status == "unknown"


def test_a_default_shared_with_a_group_held_for_its_boot_does_not_move() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("proven", "web:$Default")
    fleet.group("unproven", "web:$Default", launched=OLD)
    plan = planned(fleet, policy(plan={"unproven_boot": "hold"}))
    assert ids(plan, "freeze") == []
    assert rules(plan)["unproven/web:$Default"] == "boot-unseen"
    assert rules(plan)["proven/web:$Default"] == "default-in-use"


def test_a_default_shared_with_an_unproven_group_moves_after_its_refresh() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("proven", "web:$Default")
    fleet.group("unproven", "web:$Default", launched=OLD)
    plan = planned(fleet)
    default = change(plan, "launch-template-default:lt-web")
    assert full_id("instance-refresh:unproven") in default.needs
    assert "launch-template-default:lt-web" in ids(plan, "auto-scaling")
    assert "instance-refresh:proven" not in ids(plan)


def test_a_refresh_never_replaces_an_instance_that_is_held() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1", launched=OLD)
    fleet.calls.pop("i-shop2")
    plan = planned(fleet)
    assert "instance-refresh:shop" not in ids(plan)
    assert rules(plan) == {"i-shop2": "no-data", "shop/web:1": "members-held"}
    assert "i-shop2" in held(plan)["shop/web:1"].reasons[0].summary


def test_an_exempted_instance_exempts_what_would_replace_it() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1")
    exemption = {"resource": "shop", "owner": "me", "reason": "vendor", "expires": "2027-01-01"}
    plan = planned(fleet, policy(exemption=[exemption]))
    assert ids(plan) == []
    assert {k: h.status for k, h in held(plan).items()} == {
        "i-shop1": "exempt",
        "i-shop2": "exempt",
        "shop/web:1": "exempt",
    }


def test_the_default_of_an_unused_template_moves_too() -> None:
    fleet = Fleet()
    fleet.template("spare", V1)
    assert ids(planned(fleet), "freeze") == [
        "launch-template-version:lt-spare:1",
        "launch-template-default:lt-spare",
    ]


def test_a_version_that_was_not_read_holds_its_group() -> None:
    """Also where the account default would make V2 of a template that says nothing."""
    fleet = Fleet()
    fleet.template("web", V2)
    fleet.group("shop", "web:9")
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan) == {"shop/web:9": "template-unread"}


@pytest.mark.parametrize("what", ["groups", "instances"])
def test_a_template_is_not_touched_while_it_is_not_known_who_uses_it(what: str) -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.unreadable[what] = "Throttling: later"
    plan = planned(fleet)
    assert ids(plan) == []
    assert rules(plan) == {"web:$Default": "reading-partial"}


def test_a_node_group_of_eks_is_left_to_eks() -> None:
    fleet = Fleet()
    fleet.template("nodes", V1)
    fleet.group("nodes", "nodes:1", tags={"eks:nodegroup-name": "blue"})
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["nodes/nodes:1"] == "nodegroup-own-template"


def test_a_launch_configuration_gives_way_to_a_template() -> None:
    fleet = Fleet()
    fleet.configuration("old", MetadataOptions(http_put_response_hop_limit=1))
    fleet.group("mailer", configuration="old")
    plan = planned(fleet)
    replaced = change(plan, "launch-configuration-replacement:mailer")
    assert replaced.before == replaced.inverse == {"launch_configuration": "old"}
    assert replaced.after["options"] == {
        "http_tokens": "required",
        "http_put_response_hop_limit": 1,
        "http_endpoint": "enabled",
    }


@pytest.mark.parametrize(
    ("group", "rule"),
    [({"called": 3}, "members-held"), ({"launched": OLD}, "boot-unseen")],
    ids=["its instances call", "nobody saw a launch"],
)
def test_a_launch_configuration_is_held_like_a_template(group: dict[str, Any], rule: str) -> None:
    fleet = Fleet()
    fleet.configuration("old")
    fleet.group("mailer", configuration="old", **group)
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["mailer/old"] == rule


def test_a_launch_configuration_that_was_not_read_holds_its_group() -> None:
    fleet = Fleet()
    fleet.group("mailer", configuration="lost")
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["mailer/lost"] == "template-unread"


def test_a_launch_configuration_that_no_group_uses_is_only_named() -> None:
    fleet = Fleet()
    fleet.configuration("spare")
    plan = planned(fleet)
    assert (ids(plan), rules(plan)) == ([], {"spare": "launch-configuration-unused"})


def test_a_policy_that_asks_for_more_certainty_holds_what_is_only_likely() -> None:
    fleet = Fleet()
    fleet.template("web", V1, default=0)
    fleet.group("shop", "web:1", launched=OLD)
    plan = planned(fleet, policy(plan={"min_confidence": "high"}))
    assert ids(plan) == []
    assert set(rules(plan).values()) == {"min-confidence"}
    assert {one.status for one in plan.held} == {"unknown"}
