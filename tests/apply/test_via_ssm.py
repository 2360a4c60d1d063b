"""apply and rollback --via ssm: instances' options by Systems Manager Automation, end to end."""

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli.conftest import process
from killable import Killable, Trap, When
from whole_run import OTHER, OWN, Answer, Operator, aws_view, calls_of, client, states_of

from imdsctl.apply import orders, runbooks
from imdsctl.model.plan import Plan
from imdsctl.simulator.server import SimulatedAws

CONFIGURE = "AWSSupport-ConfigureEC2Metadata"
ENFORCE = "AWSConfigRemediation-EnforceEC2InstanceIMDSv2"
ROLE = "AWS-SystemsManager-AutomationExecutionRole"

APPS = """
[[account.region.instance]]
name = "app"
count = %d
booted_days_ago = 3
tags = { env = "dev" }
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
callers = [{ program = "shop", behaviour = "v2" }]
"""
OFF = """
[[account.region.instance]]
name = "off"
tags = { env = "dev" }
options = { http_endpoint = "disabled", http_tokens = "optional" }
"""


def region(name: str, *instances: str) -> str:
    # The account's defaults are settled, so that a plan is about instances alone.
    defaults = 'defaults = { http_tokens = "required", http_put_response_hop_limit = 2 }'
    return f'[[account.region]]\nname = "{name}"\n{defaults}\n' + "".join(instances)


def account(number: str, *regions: str, more: str = "") -> str:
    return f'[[account]]\nid = "{number}"\n{more}\n' + "".join(regions)


HEAD = "start = 2026-11-11T09:00:00Z\nhistory_days = 14\n"
ONE = HEAD + account(OWN, region("eu-west-1", APPS % 1))
MANY = HEAD + account(OWN, region("eu-west-1", APPS % 6, OFF))
SEVERAL = (
    HEAD
    + account(OWN, region("eu-west-1", APPS % 3), region("eu-central-1", APPS % 2))
    + account(OTHER, region("eu-west-1", APPS % 2), region("eu-central-1", APPS % 2))
)
CELLS = [(OWN, "eu-west-1"), (OWN, "eu-central-1"), (OTHER, "eu-west-1"), (OTHER, "eu-central-1")]


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    operator = Operator(tmp_path)
    operator.settings("[waves.disposable]\ncanaries = 1\nbatch = 10\nsoak_seconds = 900\n")
    return operator


def prepared(operator: Operator, *, everywhere: bool = False) -> list[Any]:
    """Scan and plan; the changes of the plan."""
    scanned = operator.scan_all() if everywhere else operator.scan("--regions", "eu-west-1")
    assert scanned.code == 0, str(scanned)
    plan = operator.plan()
    changes = [c for w in plan["waves"] for c in w["changes"]]
    assert {c["kind"] for c in changes} == {"instance-options"}
    return changes


def handmade(operator: Operator, changes: list[dict[str, Any]], **wave: Any) -> None:
    """Write a sealed plan of one wave in which all changes are made at once."""
    made = msgspec.convert(
        {
            "created_at": "2026-11-11T09:00:00Z",
            "scanned_at": "2026-11-11T09:00:00Z",
            "caller": OWN,
            "instances": len(changes),
            "role_name": "imdsctl-read",
            "held": [],
            "waves": [{"number": 0, "name": "first", "changes": changes, **wave}],
        },
        Plan,
    )
    operator.plan_file.write_bytes(msgspec.json.encode(made.sealed()))


def change_of(instance: dict[str, Any], where: tuple[str, str], **after: Any) -> dict[str, Any]:
    shown = instance["MetadataOptions"]
    before = {
        "http_tokens": shown["HttpTokens"],
        "http_put_response_hop_limit": shown["HttpPutResponseHopLimit"],
        "http_endpoint": shown["HttpEndpoint"],
        "http_protocol_ipv6": shown["HttpProtocolIpv6"],
        "instance_metadata_tags": shown["InstanceMetadataTags"],
    }
    return {
        "id": f"options/{instance['InstanceId']}",
        "kind": "instance-options",
        "resource": instance["InstanceId"],
        "account": where[0],
        "region": where[1],
        "before": before,
        "after": {**before, **after},
        "inverse": before,
        "reason": "a test",
    }


