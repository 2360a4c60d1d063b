"""The one-way doors: when enforcement and ImdsSupport are planned, and what they wait for."""

from typing import Any

import pytest
from msgspec import structs
from planner_fleet import (
    ACCOUNT,
    CELL,
    NOW,
    OPEN,
    REGION,
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

from imdsctl.model.cell import StandingRun
from imdsctl.model.evidence import Cell, Metric
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import LosesWayBack, Plan
from imdsctl.planner.build import build_plan

HERE = f"{ACCOUNT}/{REGION}"
ENFORCE = policy(plan={"enforce": True})
DONE = {"http_tokens": "required"}


def enforced(fleet: Fleet, **asked: Any) -> Plan:
    return planned(fleet, ENFORCE, **asked)


def done() -> Fleet:
    """A fleet that is through: a group and an instance of its own, all on V2 only."""
    fleet = Fleet()
    fleet.template("web", V2)
    fleet.group("web", "web:1", options=DONE)
    fleet.instance("i-pet", options=DONE)
    return fleet


# --- enforcement -----------------------------------------------------------------------------


def test_enforcement_is_planned_only_when_it_is_asked_for() -> None:
    assert ids(planned(done())) == []
    assert ids(enforced(done())) == [f"account-enforcement:{HERE}"]


def test_enforcement_is_the_last_thing_and_says_how_it_is_switched_off_again() -> None:
    plan = enforced(done())
    (wave,) = plan.waves
    assert (wave.number, wave.name) == (3, "one-way")
    found = change(plan, f"account-enforcement:{HERE}")
    assert found.irreversible
    assert found.resource == HERE
    assert found.before == {"http_tokens_enforced": None}
    assert found.after == {"http_tokens_enforced": "enabled"}
    assert found.inverse == {"http_tokens_enforced": "no-preference"}


def test_what_was_disabled_is_disabled_again() -> None:
    fleet = done()
    fleet.account_default(V2, enforced="disabled")
    found = change(enforced(fleet), f"account-enforcement:{HERE}")
    assert found.inverse == {"http_tokens_enforced": "disabled"}


def test_where_it_is_on_already_there_is_nothing_to_do() -> None:
    fleet = done()
    fleet.account_default(V2, enforced="enabled")
    plan = enforced(fleet)
    assert (ids(plan), held(plan)) == ([], {})


def test_a_region_in_which_nothing_runs_gets_its_default_first() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    plan = enforced(fleet)
    assert ids(plan) == ["account-defaults:account-defaults", f"account-enforcement:{HERE}"]
    found = change(plan, f"account-enforcement:{HERE}")
    assert found.needs == [full_id("account-defaults:account-defaults")]


def test_asked_for_alone_it_brings_what_it_needs() -> None:
    fleet = Fleet()
    fleet.account_default(OPEN)
    assert ids(enforced(fleet, only=[HERE])) == ids(enforced(fleet))
    assert ids(enforced(fleet, wave=3)) == ids(enforced(fleet))


def test_a_launch_path_that_this_plan_freezes_comes_first() -> None:
    fleet = done()
    fleet.template("jobs", V1)
    fleet.group("jobs", "jobs:1", options=DONE)
    found = change(enforced(fleet), f"account-enforcement:{HERE}")
    assert full_id("launch-template-version:lt-jobs:1") in found.needs
    assert full_id("asg-launch-template:jobs") in found.needs


@pytest.mark.parametrize(("called", "status"), [(0, "blocked"), (9, "blocked"), (None, "unknown")])
def test_one_instance_that_allows_v1_holds_it_ready_or_not(called: int | None, status: str) -> None:
    fleet = done()
    fleet.instance("i-late", called=called)
    plan = enforced(fleet)
    assert rules(plan)[HERE] == "instances-not-done"
    assert held(plan)[HERE].status == status
    assert "i-late" in held(plan)[HERE].reasons[0].summary


def test_an_exempted_instance_holds_it() -> None:
    fleet = done()
    fleet.instance("i-late", called=9)
    exempting = policy(
        plan={"enforce": True},
        exemption=[
            {"resource": "i-late", "owner": "me", "reason": "vendor", "expires": "2027-01-01"}
        ],
    )
    assert held(planned(fleet, exempting))[HERE].status == "exempt"


def test_an_instance_whose_metadata_service_is_off_does_not() -> None:
    fleet = done()
    fleet.instance("i-dark", options={"http_endpoint": "disabled"})
    assert ids(enforced(fleet)) == [f"account-enforcement:{HERE}"]


def test_an_instance_that_is_refused_calls_may_have_to_go_back() -> None:
    fleet = done()
    fleet.instance("i-cut", options=DONE)
    fleet.calls["i-cut"] = structs.replace(
        fleet.calls["i-cut"], v1=None, rejected=Metric(total=37, hours_with_data=10)
    )
    plan = enforced(fleet)
    assert rules(plan)[HERE] == "rejected-calls"
    assert "37" in held(plan)[HERE].reasons[0].summary


def test_a_launch_path_that_is_held_holds_it() -> None:
    fleet = done()
    fleet.template("loud", V1, default=0)
    fleet.group("loud", "loud:1", called=5, size=1)
    plan = enforced(fleet)
    said = [r.rule for r in held(plan)[HERE].reasons]
    assert said == ["instances-not-done", "launches-refused"]


def test_a_launch_configuration_that_no_group_uses_does_not() -> None:
    fleet = done()
    fleet.configuration("of-2019", V1)
    assert f"account-enforcement:{HERE}" in ids(enforced(fleet))


def test_optional_tokens_with_the_service_off_are_not_known_to_pass() -> None:
    fleet = done()
    fleet.template("dark", MetadataOptions(http_tokens="optional", http_endpoint="disabled"))
    assert rules(enforced(fleet))[HERE] == "optional-while-off"


@pytest.mark.parametrize("what", ["calls", "images", "groups", "nodegroups"])
def test_anything_that_was_not_read_holds_it(what: str) -> None:
    fleet = done()
    fleet.unreadable[what] = "AccessDenied: no"
    plan = enforced(fleet)
    assert rules(plan)[HERE] == "not-read"
    assert held(plan)[HERE].status == "unknown"
    assert "AccessDenied: no" in held(plan)[HERE].reasons[0].summary


def test_a_default_that_does_not_require_tokens_and_will_not_holds_it() -> None:
    fleet = done()
    fleet.account_default(OPEN)
    fleet.template("loud", OPEN, default=0)
    fleet.group("loud", "loud:1", called=5, size=1)
    assert "default-not-required" in {r.rule for r in held(enforced(fleet))[HERE].reasons}


def test_a_default_that_was_not_read_holds_it() -> None:
    fleet = done()
    fleet.defaults = None
    assert rules(enforced(fleet))[HERE] == "defaults-unread"


def test_a_declarative_policy_owns_it_and_its_owners_have_a_word() -> None:
    fleet = done()
    fleet.account_default(V2, managed_by="declarative-policy", managed_message="ask cloud team")
    plan = enforced(fleet)
    assert rules(plan) == {HERE: "declarative-policy"}
    assert "“ask cloud team”" in held(plan)[HERE].reasons[0].summary


def test_a_run_that_is_not_through_holds_it() -> None:
    fleet = done()
    fleet.standing.append(StandingRun(run="r7", finished=False))
    plan = enforced(fleet)
    assert rules(plan)[HERE] == "run-open"
    assert "imdsctl rollback r7" in held(plan)[HERE].reasons[0].fix


def test_runs_that_lose_their_way_back_are_named() -> None:
    fleet = done()
    fleet.standing += [
        StandingRun(run="r1", finished=True, instances=("i-1", "i-2"), launches=("web",)),
        StandingRun(run="r2", finished=True),
    ]
    found = change(enforced(fleet), f"account-enforcement:{HERE}")
    assert found.loses == [LosesWayBack(run="r1", instances=2, launches=1)]


# --- images ----------------------------------------------------------------------------------


def test_an_image_that_nobody_launches_is_planned_and_cannot_be_undone() -> None:
    fleet = Fleet()
    fleet.image("spare")
    found = change(planned(fleet), "image-imds-support:ami-spare")
    assert (found.before, found.after) == ({"imds_support": None}, {"imds_support": "v2.0"})
    assert found.irreversible
    assert found.inverse is None
    assert found.name == "spare"
    assert "Nothing here is known to launch it" in found.reason


@pytest.mark.parametrize(
    "more", [{"imds_support": "v2.0"}, {"owner": "137112412989"}, {"owner": ""}]
)
def test_an_image_that_has_it_or_is_not_the_accounts_is_not_touched(more: dict[str, str]) -> None:
    fleet = Fleet()
    fleet.image("al2023", **more)
    assert (ids(planned(fleet)), held(planned(fleet))) == ([], {})


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"public": True}, "image-public"),
        ({"state": "pending"}, "image-not-available"),
        ({"state": "disabled"}, "image-not-available"),
    ],
)
def test_an_image_that_strangers_launch_or_nobody_can_is_held(
    more: dict[str, Any], rule: str
) -> None:
    fleet = Fleet()
    fleet.image("golden", **more)
    assert rules(planned(fleet)) == {"ami-golden": rule}


