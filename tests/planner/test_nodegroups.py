"""EKS managed node groups in a plan: moved through EKS, with a version of their own template."""

import pytest
from planner_fleet import OLD, V1, V2, Fleet, change, full_id, ids, planned, policy, rules

from imdsctl.model.options import MetadataOptions

VERSION = "launch-template-version:lt-nodes:3"
UPDATE = "nodegroup-version:shop/blue"
DEFAULT = "launch-template-default:lt-nodes"


def with_nodes(
    own: MetadataOptions = V1,
    copy: MetadataOptions = V1,
    template: str | None = "nodes:3",
    tokens: str = "optional",
) -> Fleet:
    """A node group on version 3 of its own template, of which EKS made the first copy."""
    fleet = Fleet()
    fleet.template("nodes", V1, V1, own, default=3)
    fleet.template("eks-1", copy)
    fleet.nodegroup("blue", template, "eks-1:1", options={"http_tokens": tokens})
    return fleet


def test_a_version_of_its_own_template_and_then_the_node_group() -> None:
    plan = planned(with_nodes())
    assert ids(plan, "freeze") == [VERSION]
    assert ids(plan, "auto-scaling") == [UPDATE, DEFAULT]
    update = change(plan, UPDATE)
    assert update.before == {
        "version": "3",
        "template": {"id": "lt-nodes", "name": "nodes"},
        "groups": ["eks-blue"],
        "instances": ["i-eks-blue1", "i-eks-blue2"],
    }
    assert update.after == {"version": "4", "version_from": full_id(VERSION)}
    assert update.inverse == {"version": "3"}
    assert update.needs == [full_id(VERSION)]
    assert update.gates == ["rejected-calls", "group-health"]
    assert rules(plan) == {}


@pytest.mark.parametrize(
    ("said", "account", "limit"),
    [(None, None, 2), (None, 1, 2), (None, 3, 3), (1, 2, 1), (4, None, 4)],
)
def test_a_hop_limit_that_the_template_does_not_say_reaches_containers(
    said: int | None, account: int | None, limit: int
) -> None:
    own = MetadataOptions(http_tokens="optional", http_put_response_hop_limit=said)
    fleet = with_nodes(own, own)
    fleet.account_default(
        MetadataOptions(http_tokens="required", http_put_response_hop_limit=account)
    )
    options = change(planned(fleet), VERSION).after["options"]
    assert options["http_put_response_hop_limit"] == limit
    assert options["http_tokens"] == "required"


def test_an_endpoint_that_is_off_in_its_own_template_stays_off() -> None:
    own = MetadataOptions(http_tokens="optional", http_endpoint="disabled")
    options = change(planned(with_nodes(own)), VERSION).after["options"]
    assert options["http_endpoint"] == "disabled"


def test_one_on_v2_only_needs_nothing_and_the_copies_of_eks_are_no_launch_paths() -> None:
    fleet = with_nodes(V2, V2, tokens="required")
    fleet.template("eks-2", V1, V2)
    fleet.nodegroup("green", "nodes:3", "eks-2:2", options={"http_tokens": "required"})
    plan = planned(fleet)
    # Version 1 of EKS's template is its default, on v1; nobody launches it.
    assert ids(plan) == []
    assert rules(plan) == {}


def test_one_whose_template_eks_made_is_held_and_its_template_left_alone() -> None:
    plan = planned(with_nodes(template=None))
    assert "nodegroup-own-template" in rules(plan)["eks-blue/eks-1:1"]
    assert not [one for one in ids(plan) if "nodegroup" in one or "eks-1" in one]


def test_one_that_was_not_read_is_held() -> None:
    fleet = with_nodes()
    fleet.nodegroups.clear()
    fleet.unreadable["nodegroups"] = "AccessDeniedException: no"
    plan = planned(fleet)
    assert rules(plan)["eks-blue/eks-1:1"] == "nodegroup-own-template"
    assert plan.held[-1].status == "unknown"


def test_a_node_that_is_held_holds_the_node_group() -> None:
    fleet = with_nodes()
    fleet.calls.pop("i-eks-blue2")
    plan = planned(fleet)
    assert rules(plan)["eks-blue/eks-1:1"] == "members-held"
    assert UPDATE not in ids(plan)


def test_a_boot_that_nobody_saw_is_held_where_the_policy_says_so() -> None:
    fleet = Fleet()
    fleet.template("nodes", V1)
    fleet.template("eks-1", V1)
    fleet.nodegroup("blue", "nodes:1", "eks-1:1", launched=OLD)
    assert ids(planned(fleet), "auto-scaling") == [UPDATE, DEFAULT]
    plan = planned(fleet, policy(plan={"unproven_boot": "hold"}))
    assert rules(plan)["eks-blue/eks-1:1"] == "boot-unseen"


def test_a_group_that_launches_the_latest_of_the_same_template_has_to_be_ready_too() -> None:
    fleet = with_nodes()
    fleet.group("batch", "nodes:$Latest", called=3)
    plan = planned(fleet)
    assert rules(plan)["eks-blue/eks-1:1"] == "latest-in-use"
    assert UPDATE not in ids(plan)


def test_asked_for_by_the_name_of_node_group_or_group_it_comes_with_its_version() -> None:
    for name in ("shop/blue", "eks-blue"):
        assert ids(planned(with_nodes(), only=[name])) == [VERSION, UPDATE]


def test_the_account_default_waits_for_a_node_group_that_leaves_its_tokens_to_it() -> None:
    fleet = with_nodes(MetadataOptions(), MetadataOptions())
    fleet.account_default(V1)
    assert rules(planned(fleet))["account-defaults"] == "default-decides"