def living(name: str = "app*", where: tuple[str, str] = CELLS[0]) -> list[dict[str, Any]]:
    found = client("ec2", where[1], where[0]).describe_instances(
        Filters=[{"Name": "tag:Name", "Values": [name]}]
    )
    return [i for r in found["Reservations"] for i in r["Instances"]]


def tokens(where: tuple[str, str] = CELLS[0]) -> list[str]:
    return [i["MetadataOptions"]["HttpTokens"] for i in living(where=where)]


def executions(where: tuple[str, str] = CELLS[0], *, children: bool = False) -> list[Any]:
    ssm = client("ssm", where[1], where[0])
    found = [
        ssm.get_automation_execution(AutomationExecutionId=row["AutomationExecutionId"])
        for page in ssm.get_paginator("describe_automation_executions").paginate()
        for row in page["AutomationExecutionMetadataList"]
        if children or "ParentAutomationExecutionId" not in row
    ]
    return [one["AutomationExecution"] for one in found][::-1]


def details(answer: Answer) -> dict[str, str]:
    return {c["resource"]: c["detail"] for c in answer.json["changes"]}


def changed_once(aws: SimulatedAws, instances: list[str], times: int = 2) -> None:
    for instance in instances:
        assert len(aws.world.lives[instance].options) == times, f"{instance}: changed once"


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


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_failing_instance_is_named_with_its_step_and_message_and_resumed_alone(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 1}
    aws.control("faults", [{**fault, "after": 2}])
    answer = operator.apply("--via", "ssm")
    states = states_of(answer)
    (failed,) = [c for c in changes if states[c["id"]] == "failed"]
    said = details(answer)[failed["resource"]]
    assert "step maintainHopLimitAndConfigureImdsVersion: An error occurred" in said
    assert "UnauthorizedOperation" in said
    assert "Troubleshooting Guide" not in said
    assert sorted(tokens()) == ["optional"] + ["required"] * 5
    again = operator.resume(operator.run())
    assert again.code == 0, str(again)
    assert executions()[-1]["Parameters"]["InstanceId"] == [failed["resource"]]
    changed_once(aws, [c["resource"] for c in changes])


def test_a_canary_that_fails_stops_the_run_with_exit_4(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "ModifyInstanceMetadataOptions", "fault": "denied"}])
    answer = operator.apply("--via", "ssm")
    assert answer.code == 4
    assert tokens() == ["optional"] * 6
    assert len(executions()) == 1, "nothing after the canary"


def test_after_too_many_errors_the_others_are_not_started(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    handmade(operator, [change_of(i, CELLS[0], http_tokens="required") for i in living()], batch=10)
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 2}
    aws.control("faults", [fault])
    answer = operator.apply("--via", "ssm", "--max-concurrency", "1", "--max-errors", "1")
    assert answer.code == 4
    said = sorted(details(answer).values())
    assert sum("not started: 2 of 2 executions failed" in one for one in said) == 4, said
    assert tokens() == ["optional"] * 6


@pytest.mark.parametrize("fault", ["lost-response", "500", "throttle", "duplicated"])
def test_a_start_without_an_answer_starts_one_execution(
    fault: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    aws.control(
        "faults",
        [
            {"operation": name, "fault": fault, "times": 2}
            for name in ("StartAutomationExecution", "GetAutomationExecution")
        ],
    )
    answer = operator.apply("--via", "ssm")
    assert answer.code == 0, str(answer)
    assert len(executions()) == 2
    changed_once(aws, [c["resource"] for c in changes])


def test_a_refused_start_fails_every_change_of_it(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "StartAutomationExecution", "fault": "denied"}])
    answer = operator.apply("--via", "ssm")
    assert answer.code == 4
    assert "AccessDeniedException" in next(d for d in details(answer).values() if d)
    assert executions() == []


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


# --- the way back --------------------------------------------------------------------------------