def test_an_image_whose_launches_are_all_ready_comes_after_them() -> None:
    fleet = Fleet()
    image = fleet.image("golden")
    fleet.template("web", V1, image=image)
    fleet.group("web", "web:1", image=image)
    fleet.instance("i-pet", image=image, tags={"env": "dev"})
    plan = planned(fleet)
    found = change(plan, "image-imds-support:ami-golden")
    assert full_id("launch-template-version:lt-web:1") in found.needs
    assert full_id("asg-launch-template:web") in found.needs
    # The pet's own change is its proof; those of a group come and go.
    assert full_id("instance-options:i-pet") in found.needs
    assert full_id("instance-options:i-web1") not in found.needs
    assert "group web" in found.reason
    assert "3 instances" in found.reason


@pytest.mark.parametrize(("called", "status"), [(4, "blocked"), (None, "unknown")])
def test_an_image_from_which_a_caller_came_is_held(called: int | None, status: str) -> None:
    fleet = Fleet()
    image = fleet.image("golden")
    fleet.instance("i-loud", called=called, image=image)
    plan = planned(fleet)
    assert rules(plan)["ami-golden"] == "image-in-use"
    assert held(plan)["ami-golden"].status == status
    assert "i-loud" in held(plan)["ami-golden"].reasons[0].summary


