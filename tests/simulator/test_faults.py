"""Faults and budgets, as an unmodified boto3 client meets them."""

import time
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from conftest import MakeClient, StartAws

FLEET = """
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.image]]
name = "golden"

[[account.region.launch_template]]
name = "web"

[[account.region.launch_template.version]]
image = "golden"

[[account.region.instance]]
name = "db"

[[account.region]]
name = "eu-west-2"
"""


def refusal(call: Any, **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as problem:
        call(**parameters)
    response = problem.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("fault", "service", "operation", "expected"),
    [
        ("throttle", "ec2", "describe_instances", ("RequestLimitExceeded", 503)),
        ("throttle", "autoscaling", "describe_auto_scaling_groups", ("Throttling", 400)),
        ("throttle", "cloudwatch", "list_metrics", ("Throttling", 400)),
        ("throttle", "ssm", "describe_parameters", ("ThrottlingException", 400)),
        ("500", "ec2", "describe_instances", ("InternalError", 500)),
        ("503", "autoscaling", "describe_auto_scaling_groups", ("ServiceUnavailable", 503)),
        ("denied", "ec2", "describe_instances", ("UnauthorizedOperation", 403)),
        ("denied", "ssm", "describe_parameters", ("AccessDeniedException", 400)),
        ("expired", "ec2", "describe_instances", ("RequestExpired", 400)),
        ("expired", "sts", "get_caller_identity", ("ExpiredToken", 403)),
    ],
)
def test_a_fault_is_the_services_own_error(
    simulated_aws: StartAws,
    boto: MakeClient,
    fault: str,
    service: str,
    operation: str,
    expected: tuple[str, int],
) -> None:
    aws = simulated_aws(FLEET)
    name = "".join(word.capitalize() for word in operation.split("_"))
    aws.control("faults", [{"operation": name, "fault": fault}])
    call = getattr(boto(service), operation)
    assert refusal(call) == expected
    aws.control("faults", [])
    call()


def test_after_and_times_choose_the_calls(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws, seen = simulated_aws(FLEET), []
    aws.control(
        "faults",
        [{"operation": "DescribeInstances", "fault": "throttle", "after": 2, "times": 3}],
    )
    ec2 = boto("ec2")
    for _ in range(7):
        try:
            ec2.describe_instances()
            seen.append("ok")
        except ClientError:
            seen.append("throttled")
    assert seen == ["ok", "ok", "throttled", "throttled", "throttled", "ok", "ok"]


def test_a_fault_keeps_to_its_region_and_account(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws = simulated_aws(FLEET)
    aws.control(
        "faults",
        [
            {"operation": "DescribeInstances", "fault": "denied", "region": "eu-west-2"},
            {"operation": "DescribeInstances", "fault": "500", "account": "222222222222"},
        ],
    )
    boto("ec2", "eu-west-1").describe_instances()
    call = boto("ec2", "eu-west-2").describe_instances
    assert refusal(call) == ("UnauthorizedOperation", 403)


def test_a_lost_response_is_a_call_that_happened(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws = simulated_aws(FLEET)
    operation = "CreateLaunchTemplateVersion"
    aws.control("faults", [{"operation": operation, "fault": "lost-response", "times": 1}])
    ec2 = boto("ec2")
    with pytest.raises(ConnectionClosedError):
        ec2.create_launch_template_version(
            LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "m5.large"}
        )
    found = ec2.describe_launch_template_versions(LaunchTemplateName="web")
    assert len(found["LaunchTemplateVersions"]) == 2


def test_a_duplicated_call_happens_twice(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws = simulated_aws(FLEET)
    aws.control("faults", [{"operation": "RebootInstances", "fault": "duplicated", "times": 1}])
    target = next(key for key, life in aws.world.lives.items() if life.name == "db")
    boots = len(aws.world.lives[target].boots)
    boto("ec2").reboot_instances(InstanceIds=[target])
    assert len(aws.world.lives[target].boots) == boots + 2


def test_a_timeout_answers_nothing_and_does_nothing(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    aws.control(
        "faults",
        [
            {"operation": "DescribeInstances", "fault": "timeout", "seconds": 0.1, "times": 1},
            {"operation": "CreateLaunchTemplateVersion", "fault": "timeout", "seconds": 5},
        ],
    )
    ec2 = boto("ec2", read_timeout=0.4)
    with pytest.raises(ConnectionClosedError):
        ec2.describe_instances()
    with pytest.raises(ReadTimeoutError):
        ec2.create_launch_template_version(
            LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "m5.large"}
        )
    found = boto("ec2").describe_launch_template_versions(LaunchTemplateName="web")
    assert len(found["LaunchTemplateVersions"]) == 1


def test_slow_is_slow_and_does_not_hold_up_others(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    aws.control("faults", [{"operation": "DescribeInstances", "fault": "slow", "seconds": 0.3}])
    started = time.monotonic()
    found = boto("ec2").describe_instances()
    assert time.monotonic() - started >= 0.3
    assert len(found["Reservations"]) == 1


def test_garbled_xml_has_status_200(simulated_aws: StartAws, boto: MakeClient) -> None:
    aws = simulated_aws(FLEET)
    aws.control("faults", [{"operation": "*", "fault": "garbled"}])
    with pytest.raises(ResponseParserError):
        boto("ec2").describe_instances()


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"operation": "X"}, "expected a list"),
        ([1], "fault 1: expected an object"),
        ([{"fault": "500"}], "fault 1: operation"),
        ([{"operation": "X", "fault": "slwo"}], "fault 1: fault must be one of"),
        ([{"operation": "X", "fault": "500", "tims": 3}], "unknown key 'tims'"),
        ([{"operation": "X", "fault": "500", "times": -1}], "times must be a whole number"),
        ([{"operation": "X", "fault": "500", "after": True}], "after must be a whole number"),
        ([{"operation": "X", "fault": "slow", "seconds": "9"}], "seconds must be a number"),
        ([{"operation": "X", "fault": "500", "region": 3}], "region must be a string"),
    ],
)
def test_faults_that_make_no_sense_are_refused(
    simulated_aws: StartAws, faults: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        simulated_aws(FLEET).control("faults", faults)


def test_budgets_are_the_published_buckets_in_simulated_time(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws, ec2 = simulated_aws(FLEET), boto("ec2")
    aws.control("budgets", {"enforce": True})
    for _ in range(2):
        ec2.modify_instance_metadata_defaults(HttpTokens="required")
    # 2 tokens, 2 more a second: this machine is fast enough that a third is not there yet.
    change = ec2.modify_instance_metadata_defaults
    errors: list[str] = []
    while not errors:
        try:
            change(HttpTokens="required")
        except ClientError as problem:
            errors.append(problem.response["Error"]["Code"])
    assert errors == ["RequestLimitExceeded"]
    boto("ec2", "eu-west-2").modify_instance_metadata_defaults(HttpTokens="required")
    aws.control("clock", {"advance_seconds": 1})
    change(HttpTokens="required")
    row = next(
        r
        for r in aws.control("calls")["calls"]
        if (r["operation"], r["region"]) == ("ModifyInstanceMetadataDefaults", "eu-west-1")
    )
    assert row["throttled"] == 1
    assert row["count"] >= 4
    aws.control("budgets", {"enforce": False})
    for _ in range(5):
        change(HttpTokens="required")
