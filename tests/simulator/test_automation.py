"""Systems Manager Automation of the simulated AWS, asked by boto3."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imdsctl.simulator.server import SimulatedAws
from imdsctl.simulator.ssm import automation_book

OWN, OTHER = "111111111111", "222222222222"
CONFIGURE = "AWSSupport-ConfigureEC2Metadata"
ENFORCE = "AWSConfigRemediation-EnforceEC2InstanceIMDSv2"
ROLE = "AWS-SystemsManager-AutomationExecutionRole"

REGION = """
[[account.region]]
name = "%s"
[[account.region.instance]]
name = "app"
count = %d
tags = { env = "dev" }
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
"""
OFF = """
[[account.region.instance]]
name = "off"
options = { http_endpoint = "disabled", http_tokens = "required", http_put_response_hop_limit = 3 }
"""
MANAGED = """
[[account.region.instance]]
name = "managed"
operator = "eks.amazonaws.com"
"""


def account(number: str, *regions: str, more: str = "") -> str:
    return f'[[account]]\nid = "{number}"\n{more}\n' + "".join(regions)


ONE = account(OWN, REGION % ("eu-west-1", 5), OFF, MANAGED)
TWO_BY_TWO = account(OWN, REGION % ("eu-west-1", 2), REGION % ("eu-central-1", 2)) + account(
    OTHER, REGION % ("eu-west-1", 2), REGION % ("eu-central-1", 2)
)

MakeClient = Callable[..., Any]
STANDARD = {"EnforceIMDSv2": ["required"], "HttpPutResponseHopLimit": ["0"]}


@pytest.fixture
def aws(simulated_aws: Any) -> SimulatedAws:
    started: SimulatedAws = simulated_aws(ONE)
    return started


def ids(boto: MakeClient, name: str = "app*", **where: str) -> list[str]:
    found = boto("ec2", **where).describe_instances(
        Filters=[{"Name": "tag:Name", "Values": [name]}]
    )
    return [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]]


def options(boto: MakeClient, instance: str, **where: str) -> dict[str, Any]:
    found = boto("ec2", **where).describe_instances(InstanceIds=[instance])
    shown: dict[str, Any] = found["Reservations"][0]["Instances"][0]["MetadataOptions"]
    return shown


def start(boto: MakeClient, document: str = CONFIGURE, **request: Any) -> str:
    answer = boto("ssm").start_automation_execution(DocumentName=document, **request)
    execution: str = answer["AutomationExecutionId"]
    return execution


def one(instance: str, **parameters: str) -> dict[str, list[str]]:
    return {"InstanceId": [instance], **{key: [value] for key, value in parameters.items()}}


def get(boto: MakeClient, execution: str, **where: str) -> dict[str, Any]:
    answer = boto("ssm", **where).get_automation_execution(AutomationExecutionId=execution)
    shown: dict[str, Any] = answer["AutomationExecution"]
    return shown


def children(boto: MakeClient, execution: str, **where: str) -> list[dict[str, Any]]:
    found = boto("ssm", **where).describe_automation_executions(
        Filters=[{"Key": "ParentExecutionId", "Values": [execution]}]
    )
    rows: list[dict[str, Any]] = found["AutomationExecutionMetadataList"]
    return rows


def wait(aws: SimulatedAws, seconds: float = 300) -> None:
    aws.control("clock", {"advance_seconds": seconds})


def steps(execution: dict[str, Any]) -> list[str]:
    return [step["StepName"] for step in execution["StepExecutions"]]


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# --- the documents -------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_the_documents_are_amazons_with_their_parameters_and_dangerous_defaults(
    boto: MakeClient,
) -> None:
    shown = boto("ssm").describe_document(Name=CONFIGURE)["Document"]
    assert (shown["Owner"], shown["DocumentType"]) == ("Amazon", "Automation")
    assert shown["PlatformTypes"] == ["Linux", "MacOS", "Windows"]
    defaults = {p["Name"]: p.get("DefaultValue") for p in shown["Parameters"]}
    assert defaults == {
        "InstanceId": None,
        "EnforceIMDSv2": "optional",
        "HttpPutResponseHopLimit": "0",
        "MetadataAccess": "enabled",
        "AutomationAssumeRole": "",
    }
    content = json.loads(boto("ssm").get_document(Name=CONFIGURE)["Content"])
    assert [step["name"] for step in content["mainSteps"]][:2] == [
        "branchOnMetadataAccess",
        "disableMetadataAccess",
    ]
    assert content["outputs"] == [
        "describeMetadataOptions.State",
        "describeMetadataOptions.MetadataAccess",
        "describeMetadataOptions.IMDSv2",
        "describeMetadataOptions.HttpPutResponseHopLimit",
    ]
    enforcing = boto("ssm").describe_document(Name=ENFORCE)["Document"]["Parameters"]
    assert [p["Name"] for p in enforcing if "DefaultValue" not in p] == [
        "InstanceId",
        "AutomationAssumeRole",
    ]


def test_requiring_tokens_keeps_the_hop_limit_and_everything_else(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    instance = ids(boto)[0]
    before = options(boto, instance)
    execution = start(boto, Parameters=one(instance, EnforceIMDSv2="required"))
    assert get(boto, execution)["AutomationExecutionStatus"] in {"Pending", "InProgress"}
    wait(aws, 20)
    assert get(boto, execution)["CurrentStepName"] == "waitBeforeAssertingIMDSv2State"
    wait(aws, 40)
    done = get(boto, execution)
    assert done["AutomationExecutionStatus"] == "Success"
    assert steps(done) == [
        "branchOnMetadataAccess",
        "branchOnHttpPutResponseHopLimit",
        "maintainHopLimitAndConfigureImdsVersion",
        "waitBeforeAssertingIMDSv2State",
        "branchVerificationOnIMDSv2Option",
        "assertIMDSv2IsEnforced",
        "describeMetadataOptions",
    ]
    assert (done["ExecutionEndTime"] - done["ExecutionStartTime"]).total_seconds() >= 30
    assert done["Outputs"] == {
        "describeMetadataOptions.State": ["applied"],
        "describeMetadataOptions.MetadataAccess": ["enabled"],
        "describeMetadataOptions.IMDSv2": ["required"],
        "describeMetadataOptions.HttpPutResponseHopLimit": ["2"],
    }
    assert options(boto, instance) == {**before, "HttpTokens": "required"}


def test_a_hop_limit_takes_the_other_branch_and_is_asserted(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    instance = ids(boto)[0]
    request = one(instance, EnforceIMDSv2="required", HttpPutResponseHopLimit="3")
    execution = start(boto, Parameters=request)
    wait(aws)
    assert steps(get(boto, execution))[2:5] == [
        "setHopLimitAndConfigureImdsVersion",
        "waitBeforeAssertingHopLimit",
        "assertHopLimit",
    ]
    assert options(boto, instance)["HttpPutResponseHopLimit"] == 3


def test_denying_access_takes_the_third_branch_and_ignores_the_other_parameters(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    instance = ids(boto)[0]
    request = one(
        instance, MetadataAccess="disabled", EnforceIMDSv2="required", HttpPutResponseHopLimit="9"
    )
    execution = start(boto, Parameters=request)
    wait(aws)
    assert steps(get(boto, execution)) == [
        "branchOnMetadataAccess",
        "disableMetadataAccess",
        "waitBeforeAssertingMetadataState",
        "assertMetadataIsDisabled",
        "describeMetadataOptions",
    ]
    now = options(boto, instance)
    assert (now["HttpEndpoint"], now["HttpTokens"]) == ("disabled", "optional")
    assert now["HttpPutResponseHopLimit"] == 2


def test_the_defaults_set_tokens_back_to_optional_and_turn_imds_on(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    (instance,) = ids(boto, "off")
    execution = start(boto, Parameters=one(instance))
    wait(aws)
    assert "assertIMDSv2IsOptional" in steps(get(boto, execution))
    now = options(boto, instance)
    assert (now["HttpEndpoint"], now["HttpTokens"]) == ("enabled", "optional")


def test_the_config_remediation_only_ever_requires(aws: SimulatedAws, boto: MakeClient) -> None:
    first, second, *_ = ids(boto)
    role = f"arn:aws:iam::{OWN}:role/{ROLE}"
    execution = start(boto, ENFORCE, Parameters=one(first, AutomationAssumeRole=role))
    with_hops = one(second, AutomationAssumeRole=role, HttpPutResponseHopLimit="4")
    start(boto, ENFORCE, Parameters=with_hops)
    wait(aws)
    assert get(boto, execution)["AutomationExecutionStatus"] == "Success"
    assert [options(boto, i)["HttpTokens"] for i in (first, second)] == ["required"] * 2
    assert [options(boto, i)["HttpPutResponseHopLimit"] for i in (first, second)] == [2, 4]


@pytest.mark.usefixtures("aws")
def test_requests_that_make_no_sense_are_refused(boto: MakeClient) -> None:
    instance = ids(boto)[0]
    wrong = "InvalidAutomationExecutionParametersException"
    for parameters, word in (
        ({}, "InstanceId"),
        (one(instance, Enforce="required"), "Enforce"),
        (one(instance, EnforceIMDSv2="yes"), "required"),
        (one(instance, HttpPutResponseHopLimit="two"), "Integer"),
        (one(instance, HttpPutResponseHopLimit="65"), "65"),
        (one("i-1"), "i-1"),
        ({"InstanceId": ids(boto)[:2]}, "exactly one"),
        (one(instance, AutomationAssumeRole=f"arn:aws:iam::{OWN}:role/nobody"), "assumed"),
    ):
        code, message = refusal(lambda given=parameters: start(boto, Parameters=given))  # type: ignore[misc]
        assert (code, word in message) == (wrong, True), message
    assert refusal(lambda: start(boto, ENFORCE, Parameters=one(instance)))[0] == wrong
    missing = refusal(lambda: start(boto, "AWS-Nothing", Parameters=one(instance)))
    assert missing[0] == "AutomationDefinitionNotFoundException"
    unknown = refusal(lambda: get(boto, str(uuid.uuid4())))
    assert unknown[0] == "AutomationExecutionNotFoundException"
    group = [{"Key": "ResourceGroup", "Values": ["web"]}]
    refused = refusal(lambda: start(boto, TargetParameterName="InstanceId", Targets=group))
    assert refused[0] == "InvalidTarget"


def test_ec2_refuses_automation_as_it_refuses_anyone_and_the_step_says_so(
    simulated_aws: Any, boto: MakeClient
) -> None:
    enforced = ONE.replace(
        'name = "eu-west-1"', 'name = "eu-west-1"\ndefaults = { http_tokens_enforced = "enabled" }'
    ).replace('http_tokens = "optional"', 'http_tokens = "required"')
    aws = simulated_aws(enforced)
    gone, still = ids(boto)[:2]
    boto("ec2").terminate_instances(InstanceIds=[gone])
    (managed,) = ids(boto, "managed")
    cases = {
        gone: "IncorrectInstanceState",
        managed: "OperationNotPermitted",
        still: "UnsupportedOperation",
    }
    started = {i: start(boto, Parameters=one(i, EnforceIMDSv2="optional")) for i in cases}
    wait(aws)
    for instance, code in cases.items():
        execution = get(boto, started[instance])
        assert execution["AutomationExecutionStatus"] == "Failed"
        failed = execution["StepExecutions"][-1]
        assert failed["StepName"] == "maintainHopLimitAndConfigureImdsVersion"
        assert failed["StepStatus"] == "Failed"
        assert code in failed["FailureMessage"]
        assert failed["FailureDetails"]["FailureStage"] == "Invocation"
        assert failed["FailureMessage"] == execution["FailureMessage"]


def test_a_denied_call_fails_the_step_and_a_throttled_one_is_tried_again(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    first, second, *_ = ids(boto)
    fault = {"operation": "ModifyInstanceMetadataOptions", "times": 1}
    aws.control("faults", [{**fault, "fault": "denied"}])
    denied = start(boto, Parameters=one(first, EnforceIMDSv2="required"))
    wait(aws)
    aws.control("faults", [{**fault, "fault": "throttle", "times": 2}])
    throttled = start(boto, Parameters=one(second, EnforceIMDSv2="required"))
    wait(aws)
    failed = get(boto, denied)["StepExecutions"][-1]
    assert failed["FailureDetails"]["FailureType"] == "Permission"
    assert "UnauthorizedOperation" in failed["FailureMessage"]
    assert get(boto, throttled)["AutomationExecutionStatus"] == "Success"


# --- rate control --------------------------------------------------------------------------------


def many(boto: MakeClient, instances: list[str], **limits: str) -> str:
    return start(
        boto,
        Parameters=STANDARD,
        TargetParameterName="InstanceId",
        Targets=[{"Key": "ParameterValues", "Values": instances}],
        **limits,
    )


def test_targets_are_changed_at_most_so_many_at_a_time(aws: SimulatedAws, boto: MakeClient) -> None:
    instances = ids(boto)
    execution = many(boto, instances, MaxConcurrency="2")
    wait(aws, 5)
    assert len(children(boto, execution)) == 2
    assert get(boto, execution)["TargetsSummary"]["StartedCount"] == 2
    wait(aws)
    done = get(boto, execution)
    assert done["AutomationExecutionStatus"] == "Success"
    assert done["ResolvedTargets"]["ParameterValues"] == instances
    assert done["ProgressCounters"]["SuccessSteps"] == 5
    assert done["TargetsSummary"]["SuccessfulCount"] == 5
    assert (done["ExecutionEndTime"] - done["ExecutionStartTime"]).total_seconds() > 3 * 30
    found = {c["Target"]: c["AutomationExecutionStatus"] for c in children(boto, execution)}
    assert found == dict.fromkeys(instances, "Success")
    assert {options(boto, i)["HttpTokens"] for i in instances} == {"required"}


@pytest.mark.parametrize(
    ("errors", "started"), [("0", 1), ("1", 2), ("3", 5), ("20%", 2), ("100%", 5)]
)
def test_after_too_many_errors_no_more_are_started(
    errors: str, started: int, aws: SimulatedAws, boto: MakeClient
) -> None:
    (bad,) = ids(boto, "managed")
    good = ids(boto)[:2]
    missing = [f"i-{number:017x}" for number in (1, 2)]
    execution = many(
        boto, [bad, missing[0], *good, missing[1]], MaxConcurrency="1", MaxErrors=errors
    )
    wait(aws, 600)
    assert len(children(boto, execution)) == started
    over = {"0": "Failed", "1": "Failed", "20%": "Failed"}.get(errors, "Success")
    assert get(boto, execution)["AutomationExecutionStatus"] == over


def test_tags_and_target_maps_choose_targets_too(aws: SimulatedAws, boto: MakeClient) -> None:
    tagged = start(
        boto,
        Parameters=STANDARD,
        TargetParameterName="InstanceId",
        Targets=[{"Key": "tag:env", "Values": ["dev"]}],
    )
    wait(aws)
    assert get(boto, tagged)["TargetsSummary"]["SuccessfulCount"] == 5
    first, second, *_ = ids(boto)
    maps = [
        {"InstanceId": [first], "HttpPutResponseHopLimit": ["5"]},
        {"InstanceId": [second], "HttpPutResponseHopLimit": ["6"]},
    ]
    start(
        boto,
        Parameters={"EnforceIMDSv2": ["required"]},
        TargetParameterName="InstanceId",
        TargetMaps=maps,
    )
    wait(aws)
    assert [options(boto, i)["HttpPutResponseHopLimit"] for i in (first, second)] == [5, 6]


def test_cancelling_stops_what_runs_and_starts_no_more(aws: SimulatedAws, boto: MakeClient) -> None:
    execution = many(boto, ids(boto), MaxConcurrency="2")
    wait(aws, 10)
    boto("ssm").stop_automation_execution(AutomationExecutionId=execution, Type="Cancel")
    assert get(boto, execution)["AutomationExecutionStatus"] == "Cancelling"
    wait(aws)
    assert get(boto, execution)["AutomationExecutionStatus"] == "Cancelled"
    states = [c["AutomationExecutionStatus"] for c in children(boto, execution)]
    assert states == ["Cancelled", "Cancelled"]
    again = refusal(lambda: boto("ssm").stop_automation_execution(AutomationExecutionId=execution))
    assert again[0] == "InvalidAutomationStatusUpdateException"


def test_completing_lets_what_runs_finish(aws: SimulatedAws, boto: MakeClient) -> None:
    execution = many(boto, ids(boto), MaxConcurrency="2")
    wait(aws, 10)
    boto("ssm").stop_automation_execution(AutomationExecutionId=execution, Type="Complete")
    wait(aws)
    states = [c["AutomationExecutionStatus"] for c in children(boto, execution)]
    assert states == ["Success", "Success"]
    assert get(boto, execution)["AutomationExecutionStatus"] == "Success"


def test_a_client_token_starts_one_execution(aws: SimulatedAws, boto: MakeClient) -> None:
    instance, other, *_ = ids(boto)
    token = str(uuid.uuid4())
    first = start(boto, Parameters=one(instance, EnforceIMDSv2="required"), ClientToken=token)
    wait(aws)
    again = start(boto, Parameters=one(instance, EnforceIMDSv2="required"), ClientToken=token)
    assert again == first
    assert len(aws.world.lives[instance].options) == 2, "changed once"
    different = refusal(lambda: start(boto, Parameters=one(other), ClientToken=token))
    assert different[0] == "IdempotentParameterMismatch"


@pytest.mark.usefixtures("aws")
def test_too_much_at_once_is_refused(boto: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation_book, "LIMIT", 1)
    first, second, *_ = ids(boto)
    start(boto, Parameters=one(first))
    refused = refusal(lambda: start(boto, Parameters=one(second)))
    assert refused[0] == "AutomationExecutionLimitExceededException"


@pytest.mark.usefixtures("aws")
def test_lists_come_in_pages_and_by_filter(boto: MakeClient) -> None:
    started = [start(boto, Parameters=one(i)) for i in ids(boto)]
    pages = list(
        boto("ssm")
        .get_paginator("describe_automation_executions")
        .paginate(
            Filters=[{"Key": "DocumentNamePrefix", "Values": [CONFIGURE]}],
            PaginationConfig={"PageSize": 2},
        )
    )
    found = [
        row["AutomationExecutionId"]
        for page in pages
        for row in page["AutomationExecutionMetadataList"]
    ]
    assert (len(pages), found) == (3, started[::-1])
    assert refusal(
        lambda: boto("ssm").describe_automation_executions(
            Filters=[{"Key": "OpsItemId", "Values": ["x"]}]
        )
    )[0] == ("InvalidFilterKey")


def test_steps_are_listed_one_by_one(aws: SimulatedAws, boto: MakeClient) -> None:
    execution = start(boto, Parameters=one(ids(boto)[0], EnforceIMDSv2="required"))
    wait(aws)
    pages = list(
        boto("ssm")
        .get_paginator("describe_automation_step_executions")
        .paginate(AutomationExecutionId=execution, PaginationConfig={"PageSize": 3})
    )
    listed = [step for page in pages for step in page["StepExecutions"]]
    assert listed == get(boto, execution)["StepExecutions"]
    waits = boto("ssm").describe_automation_step_executions(
        AutomationExecutionId=execution, Filters=[{"Key": "Action", "Values": ["aws:sleep"]}]
    )
    assert steps(waits) == ["waitBeforeAssertingIMDSv2State"]


# --- several accounts and regions ----------------------------------------------------------------


def everywhere(boto: MakeClient, **location: Any) -> str:
    rows = [
        {
            "Accounts": [number],
            "Regions": [region],
            "ExecutionRoleName": ROLE,
            "Targets": [{"Key": "tag:env", "Values": ["dev"]}],
            **location,
        }
        for number in (OWN, OTHER)
        for region in ("eu-west-1", "eu-central-1")
    ]
    return start(boto, Parameters=STANDARD, TargetParameterName="InstanceId", TargetLocations=rows)


def test_a_parent_has_a_child_in_each_account_and_region_with_children_of_its_own(
    simulated_aws: Any, boto: MakeClient
) -> None:
    aws = simulated_aws(TWO_BY_TWO)
    execution = everywhere(boto)
    wait(aws)
    done = get(boto, execution)
    assert done["AutomationExecutionStatus"] == "Success"
    places = {
        (s["TargetLocation"]["Accounts"][0], s["TargetLocation"]["Regions"][0]): s["Outputs"]
        for s in done["StepExecutions"]
    }
    assert len(places) == 4
    for (number, region), outputs in places.items():
        where = {"region": region, "account": None if number == OWN else number}
        (child,) = children(boto, execution, **where)
        assert outputs == {"ExecutionId": [child["AutomationExecutionId"]]}
        assert f"arn:aws:sts::{number}:assumed-role/{ROLE}/" in child["ExecutedBy"]
        own = children(boto, child["AutomationExecutionId"], **where)
        assert sorted(c["Target"] for c in own) == sorted(ids(boto, **where))
        assert {options(boto, i, **where)["HttpTokens"] for i in ids(boto, **where)} == {"required"}


def test_a_missing_role_or_a_denied_region_fails_its_own_child_alone(
    simulated_aws: Any, boto: MakeClient
) -> None:
    aws = simulated_aws(
        account(OWN, REGION % ("eu-west-1", 2), REGION % ("eu-central-1", 2))
        + "[[account.region]]\nname = 'us-east-1'\ndenied = true\n"
        + account(OTHER, REGION % ("eu-west-1", 2), more='automation_role = "another"')
    )
    rows = [
        {
            "Accounts": [OWN, OTHER],
            "Regions": ["eu-west-1"],
            "TargetLocationMaxConcurrency": "2",
            "TargetLocationMaxErrors": "100%",
        },
        {"Accounts": [OWN], "Regions": ["us-east-1"], "TargetLocationMaxErrors": "100%"},
    ]
    execution = start(
        boto,
        Parameters=STANDARD,
        TargetParameterName="InstanceId",
        Targets=[{"Key": "tag:env", "Values": ["dev"]}],
        TargetLocations=rows,
    )
    wait(aws)
    found = {s["StepName"]: s for s in get(boto, execution)["StepExecutions"]}
    assert found[f"{OWN}_eu-west-1"]["StepStatus"] == "Success"
    assert "there is no role" in found[f"{OTHER}_eu-west-1"]["FailureMessage"]
    assert "us-east-1" in found[f"{OWN}_us-east-1"]["FailureMessage"]
    (failed,) = children(boto, execution, account=OTHER)
    assert failed["AutomationExecutionStatus"] == "Failed"
    untouched = ids(boto, account=OTHER)
    assert {options(boto, i, account=OTHER)["HttpTokens"] for i in untouched} == {"optional"}