def test_an_image_is_held_with_the_launch_path_that_launches_it() -> None:
    fleet = Fleet()
    image = fleet.image("golden")
    fleet.template("web", V1, default=0, image=image)
    fleet.group("web", "web:1", called=3)
    assert rules(planned(fleet))["ami-golden"] == "image-in-use"


def test_a_replaced_launch_configuration_does_not_hold_its_image() -> None:
    fleet = Fleet()
    fleet.configuration("of-2019", V1, image=fleet.image("golden"))
    assert "image-imds-support:ami-golden" in ids(planned(fleet))


@pytest.mark.parametrize(
    ("alias", "holds"),
    [("resolve:ssm:/golden/latest", True), ("resolve:ssm:/aws/service/ami-amazon-linux", False)],
)
def test_a_parameter_that_may_name_the_image_holds_it(alias: str, *, holds: bool) -> None:
    fleet = Fleet()
    fleet.image("golden")
    fleet.template("web", V1, default=0, image=alias)
    fleet.group("web", "web:1", called=3)
    assert ("ami-golden" in held(planned(fleet))) is holds


@pytest.mark.parametrize(
    "what", ["images", "instances", "groups", "launch-templates", "launch-configurations"]
)
def test_an_image_waits_for_what_was_not_read(what: str) -> None:
    fleet = Fleet()
    fleet.image("golden")
    fleet.unreadable[what] = "Throttling: later"
    assert rules(planned(fleet))["ami-golden"] == "launches-unread"


def test_an_account_default_of_optional_is_said_to_outweigh_it() -> None:
    fleet = Fleet()
    fleet.account_default(V1)
    fleet.image("golden")
    assert "outweighs" in change(planned(fleet), "image-imds-support:ami-golden").reason


def test_an_image_shared_with_another_account_is_held_by_its_callers() -> None:
    builder, workload = Fleet(), Fleet(cell=Cell("222222222222", REGION))
    image = builder.image("golden")
    workload.instance("i-loud", called=9, image=image)
    workload.instances[0] = structs.replace(workload.instances[0], account=workload.cell.account)
    chosen = policy()
    cells = [builder.judged(chosen), workload.judged(chosen)]
    plan = build_plan(cells, chosen, now=NOW, scanned_at=NOW, caller="arn:x")
    assert held(plan)["ami-golden"].account == CELL.account
    assert held(plan)["ami-golden"].reasons[0].rule == "image-in-use"


def test_images_come_before_enforcement() -> None:
    fleet = done()
    fleet.image("spare")
    assert ids(enforced(fleet)) == [
        "image-imds-support:ami-spare",
        f"account-enforcement:{HERE}",
    ]