def test_rollback_by_the_same_runbook_is_exact(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    changes = [
        change_of(i, CELLS[0], http_tokens="required", http_put_response_hop_limit=n)
        for n, i in enumerate(living(), 1)
    ]
    handmade(operator, changes, batch=10)
    assert operator.apply("--via", "ssm").code == 0
    calls = calls_of(aws, "ModifyInstanceMetadataOptions")
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert aws_view(((OWN, "eu-west-1"),)) == before
    assert set(states_of(back).values()) == {"rolled-back"}
    undone = [e for e in executions() if e["Parameters"]["EnforceIMDSv2"] == ["optional"]]
    hops = {e["Parameters"]["HttpPutResponseHopLimit"][0] for e in undone}
    assert hops == {"2", "0"}, "back to 2, and kept where it was 2"
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == calls + 6
    assert operator("runs", operator.run(), "-o", "json").json["state"] == "rolled-back"


def test_what_was_changed_by_ec2_can_go_back_by_ssm_and_the_other_way_round(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    prepared(operator)
    for there, back in (("ec2", "ssm"), ("ssm", "ec2")):
        assert operator.apply("--via", there).code == 0
        assert tokens() == ["required"] * 6
        assert operator("rollback", operator.run(), "--via", back, "--yes").code == 0
        assert aws_view(((OWN, "eu-west-1"),)) == before


def test_a_rollback_that_fails_on_one_goes_through_the_others_and_says_which(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    assert operator.apply("--via", "ssm").code == 0
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 1}
    aws.control("faults", [fault])
    back = operator("rollback", operator.run(), "--via", "ssm", "--yes", "-o", "json")
    assert back.code == 4
    assert sorted(tokens()) == ["optional"] * 5 + ["required"]
    assert sum("step maintainHopLimit" in d for d in details(back).values()) == 1
    again = operator("rollback", operator.run(), "--via", "ssm", "--yes")
    assert again.code == 0
    assert tokens() == ["optional"] * 6


def test_a_gate_that_fails_restores_by_the_runbook(operator: Operator, simulated_aws: Any) -> None:
    monthly = (
        '[[account.region.instance]]\nname = "app"\ntags = { env = "dev" }\n'
        'options = { http_tokens = "optional" }\n'
        'callers = [{ program = "month-end", behaviour = "v1-only", when = "failover" }]\n'
    )
    aws = simulated_aws(HEAD + account(OWN, region("eu-west-1", monthly)))
    (instance,) = living()
    handmade(
        operator,
        [change_of(instance, CELLS[0], http_tokens="required")],
        canaries=[f"options/{instance['InstanceId']}"],
        soak_seconds=7200,
    )

    def fail_over() -> None:
        while tokens() != ["required"]:
            time.sleep(0.01)
        aws.control("trigger", {"instance": instance["InstanceId"], "event": "failover"})

    thread = threading.Thread(target=fail_over)
    thread.start()
    answer = operator.apply("--via", "ssm")
    thread.join()
    assert answer.code == 4, str(answer)
    assert tokens() == ["optional"]
    assert "status check instance impaired" in details(answer)[instance["InstanceId"]]
    assert [e["Parameters"]["EnforceIMDSv2"] for e in executions()] == [["required"], ["optional"]]


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


# --- killed and interrupted ----------------------------------------------------------------------


def words_for(operator: Operator, *more: str) -> list[str]:
    runs = operator("runs", "-o", "json").json["runs"]
    if not runs:
        return operator.arguments("apply", str(operator.plan_file), "--yes", *more)
    return operator.arguments("apply", "--resume", runs[0]["run"], "--yes")


def one_execution_a_batch(aws: SimulatedAws, operator: Operator, changes: list[Any]) -> None:
    run = operator("runs", operator.run(), "-o", "json").json
    assert run["state"] == "finished"
    assert {c["state"] for c in run["changes"]} == {"applied"}
    assert len(executions()) == 2, "the canary's and the batch's"
    assert {e["id"] for e in run["executions"]} == {
        e["AutomationExecutionId"] for e in executions()
    }
    assert {e["status"] for e in run["executions"]} == {"Success"}, "followed to their end"
    assert tokens() == ["required"] * 6
    changed_once(aws, [c["resource"] for c in changes])


@pytest.mark.parametrize("when", ["before", "between", "after"])
@pytest.mark.parametrize(
    "operation",
    ["StartAutomationExecution", "GetAutomationExecution", "DescribeAutomationExecutions"],
)
def test_killed_while_an_execution_runs_a_resume_goes_on_following_it(
    operation: str, when: When, operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(MANY)
    changes = prepared(operator)
    trap = Trap(aws)
    for at in (1, 3):
        victim = Killable(words_for(operator, "--via", "ssm"), tmp_path)
        trap.set(victim, at, when, only=operation)
        victim.wait()
    trap.open()
    last = Killable(words_for(operator), tmp_path).wait()
    assert last == 0, (tmp_path / "killable.log").read_text()
    one_execution_a_batch(aws, operator, changes)
    if operation != "StartAutomationExecution":
        assert calls_of(aws, "StartAutomationExecution") == 2, "taken up, not started again"


def test_ctrl_c_cancels_the_execution_and_journals_what_became_of_each(
    operator: Operator, simulated_aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated_aws(MANY)
    handmade(operator, [change_of(i, CELLS[0], http_tokens="required") for i in living()], batch=10)
    pressed: list[bool] = []

    def press(job: Any, seen: Any) -> str:
        # The moment at which two of six have their options and wait for the assertion.
        if not pressed and len(seen.targets) == 2:
            pressed.append(True)
            raise KeyboardInterrupt
        return orders.progress_of(job, seen)

    monkeypatch.setattr(runbooks, "progress_of", press)
    answer = operator.apply("--via", "ssm", "--max-concurrency", "2")
    assert answer.code == 130, str(answer)
    assert "--resume" in answer.err
    (execution,) = executions()
    assert execution["AutomationExecutionStatus"] == "Cancelled"
    run = operator("runs", operator.run(), "-o", "json").json
    assert run["state"] == "interrupted"
    states = [c["state"] for c in run["changes"]]
    assert states.count("applied") == tokens().count("required")
    assert states.count("failed") == 6 - states.count("applied")
    assert "pending" not in states, "nothing is left unknown"
    again = operator.resume(operator.run())
    assert again.code == 0, str(again)
    assert tokens() == ["required"] * 6


def test_a_real_ctrl_c_ends_the_execution_with_exit_130(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "GetAutomationExecution", "fault": "slow", "seconds": 1}])
    words = operator.arguments("apply", str(operator.plan_file), "--yes", "--via", "ssm")
    running = process(*words, cwd=tmp_path)
    while calls_of(aws, "GetAutomationExecution") < 1:
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "cancelling" in err
    (execution,) = executions()
    assert execution["AutomationExecutionStatus"] == "Cancelled"


def test_a_rollback_cancels_what_a_killed_run_left_under_way(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(MANY)
    before = aws_view(((OWN, "eu-west-1"),))
    prepared(operator)
    trap = Trap(aws)
    victim = Killable(words_for(operator, "--via", "ssm"), tmp_path)
    trap.set(victim, 2, "between", only="StartAutomationExecution")
    victim.wait()
    trap.open()
    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    aws.control("clock", {"advance_seconds": 3600})
    assert aws_view(((OWN, "eu-west-1"),)) == before
    assert executions()[-1]["AutomationExecutionStatus"] == "Cancelled"


def test_a_resumed_run_goes_on_by_automation_without_being_told(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(MANY)
    prepared(operator)
    aws.control("faults", [{"operation": "StartAutomationExecution", "fault": "denied"}])
    assert operator.apply("--via", "ssm", "--max-errors", "0").code == 4
    aws.control("faults", [])
    again = operator.resume(operator.run())
    assert again.code == 0, str(again)
    assert [e.get("MaxErrors") for e in executions()] == [None, "0"]
    assert json.loads(again.out)["executions"]
