"""A group whose refresh, environment or node group failed before, and was mended since."""

from datetime import timedelta

import pytest
from msgspec import structs
from planner_fleet import NOW, OLD, V1, Fleet, change, ids, policy, rules

from imdsctl.judge.fleet import judge_cell
from imdsctl.model.cell import FailedGate
from imdsctl.model.evidence import Metric
from imdsctl.model.plan import Plan
from imdsctl.model.policy import Policy
from imdsctl.planner.build import build_plan

FAILED = NOW - timedelta(days=3)


def plan_after(fleet: Fleet, resource: str, chosen: Policy) -> Plan:
    """The plan after a run had to take back what it changed of `resource`."""
    evidence = fleet.evidence()
    evidence.failed_gates = {resource: FailedGate(run="r7", at=FAILED, why="i-x: unhealthy")}
    judged = judge_cell(evidence, chosen, NOW)
    return build_plan([judged], chosen, now=NOW, scanned_at=NOW, caller="arn:x")


def mended(resource: str, **at: int) -> Policy:
    when = FAILED + timedelta(**at or {"days": 1})
    return policy(
        mended=[{"resource": resource, "owner": "web", "reason": "boot fixed", "at": when}]
    )


def refreshed() -> Fleet:
    fleet = Fleet()
    fleet.template("web", V1)
    fleet.group("web", "web:1", launched=OLD)
    return fleet


def in_beanstalk() -> Fleet:
    fleet = Fleet()
    fleet.template("lt", V1)
    fleet.group("awseb", "lt:1", tags={"elasticbeanstalk:environment-name": "shop-prod"})
    fleet.environment("shop-prod")
    return fleet


def in_eks() -> Fleet:
    fleet = Fleet()
    fleet.template("own", V1)
    fleet.template("eks-copy", V1)
    fleet.nodegroup("workers", "own:1", "eks-copy:1")
    return fleet


@pytest.mark.parametrize(
    ("fleet", "resource", "said", "made"),
    [
        (refreshed(), "web", "web", "instance-refresh:web"),
        (in_beanstalk(), "shop-prod", "shop-prod", "beanstalk-option:shop-prod"),
        (in_beanstalk(), "shop-prod", "awseb", "beanstalk-option:shop-prod"),
        (in_eks(), "shop/workers", "workers", "nodegroup-version:shop/workers"),
    ],
    ids=["refresh", "environment by its name", "environment by its group", "node group"],
)
def test_its_owners_word_releases_it_and_stands_in_the_notes(
    fleet: Fleet, resource: str, said: str, made: str
) -> None:
    before = plan_after(fleet, resource, Policy())
    assert made not in ids(before)
    assert "failed-gate" in rules(before).values()
    assert made not in ids(plan_after(fleet, resource, mended(said, days=-1)))
    after = plan_after(fleet, resource, mended(said))
    assert made in ids(after)
    assert any("web says that it was mended" in note for note in change(after, made).notes)


def test_of_several_words_the_newest_is_told() -> None:
    first, second = mended("web", hours=1).mended, mended("w*", hours=5).mended
    chosen = policy(mended=[*second, *first])
    (note,) = change(plan_after(refreshed(), "web", chosen), "instance-refresh:web").notes[:1]
    assert f"{FAILED + timedelta(hours=5):%H:%M}" in note


@pytest.mark.parametrize(("hours", "free"), [(-1, True), (1, False)])
def test_the_refusals_of_the_failed_change_itself_hold_nothing_any_more_and_later_ones_do(
    hours: int, *, free: bool
) -> None:
    fleet = Fleet()
    fleet.instance("i-a")
    called = FAILED + timedelta(hours=hours)
    refused = Metric(total=3, hours_with_data=2, first_call=called, last_call=called)
    fleet.calls["i-a"] = structs.replace(fleet.calls["i-a"], rejected=refused)
    assert ids(plan_after(fleet, "i-a", Policy())) == []
    assert ids(plan_after(fleet, "i-a", mended("i-a"))) == ["instance-options:i-a"] * free
