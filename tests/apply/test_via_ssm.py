"""apply and rollback --via ssm: instances' options by Systems Manager Automation, end to end."""

from pathlib import Path
from typing import Any

import pytest
from ssm_fleet import (
    APPS,
    CELLS,
    CONFIGURE,
    ENFORCE,
    HEAD,
    MANY,
    ONE,
    ROLE,
    SEVERAL,
    change_of,
    changed_once,
    details,
    executions,
    handmade,
    living,
    prepared,
    small_batches,
    tokens,
)
from whole_run import OTHER, OWN, Operator, account, aws_view, calls_of, region, states_of


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return small_batches(tmp_path)


# --- one, many, several places -------------------------------------------------------------------


def test_one_instance_is_a_simple_execution_with_every_parameter(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(ONE)
    (change,) = prepared(operator)
    answer = operator.apply("--via", "ssm")
    assert answer.code == 0, str(answer)
    assert states_of(answer) == {change["id"]: "applied"}
    (execution,) = executions()
    assert execution["Parameters"] == {
        "InstanceId": [change["resource"]],
        "EnforceIMDSv2": ["required"],
        "HttpPutResponseHopLimit": ["0"],
        "MetadataAccess": ["enabled"],
    }
    assert "Targets" not in execution
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == 1, "Automation's own call"
    assert tokens() == ["required"]
    (told,) = answer.json["executions"]
    assert (told["id"], told["status"]) == (execution["AutomationExecutionId"], "Success")
    assert operator("verify", "-o", "json").code == 0


def test_a_hop_limit_that_changes_is_named_and_one_that_stays_is_kept(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(MANY)
    first, second, *_ = living()
    changes = [
        change_of(first, CELLS[0], http_tokens="required", http_put_response_hop_limit=3),
        change_of(second, CELLS[0], http_tokens="required"),
    ]
    handmade(operator, changes)
    answer = operator.apply("--via", "ssm")
    assert answer.code == 0, str(answer)
    asked = [e["Parameters"]["HttpPutResponseHopLimit"] for e in executions()]
    assert sorted(asked) == [["0"], ["3"]], "two executions: their parameters differ"
    hops = [i["MetadataOptions"]["HttpPutResponseHopLimit"] for i in living()[:2]]
    assert hops == [3, 2]


def test_many_are_rate_controlled_canaries_first_and_progress_is_told(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    answer = operator.apply("--via", "ssm", "--max-concurrency", "2", "--max-errors", "1")
    assert answer.code == 0, str(answer)
    canary, rest = executions()
    assert canary["Parameters"]["InstanceId"] == [changes[0]["resource"]]
    assert (rest["MaxConcurrency"], rest["MaxErrors"]) == ("2", "1")
    assert rest["TargetParameterName"] == "InstanceId"
    assert rest["Parameters"]["EnforceIMDSv2"] == ["required"]
    assert len(rest["Targets"][0]["Values"]) == 5
    assert "0/5 done" in answer.err
    assert "5/5 done" in answer.err
    assert tokens() == ["required"] * 6
    changed_once(aws, [c["resource"] for c in changes])


def test_without_limits_a_batch_goes_at_once_and_a_canary_bears_no_error(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(MANY)
    handmade(
        operator,
        changes := [change_of(i, CELLS[0], http_tokens="required") for i in living()],
        canaries=[f"options/{i['InstanceId']}" for i in living()[:2]],
        batch=4,
    )
    assert operator.apply("--via", "ssm").code == 0
    canaries, rest = executions()
    assert (canaries["MaxConcurrency"], canaries["MaxErrors"]) == ("2", "0")
    assert (rest["MaxConcurrency"], rest["MaxErrors"]) == ("4", "2")
    assert len(changes) == 6


def test_several_accounts_and_regions_are_one_execution_with_a_child_in_each(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(SEVERAL)
    before = aws_view()
    changes = [
        change_of(i, where, http_tokens="required") for where in CELLS for i in living(where=where)
    ]
    handmade(operator, changes, batch=20)
    answer = operator.apply("--via", "ssm", "--automation-role", ROLE)
    assert answer.code == 0, str(answer)
    (parent,) = executions()
    places = {(row["Accounts"][0], row["Regions"][0]): row for row in parent["TargetLocations"]}
    assert set(places) == set(CELLS)
    for where, row in places.items():
        assert row["ExecutionRoleName"] == ROLE
        assert row["Targets"] == [
            {
                "Key": "ParameterValues",
                "Values": sorted(i["InstanceId"] for i in living(where=where)),
            }
        ]
        assert set(tokens(where)) == {"required"}
    assert "AutomationAssumeRole" not in parent["Parameters"]
    changed_once(aws, [c["resource"] for c in changes])
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert aws_view() == before


def test_a_place_without_the_role_fails_alone_and_says_so(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(
        HEAD
        + account(OWN, region("eu-west-1", APPS % 2))
        + account(OTHER, region("eu-west-1", APPS % 2), more='automation_role = ""')
    )
    here, there = CELLS[0], CELLS[2]
    changes = [
        change_of(i, where, http_tokens="required")
        for where in (here, there)
        for i in living(where=where)
    ]
    handmade(operator, changes, batch=20)
    answer = operator.apply("--via", "ssm")
    states = states_of(answer)
    assert [states[c["id"]] for c in changes] == ["applied", "applied", "failed", "failed"]
    for change in changes[2:]:
        assert f"there is no role {ROLE}" in details(answer)[change["resource"]]
    assert (tokens(here), tokens(there)) == (["required"] * 2, ["optional"] * 2)


# --- what no runbook may do ----------------------------------------------------------------------


def test_an_endpoint_that_is_off_is_never_touched(operator: Operator, simulated_aws: Any) -> None:
    simulated_aws(MANY)
    (off,) = living("off")
    app, *_ = living()
    changes = [
        change_of(app, CELLS[0], http_tokens="required"),
        # No planner makes such a change; a runbook would switch the metadata service on.
        change_of(off, CELLS[0], http_tokens="required"),
        change_of(living()[1], CELLS[0], http_endpoint="disabled"),
    ]
    handmade(operator, changes, batch=5)
    answer = operator.apply("--via", "ssm")
    assert [e["Parameters"]["InstanceId"] for e in executions()] == [[app["InstanceId"]]]
    assert living("off")[0]["MetadataOptions"] == off["MetadataOptions"]
    assert states_of(answer)[changes[1]["id"]] == "failed", "EC2 refuses it, too"
    said = details(answer)[changes[2]["resource"]]
    assert "through the EC2 API: the runbook would switch the metadata service on" in said


def test_ipv6_and_tags_are_left_to_ec2_there_and_back(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    first, second, *_ = living()
    changes = [
        change_of(first, CELLS[0], http_tokens="required", instance_metadata_tags="enabled"),
        change_of(second, CELLS[0], http_tokens="required"),
    ]
    handmade(operator, changes, batch=5)
    answer = operator.apply("--via", "ssm")
    assert answer.code == 0, str(answer)
    said = "through the EC2 API: the runbook cannot set instance_metadata_tags"
    assert details(answer) == {first["InstanceId"]: said, second["InstanceId"]: ""}
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert details(back)[first["InstanceId"]] == said
    asked = [e["Parameters"]["InstanceId"] for e in executions()]
    assert asked == [[second["InstanceId"]]] * 2
    assert aws_view(((OWN, "eu-west-1"),)) == before


# --- the other runbook ---------------------------------------------------------------------------


def test_the_config_remediation_needs_a_role_says_that_it_has_no_way_back_and_is_undone(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    prepared(operator)
    bare = operator.apply("--via", "ssm", "--document", ENFORCE)
    assert bare.code == 2
    assert "--automation-role" in bare.err
    assert executions() == []
    answer = operator.apply("--via", "ssm", "--document", ENFORCE, "--automation-role", ROLE)
    assert answer.code == 0, str(answer)
    assert answer.err.index("no way back") < answer.err.index("run ")
    assert tokens() == ["required"] * 6
    for execution in executions():
        assert execution["DocumentName"] == ENFORCE
        arn = f"arn:aws:iam::{OWN}:role/{ROLE}"
        assert execution["Parameters"]["AutomationAssumeRole"] == [arn]
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes")
    assert back.code == 0, str(back)
    assert executions()[-1]["DocumentName"] == CONFIGURE
    assert aws_view(((OWN, "eu-west-1"),)) == before


# --- used wrongly, and in pretence ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--automation-role", "x"], "add --via ssm"),
        (["--document", ENFORCE], "add --via ssm"),
        (["--max-errors", "1"], "add --via ssm"),
        (["--via", "ssm", "--max-concurrency", "0"], "from 1"),
        (["--via", "ssm", "--max-concurrency", "101%"], "100%"),
        (["--via", "ssm", "--max-errors", "few"], "0% to 100%"),
        (["--via", "ssm", "--automation-role", "arn:aws:iam::1:role/x"], "the name alone"),
        (["--via", "ssm", "--document", "AWS-RestartEC2Instance"], ""),
        (["--via", "cloudformation"], ""),
    ],
)
def test_bad_options_are_refused_before_anything_is_done(
    words: list[str], said: str, operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(ONE)
    prepared(operator)
    answer = operator.apply(*words)
    assert answer.code == 2, str(answer)
    assert said in answer.err
    assert executions() == []
    assert operator("runs", "-o", "json").json["runs"] == []


def test_a_dry_run_says_which_executions_would_be_started_and_starts_none(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    answer = operator.apply("--via", "ssm", "--dry-run")
    assert answer.code == 0, str(answer)
    assert f"{CONFIGURE} on 5 instances in {OWN} eu-west-1" in answer.err
    assert "EnforceIMDSv2=required HttpPutResponseHopLimit=0 MetadataAccess=enabled" in answer.err
    assert [len(e["changes"]) for e in answer.json["executions"]] == [1, 5]
    assert calls_of(aws, "StartAutomationExecution", "ModifyInstanceMetadataOptions") == 0
    assert tokens() == ["optional"] * 6
