"""The account default: what it becomes, and whom it waits for."""

import pytest
from planner_fleet import OPEN, V1, Fleet, change, held, ids, planned, rules

from imdsctl.model.options import MetadataOptions


def test_the_account_default_requires_tokens_and_sets_a_hop_limit() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    default = change(planned(fleet), "account-defaults:account-defaults")
    assert default.before == {"http_tokens": None, "http_put_response_hop_limit": None}
    assert default.after == {"http_tokens": "required", "http_put_response_hop_limit": 2}
    assert default.inverse == {"http_tokens": "no-preference", "http_put_response_hop_limit": -1}


def test_a_hop_limit_that_the_account_chose_stays() -> None:
    fleet = Fleet()
    fleet.account_default(MetadataOptions(http_tokens="optional", http_put_response_hop_limit=1))
    default = change(planned(fleet), "account-defaults:account-defaults")
    assert (default.before, default.after) == (
        {"http_tokens": "optional"},
        {"http_tokens": "required"},
    )
    assert default.inverse == {"http_tokens": "optional"}


def test_an_account_default_that_requires_tokens_is_left_alone() -> None:
    assert ids(planned(Fleet())) == []
    assert held(planned(Fleet())) == {}


def test_the_account_default_waits_for_a_held_template_that_leaves_the_tokens_open() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    fleet.template("web", OPEN, default=0)
    fleet.group("loud", "web:1", called=9)
    plan = planned(fleet)
    assert ids(plan, "freeze") == []
    assert rules(plan)["account-defaults"] == "default-decides"


def test_the_account_default_does_not_wait_for_a_template_that_says_optional_itself() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    fleet.template("web", V1, default=0)
    fleet.group("loud", "web:1", called=9)
    assert ids(planned(fleet), "freeze") == ["account-defaults:account-defaults"]


def test_the_account_default_follows_templates_that_are_frozen_before_it() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    fleet.template("web", OPEN)
    fleet.group("shop", "web:$Default")
    assert ids(planned(fleet), "freeze") == [
        "launch-template-version:lt-web:1",
        "launch-template-default:lt-web",
        "account-defaults:account-defaults",
    ]


def test_the_account_default_waits_for_a_held_launch_configuration() -> None:
    """Whether the default reaches launch configurations is not documented."""
    fleet = Fleet()
    fleet.account_default(OPEN)
    fleet.configuration("old")
    fleet.group("mailer", configuration="old", called=3)
    assert rules(planned(fleet))["account-defaults"] == "default-decides"


@pytest.mark.parametrize("what", ["groups", "launch-templates", "launch-configurations"])
def test_the_account_default_waits_for_what_was_not_read(what: str) -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    fleet.unreadable[what] = "AccessDenied: no"
    plan = planned(fleet)
    assert ids(plan) == []
    assert rules(plan) == {"account-defaults": "launch-paths-unread"}
    assert "AccessDenied: no" in held(plan)["account-defaults"].reasons[0].summary


def test_an_account_default_that_was_not_read_is_held_with_aws_reason() -> None:
    fleet = Fleet(defaults=None, unreadable={"account-defaults": "AccessDenied: no"})
    plan = planned(fleet)
    assert rules(plan) == {"account-defaults": "defaults-unread"}
    assert "AccessDenied: no" in held(plan)["account-defaults"].reasons[0].summary


def test_a_declarative_policy_owns_the_account_default() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN, managed_by="declarative-policy")
    plan = planned(fleet)
    assert ids(plan) == []
    assert rules(plan) == {"account-defaults": "declarative-policy"}
