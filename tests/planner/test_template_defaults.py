"""A template's default version, which nobody may launch but a person: moved, or told why not."""

from typing import Any

import pytest
from planner_fleet import OLD, V1, V2, Fleet, change, full_id, ids, planned, rules

from imdsctl.model.evidence import TemplateSpec
from imdsctl.model.plan import Plan

VERSION = "launch-template-version:lt-web:1"
DEFAULT = "launch-template-default:lt-web"


def pinned(**group: Any) -> Fleet:
    """A group that pins the number of the default version."""
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("shop", "web:1", **group)
    return fleet


def by_hand(fleet: Fleet, **said: Any) -> None:
    template = TemplateSpec(id="lt-web", name="web", version="1")
    fleet.instance("i-hand", template=template, **said)


def notes(plan: Plan) -> str:
    return " ".join(change(plan, VERSION).notes)


def test_a_default_that_a_group_pins_by_its_number_moves_with_the_group() -> None:
    plan = planned(pinned())
    assert ids(plan, "freeze") == [VERSION, DEFAULT, "asg-launch-template:shop"]
    moved = change(plan, DEFAULT)
    assert (moved.before, moved.inverse) == ({"default": "1"}, {"default": "1"})
    assert moved.after == {"default": "2", "version_from": full_id(VERSION)}
    assert moved.needs == [full_id(VERSION)]
    assert change(plan, VERSION).notes == []


def test_it_moves_after_the_refresh_that_proves_the_version() -> None:
    plan = planned(pinned(launched=OLD))
    assert ids(plan, "freeze") == [VERSION]
    assert ids(plan, "auto-scaling")[:2] == ["instance-refresh:shop", DEFAULT]
    assert change(plan, DEFAULT).needs == [full_id(VERSION), full_id("instance-refresh:shop")]


def test_it_moves_after_the_node_group_that_proves_the_version() -> None:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.template("eks-1", V1)
    fleet.nodegroup("blue", "web:1", "eks-1:1")
    needs = change(planned(fleet), DEFAULT).needs
    assert needs == [full_id(VERSION), full_id("nodegroup-version:shop/blue")]


def test_a_default_of_another_number_that_is_v2_only_stays() -> None:
    fleet = Fleet()
    fleet.template("web", V1, V2, default=2)
    fleet.group("shop", "web:1")
    assert ids(planned(fleet), "freeze") == [VERSION, "asg-launch-template:shop"]


@pytest.mark.parametrize("launched_by_hand", [{}, {"options": {"http_tokens": "required"}}])
def test_quiet_instances_launched_by_hand_do_not_keep_it(launched_by_hand: Any) -> None:
    fleet = pinned()
    by_hand(fleet, **launched_by_hand)
    assert DEFAULT in ids(planned(fleet))


@pytest.mark.parametrize("called", [7, None], ids=["calls v1", "no data"])
def test_an_instance_launched_by_hand_that_is_held_keeps_it_and_the_plan_says_so(
    called: int | None,
) -> None:
    fleet = pinned()
    by_hand(fleet, called=called)
    plan = planned(fleet)
    assert ids(plan, "freeze") == [VERSION, "asg-launch-template:shop"]
    assert "i-hand was launched from the template by hand and is held" in notes(plan)
    assert "The next plan after that is solved moves it." in notes(plan)


@pytest.mark.parametrize("version", ["1", "$Default"])
def test_a_held_group_on_the_same_version_keeps_it_and_the_plan_says_so(version: str) -> None:
    fleet = pinned()
    fleet.group("loud", f"web:{version}", called=9)
    plan = planned(fleet)
    assert ids(plan, "freeze") == [VERSION, "asg-launch-template:shop"]
    assert rules(plan)[f"loud/web:{version}"] == "members-held"
    assert "loud launches the same version and is held" in notes(plan)


def test_a_held_group_on_another_version_does_not() -> None:
    fleet = Fleet()
    fleet.template("web", V1, V1)
    fleet.group("shop", "web:1")
    fleet.group("loud", "web:2", called=9)
    assert DEFAULT in ids(planned(fleet))


def test_instances_of_groups_are_not_by_hand() -> None:
    fleet = pinned()
    template = TemplateSpec(id="lt-web", name="web", version="2")
    fleet.instance("i-gone", called=5, template=template, group="other")
    assert DEFAULT in ids(planned(fleet))
