"""Elastic Beanstalk environments in a plan: their own option, or held with a reason."""

from typing import Any

import pytest
from planner_fleet import (
    OLD,
    OPEN,
    V1,
    V2,
    Fleet,
    change,
    evidence_before,
    held,
    ids,
    planned,
    policy,
    rules,
)

TAGS = {"elasticbeanstalk:environment-name": "shop-prod"}
PATH = "awseb/lt:1"


def shop(*, environment: dict[str, Any] | None = None, **group: Any) -> Fleet:
    """A group that belongs to an environment; None where that one could not be read."""
    fleet = Fleet()
    fleet.template("lt", V1, default=0)
    fleet.group("awseb", "lt:1", tags=TAGS, **group)
    if environment is not None:
        fleet.environment("shop-prod", **environment)
    return fleet


def test_its_option_is_all_that_is_planned() -> None:
    plan = planned(shop(environment={}))
    assert ids(plan) == ["beanstalk-option:shop-prod"]
    option = change(plan, "beanstalk-option:shop-prod")
    assert option.before == {
        "environment_id": "e-shop-prod",
        "application": "shop",
        "group": "awseb",
        "instances": ["i-awseb1", "i-awseb2"],
        "disable_imdsv1": "false",
    }
    assert option.after == {"disable_imdsv1": "true"}
    assert option.inverse == {"disable_imdsv1": "false"}
    assert not option.irreversible
    assert option.gates == ["rejected-calls", "group-health"]
    assert plan.held == []


def test_an_option_that_was_never_set_is_removed_again() -> None:
    option = change(
        planned(shop(environment={"disable_imdsv1": None})), "beanstalk-option:shop-prod"
    )
    assert option.inverse == {"disable_imdsv1": None}


@pytest.mark.parametrize(
    ("environment", "status", "word"),
    [
        ({"status": "Updating"}, "unknown", "Updating"),
        ({"health": "Red"}, "unknown", "Red"),
        ({"disable_imdsv1": "true"}, "blocked", "behind its back"),
    ],
)
def test_an_environment_that_is_not_fit_is_held_with_its_instances(
    environment: dict[str, Any], status: str, word: str
) -> None:
    plan = planned(shop(environment=environment))
    assert ids(plan) == []
    assert held(plan)[PATH].status == status
    assert word in held(plan)[PATH].reasons[0].summary
    assert rules(plan)["i-awseb1"] == "beanstalk-environment"


def test_an_environment_that_could_not_be_read_is_left_to_elastic_beanstalk() -> None:
    plan = planned(shop())
    assert ids(plan) == []
    assert rules(plan)[PATH] == "owned"
    assert rules(plan)["i-awseb1"] == "beanstalk-environment"


def test_an_environment_waits_for_each_of_its_instances() -> None:
    fleet = shop(environment={})
    fleet.calls.pop("i-awseb2")
    plan = planned(fleet)
    assert ids(plan) == []
    assert rules(plan)[PATH] == "members-held"
    assert "i-awseb2" in held(plan)[PATH].reasons[0].summary


def test_a_caller_holds_the_environment() -> None:
    plan = planned(shop(environment={}, called=3))
    assert ids(plan) == []
    assert held(plan)[PATH].status == "blocked"


def test_a_policy_that_holds_unproven_boots_holds_environments_too() -> None:
    fleet = shop(environment={}, launched=OLD)
    assert "beanstalk-option:shop-prod" in ids(planned(fleet))
    plan = planned(fleet, policy(plan={"unproven_boot": "hold"}))
    assert ids(plan) == []
    assert rules(plan)[PATH] == "boot-unseen"


def test_what_is_left_on_v1_in_an_environment_that_is_done_is_changed_in_place() -> None:
    fleet = Fleet()
    fleet.template("lt", V2, default=0)
    fleet.group("awseb", "lt:1", tags=TAGS)
    fleet.environment("shop-prod", disable_imdsv1="true")
    plan = planned(fleet)
    assert ids(plan) == ["instance-options:i-awseb1", "instance-options:i-awseb2"]
    assert change(plan, "instance-options:i-awseb1").before == evidence_before(fleet, "i-awseb1")


def test_the_default_version_of_its_template_is_left_to_elastic_beanstalk() -> None:
    fleet = Fleet()
    fleet.template("lt", OPEN, V2, default=1)
    fleet.group("awseb", "lt:2", tags=TAGS, options={"http_tokens": "required"})
    fleet.environment("shop-prod", disable_imdsv1="true")
    fleet.account_default(V1)
    plan = planned(fleet)
    assert ids(plan) == ["account-defaults:account-defaults"], "nothing waits for it"
    assert held(plan)["lt:$Default"].status == "blocked"
    assert rules(plan)["lt:$Default"] == "beanstalk-environment"
