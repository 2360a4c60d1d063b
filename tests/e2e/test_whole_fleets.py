"""Whole migrations, measured by what the simulated AWS knows of every caller."""

import itertools
from typing import Any

import pytest
from whole_run import Operator, changes_of, cut_off, instances

HEAD = """
start = 2026-11-11T09:00:00Z
history_days = 30
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
"""

BEHAVIOURS = ("v1-only", "v1-first", "v2", "fallback", "v2-strict")
WHENS = ("steady", "boot", "nightly")
CONTAINERS = ("none", "bridge", "overlay")
HOP_LIMITS = (1, 2)


def lone_instances() -> str:
    """An instance for every behaviour, at every time, in every container, at every hop limit."""
    parts = [HEAD]
    for behaviour, when, container, hops in itertools.product(
        BEHAVIOURS, WHENS, CONTAINERS, HOP_LIMITS
    ):
        parts.append(f"""
[[account.region.instance]]
name = "{behaviour}.{when}.{container}.{hops}"
options = {{ http_tokens = "optional", http_put_response_hop_limit = {hops} }}
launched_days_ago = 100
booted_days_ago = 3
tags = {{ env = "dev" }}
callers = [
  {{ program = "agent", behaviour = "v2" }},
  {{ program = "app", behaviour = "{behaviour}", when = "{when}", container = "{container}" }},
]
""")
    return "".join(parts)


def groups(
    version: str,
    replaced: float,
    whens: tuple[str, ...] = WHENS,
    hop_limits: tuple[int, ...] = HOP_LIMITS,
) -> str:
    """A group of its own template for every behaviour and time, in a bridge."""
    parts = [HEAD]
    for behaviour, when, hops in itertools.product(BEHAVIOURS, whens, hop_limits):
        name = f"{behaviour}.{when}.{hops}"
        parts.append(f"""
[[account.region.launch_template]]
name = "{name}"
[[account.region.launch_template.version]]
image = "golden"
options = {{ http_tokens = "optional", http_put_response_hop_limit = {hops} }}
[[account.region.auto_scaling_group]]
name = "{name}"
launch_template = "{name}"
version = "{version}"
size = 2
replaced_per_day = {replaced}
callers = [
  {{ program = "agent", behaviour = "v2" }},
  {{ program = "app", behaviour = "{behaviour}", when = "{when}", container = "bridge" }},
]
""")
    return "".join(parts)


def scanned(operator: Operator) -> tuple[Any, dict[str, Any]]:
    """Scan and plan: the plan, and the change of each instance that it holds."""
    answer = operator.scan("--regions", "eu-west-1")
    assert answer.code == 0, str(answer)
    plan = operator.plan()
    return plan, {c["resource"]: c for c in changes_of(plan, "instance-options")}


def assert_nobody_is_cut_off_now_or_later(aws: Any) -> None:
    assert cut_off(aws) == {}
    aws.control("clock", {"advance_seconds": 3 * 86400})
    assert cut_off(aws) == {}


