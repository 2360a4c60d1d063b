"""rollback brings back exactly what was recorded, as boto3 sees it."""

import signal
from pathlib import Path
from typing import Any

import pytest
from killable import Killable, Trap, When
from whole_run import (
    OWN,
    SMALL_FLEET,
    Operator,
    aws_view,
    changes_of,
    client,
    instances,
    mutating_calls,
    states_of,
)

HOME = f"{OWN} eu-west-1"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    operator = Operator(tmp_path)
    operator.settings("[waves.stateful]\nsoak_seconds = 900\n")
    return operator


def applied(operator: Operator) -> Any:
    """Scan, plan and apply; the plan."""
    assert operator.scan_all().code == 0
    plan = operator.plan()
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    return plan


def without_replaced(view: Any, plan: Any) -> Any:
    """A view without the instances of groups that a refresh replaced: new ones have new ids."""
    groups = {change["resource"] for change in changes_of(plan, "instance-refresh")}
    gone = {
        m for change in changes_of(plan, "instance-refresh") for m in change["before"]["instances"]
    }
    for cell in view.values():
        cell["instances"] = {
            key: one
            for key, one in cell["instances"].items()
            if key not in gone and one[0] in ("running", "stopped")
        }
    assert groups == {"edge"}
    return view


def assert_as_before(aws: Any, plan: Any, before: Any) -> None:
    now = aws_view()
    edge = {key for key, one in instances(aws, "edge").items() if one["state"] == "running"}
    assert len(edge) == 2
    for key in edge:
        one = instances(aws)[key]
        assert one["options"]["http_tokens"] == "optional"
        now[HOME]["instances"].pop(key)
    assert without_replaced(now, plan) == without_replaced(before, plan)


def test_rollback_of_a_full_run_brings_back_everything_byte_for_byte(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = applied(operator)
    assert aws_view() != before
    answer = operator("rollback", "--yes", "-o", "json")
    assert answer.code == 0, str(answer)
    assert answer.json["state"] == "rolled-back"
    assert set(states_of(answer).values()) == {"rolled-back"}
    assert_as_before(aws, plan, before)
    # The instances that are unlike the others are among them, and the one without IMDS is off.
    home = aws_view()[HOME]["instances"]
    (ledger,), (vault,) = instances(aws, "ledger"), instances(aws, "vault")
    assert home[ledger][1]["HttpPutResponseHopLimit"] == 3
    assert home[ledger][1]["HttpProtocolIpv6"] == "enabled"
    assert home[ledger][1]["InstanceMetadataTags"] == "enabled"
    assert home[vault][1]["HttpEndpoint"] == "disabled"
    assert operator.resume(operator.run()).code == 5, "what was rolled back is not resumed"


def test_rollback_only_takes_back_the_named_resources(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    applied(operator)
    after = aws_view()
    (ledger,) = instances(aws, "ledger")
    answer = operator("rollback", "--yes", "-o", "json", "--only", ledger, "--only", "web")
    assert answer.code == 0, str(answer)
    now = aws_view()
    assert now[HOME]["instances"][ledger][1]["HttpTokens"] == "optional"
    assert now[HOME]["groups"]["web"]["LaunchTemplate"]["Version"] == "1"
    sandbox = next(iter(instances(aws, "sandbox")))
    assert now[HOME]["instances"][sandbox] == after[HOME]["instances"][sandbox]
    assert now[HOME]["defaults"] == after[HOME]["defaults"]
    unknown = operator("rollback", "--yes", "--only", "i-0123456789abcdef0")
    assert unknown.code == 2
    assert "i-0123456789abcdef0" in unknown.err


def test_rollback_is_refused_whole_where_enforcement_would_stop_it_halfway(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    applied(operator)
    client("ec2").modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    after, made = aws_view(), mutating_calls(aws)
    answer = operator("rollback", "--yes")
    assert answer.code == 5
    assert "HttpTokensEnforced" in answer.err
    assert f"{OWN} eu-west-1" in answer.err
    assert aws_view() == after
    assert mutating_calls(aws) == made


def test_what_somebody_else_changed_since_is_left_alone_and_said(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = applied(operator)
    (ledger,) = instances(aws, "ledger")
    client("ec2").modify_instance_metadata_options(InstanceId=ledger, HttpPutResponseHopLimit=5)
    answer = operator("rollback", "--yes")
    assert answer.code == 4
    (told,) = [line for line in answer.out.splitlines() if "✗" in line]
    assert ledger in told
    assert "http_put_response_hop_limit is 5" in told
    now = aws_view()
    assert now[HOME]["instances"][ledger][1]["HttpPutResponseHopLimit"] == 5
    assert now[HOME]["instances"][ledger][1]["HttpTokens"] == "required"
    for view in (now, before):
        view[HOME]["instances"].pop(ledger)
    edge = {key for key, one in instances(aws, "edge").items() if one["state"] == "running"}
    for key in edge:
        now[HOME]["instances"].pop(key)
    assert without_replaced(now, plan) == without_replaced(before, plan)


def test_a_rollback_that_is_killed_on_the_way_is_finished_by_the_next_one(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    plan = applied(operator)
    trap = Trap(aws)
    points: tuple[tuple[str, When], ...] = (
        ("ModifyInstanceMetadataOptions", "between"),
        ("StartInstanceRefresh", "before"),
        ("StartInstanceRefresh", "between"),
        ("UpdateAutoScalingGroup", "between"),
        ("DeleteLaunchTemplate", "before"),
        ("DeleteLaunchTemplateVersions", "between"),
    )
    for operation, when in points:
        victim = Killable(operator.arguments("rollback", "--yes"), tmp_path)
        trap.set(victim, 1, when, only=f"Action={operation}&")
        assert victim.wait() == -signal.SIGKILL, operation
    trap.open()
    answer = operator("rollback", "--yes", "-o", "json")
    assert answer.code == 0, str(answer)
    assert set(states_of(answer).values()) == {"rolled-back"}
    refreshes = client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="edge")
    assert [r["Status"] for r in refreshes["InstanceRefreshes"]] == ["Successful"] * 2
    assert_as_before(aws, plan, before)


def test_rollback_of_a_run_killed_between_its_two_calls_leaves_no_template_behind(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(SMALL_FLEET)
    before = aws_view()
    assert operator.scan_all().code == 0
    operator.plan()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 1, "between", only="Action=CreateLaunchTemplate&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    assert "mailer-imdsctl" in aws_view()[HOME]["templates"]
    answer = operator("rollback", "--yes", "-o", "json")
    assert answer.code == 0, str(answer)
    assert aws_view() == before