def test_every_visible_v1_caller_is_left_alone_and_everything_else_is_migrated(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(lone_instances())
    before = instances(aws)
    _, changed = scanned(operator)
    for key, one in before.items():
        if one["v1_calls"]:
            assert key not in changed, f"{one['name']} calls v1 and is to be changed"
        else:
            assert one["safe_now"], "this fleet has no caller that the window cannot show"
            assert key in changed, f"{one['name']} is quiet and safe, and held"
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    for key, one in instances(aws).items():
        expected = "required" if key in changed else "optional"
        assert one["options"]["http_tokens"] == expected
        assert one["options"] == {**before[key]["options"], "http_tokens": expected}
    assert_nobody_is_cut_off_now_or_later(aws)


@pytest.mark.parametrize("version", ["1", "$Default", "$Latest"])
def test_groups_whose_launches_the_window_saw_are_frozen_or_left_alone_as_their_callers_allow(
    version: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(groups(version, replaced=0.5))
    before = instances(aws)
    callers = {one["asg"] for one in before.values() if one["v1_calls"]}
    assert callers
    _, changed = scanned(operator)
    for key in changed:
        assert before[key]["asg"] not in callers
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    for group in {one["asg"] for one in before.values()}:
        where = {"asg": group, "account": "111111111111", "region": "eu-west-1"}
        aws.control("scale", where)
    for one in instances(aws).values():
        if one["state"] == "running":
            expected = "optional" if one["asg"] in callers else "required"
            assert one["options"]["http_tokens"] == expected, one["asg"]
    assert_nobody_is_cut_off_now_or_later(aws)


def test_groups_that_never_launched_in_the_window_are_proved_by_one_replacement(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(groups("1", replaced=0, whens=("boot",), hop_limits=(2,)))
    before = instances(aws)
    hidden = {
        one["asg"]
        for one in before.values()
        if not one["safe_now"] and one["asg"].split(".")[1] == "boot"
    }
    # They would get along with V2 only, but their first calls are refused: reason enough to stop.
    suspicious = {one["asg"] for one in before.values() if one["v1_calls"]} - hidden
    assert hidden
    assert suspicious
    scanned(operator)
    answer = operator.apply()
    assert answer.code == 4, "the hidden boot callers are found by the first replacement"
    for _ in range(3):
        if operator.resume(operator.run()).code == 0:
            break
    running = [one for one in instances(aws).values() if one["state"] == "running"]
    for one in running:
        held = one["asg"] in hidden | suspicious
        assert one["options"]["http_tokens"] == ("optional" if held else "required"), one["asg"]
    cut = [instances(aws)[key] for key in cut_off(aws)]
    assert {one["asg"] for one in cut} <= hidden
    assert {one["state"] for one in cut} == {"terminated"}, "only the replacements that proved it"
    assert len(cut) == len(hidden), "one for each group"


MONTHLY = (
    HEAD
    + """
[[account.region.instance]]
name = "report"
launched_days_ago = 100
booted_days_ago = 3
options = { http_tokens = "optional" }
tags = { env = "dev" }
callers = [{ program = "report", behaviour = "v1-only", when = "monthly" }]
[[account.region.instance]]
name = "standby"
launched_days_ago = 100
booted_days_ago = 3
options = { http_tokens = "optional" }
tags = { env = "dev" }
callers = [{ program = "takeover", behaviour = "v1-only", when = "failover" }]
[[account.region.instance]]
name = "quiet"
launched_days_ago = 100
booted_days_ago = 3
options = { http_tokens = "optional" }
tags = { env = "dev" }
callers = [{ program = "app", behaviour = "v2" }]
"""
)


def test_a_monthly_caller_is_found_by_a_window_that_holds_the_first_of_the_month(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MONTHLY)
    (report,), (quiet,) = instances(aws, "report"), instances(aws, "quiet")
    assert operator.scan("--regions", "eu-west-1", "--days", "28").code == 0
    plan = operator.plan()
    changed = {c["resource"] for c in changes_of(plan, "instance-options")}
    assert report not in changed
    assert quiet in changed


def test_a_caller_that_no_window_could_show_is_never_planned_with_high_confidence(
    operator: Operator, simulated_aws: Any
) -> None:
    # The window of nine days saw neither the first of the month nor a failover.
    aws = simulated_aws(MONTHLY)
    (report,), (standby,) = instances(aws, "report"), instances(aws, "standby")
    assert operator.scan("--regions", "eu-west-1", "--days", "9").code == 0
    verdict = operator("explain", report, "-o", "json").json["verdict"]
    assert verdict["status"] == "ready"
    assert verdict["confidence"] != "high"
    assert "first day of a month" in " ".join(r["summary"] for r in verdict["reasons"])
    operator.plan()
    assert operator.apply().code == 0
    # What verify finds afterwards, nobody could have known before; rollback mends it.
    aws.control("trigger", {"instance": standby, "event": "failover"})
    aws.control("clock", {"advance_seconds": 3600})
    assert set(cut_off(aws)) == {standby}
    verified = operator("verify", "-o", "json")
    assert verified.code == 1
    (bad,) = [c for c in verified.json["changes"] if c["state"] == "failed"]
    assert bad["resource"] == standby
    back = operator("rollback", operator.run(), "--yes", "--only", standby)
    assert back.code == 0, str(back)
    assert instances(aws)[standby]["options"]["http_tokens"] == "optional"
