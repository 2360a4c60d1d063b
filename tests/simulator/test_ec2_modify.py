"""ModifyInstanceMetadataOptions and the account defaults, over the wire."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

FLEET = """
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.instance]]
name = "db"
options = { http_put_response_hop_limit = 3, instance_metadata_tags = "enabled" }

[[account.region.instance]]
name = "asleep"
state = "stopped"
launched_days_ago = 100
stopped_days_ago = 10

[[account.region.instance]]
name = "dark"
options = { http_endpoint = "disabled", http_tokens = "optional" }

[[account.region.instance]]
name = "auto-mode"
operator = "eks.amazonaws.com"

[[account.region]]
name = "us-east-1"
defaults = { http_tokens = "required", managed_by = "declarative-policy", managed_exception_message = "ask cloud-platform" }
"""  # noqa: E501 - a line of TOML

StartAws = Callable[..., Any]
MakeClient = Callable[..., Any]


@pytest.fixture
def aws(simulated_aws: StartAws) -> Any:
    return simulated_aws(FLEET)


@pytest.fixture
def ec2(aws: Any, boto: MakeClient) -> Any:
    assert aws
    return boto("ec2")


def named(ec2: Any, name: str) -> dict[str, Any]:
    answer = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
    (instance,) = [i for r in answer["Reservations"] for i in r["Instances"]]
    found: dict[str, Any] = instance
    return found


def options(ec2: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = named(ec2, name)["MetadataOptions"]
    return found


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    answer = refused.value.response
    return (
        answer["Error"]["Code"],
        answer["Error"]["Message"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
    )


def test_members_left_out_keep_their_value(ec2: Any) -> None:
    before = options(ec2, "db")
    reply = ec2.modify_instance_metadata_options(
        InstanceId=named(ec2, "db")["InstanceId"], HttpTokens="required"
    )
    expected = {**before, "HttpTokens": "required", "State": "pending"}
    assert before["HttpPutResponseHopLimit"] == 3
    assert reply["InstanceMetadataOptions"] == expected
    assert options(ec2, "db") == expected


def test_pending_becomes_applied_two_seconds_later(ec2: Any, aws: Any) -> None:
    ec2.modify_instance_metadata_options(
        InstanceId=named(ec2, "db")["InstanceId"], HttpPutResponseHopLimit=5
    )
    assert options(ec2, "db")["State"] == "pending"
    aws.control("clock", {"advance_seconds": 2})
    assert options(ec2, "db")["State"] == "applied"
    assert options(ec2, "db")["HttpPutResponseHopLimit"] == 5


def test_a_stopped_instance_stays_pending_until_it_is_started(ec2: Any, aws: Any) -> None:
    instance_id = named(ec2, "asleep")["InstanceId"]
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="required")
    aws.control("clock", {"advance_seconds": 86400})
    assert options(ec2, "asleep")["State"] == "pending"
    ec2.start_instances(InstanceIds=[instance_id])
    aws.control("clock", {"advance_seconds": 3})
    assert options(ec2, "asleep")["State"] == "applied"
    assert options(ec2, "asleep")["HttpTokens"] == "required"


def test_a_change_is_part_of_the_instances_life_at_once(ec2: Any, aws: Any) -> None:
    instance_id = named(ec2, "db")["InstanceId"]
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="required")
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="required")
    history = [options.http_tokens for _, options in aws.world.lives[instance_id].options]
    assert history == ["optional", "required"]


def test_a_dry_run_changes_nothing(ec2: Any) -> None:
    before = options(ec2, "db")
    code, _, status = refusal(
        ec2.modify_instance_metadata_options,
        InstanceId=named(ec2, "db")["InstanceId"],
        HttpTokens="required",
        DryRun=True,
    )
    assert (code, status) == ("DryRunOperation", 412)
    assert options(ec2, "db") == before


@pytest.mark.parametrize(
    ("instance_id", "expected"),
    [
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ("i-12345678", "InvalidInstanceID.NotFound"),
        ("i-xyz", "InvalidInstanceID.Malformed"),
        ("db", "InvalidInstanceID.Malformed"),
    ],
)
def test_an_instance_that_is_not_there(ec2: Any, instance_id: str, expected: str) -> None:
    code, message, _ = refusal(
        ec2.modify_instance_metadata_options, InstanceId=instance_id, HttpTokens="required"
    )
    assert code == expected
    assert instance_id in message


def test_a_terminated_instance_cannot_be_changed(ec2: Any) -> None:
    instance_id = named(ec2, "db")["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    code, _, _ = refusal(
        ec2.modify_instance_metadata_options, InstanceId=instance_id, HttpTokens="required"
    )
    assert code == "IncorrectInstanceState"


def test_a_service_managed_instance_cannot_be_changed(ec2: Any) -> None:
    instance = named(ec2, "auto-mode")
    code, message, _ = refusal(
        ec2.modify_instance_metadata_options,
        InstanceId=instance["InstanceId"],
        HttpTokens="required",
    )
    assert code == "OperationNotPermitted"
    assert "eks.amazonaws.com" in message
    assert instance["Operator"] == {
        "Managed": True,
        "Principal": "eks.amazonaws.com",
        "HiddenByDefault": False,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"HttpTokens": "maybe"},
        {"HttpPutResponseHopLimit": 0},
        {"HttpPutResponseHopLimit": 65},
        {"HttpEndpoint": ""},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(ec2: Any, change: dict[str, Any]) -> None:
    before = options(ec2, "db")
    code, message, status = refusal(
        ec2.modify_instance_metadata_options,
        InstanceId=named(ec2, "db")["InstanceId"],
        **change,
    )
    assert (code, status) == ("InvalidParameterValue", 400)
    assert next(iter(change)) in message
    assert options(ec2, "db") == before


def test_tokens_need_the_endpoint_to_be_enabled(ec2: Any) -> None:
    instance_id = named(ec2, "dark")["InstanceId"]
    code, message, _ = refusal(
        ec2.modify_instance_metadata_options, InstanceId=instance_id, HttpTokens="required"
    )
    assert code == "InvalidParameterCombination"
    assert "HttpEndpoint" in message
    ec2.modify_instance_metadata_options(
        InstanceId=instance_id, HttpTokens="required", HttpEndpoint="enabled"
    )
    assert options(ec2, "dark")["HttpTokens"] == "required"


def test_switching_the_endpoint_off_keeps_the_rest(ec2: Any) -> None:
    instance_id = named(ec2, "db")["InstanceId"]
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpEndpoint="disabled")
    after = options(ec2, "db")
    assert (after["HttpEndpoint"], after["HttpPutResponseHopLimit"]) == ("disabled", 3)


def test_enforcement_forbids_the_way_back_and_only_that(ec2: Any) -> None:
    instance_id = named(ec2, "db")["InstanceId"]
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    # It is optional already, so that it stays so is no way back.
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="optional")
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="required")
    code, message, _ = refusal(
        ec2.modify_instance_metadata_options, InstanceId=instance_id, HttpTokens="optional"
    )
    assert code == "UnsupportedOperation"
    assert message.startswith("You can't launch instances with IMDSv1 because httpTokensEnforced")
    assert options(ec2, "db")["HttpTokens"] == "required"
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="disabled")
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="optional")
    assert options(ec2, "db")["HttpTokens"] == "optional"


def test_metadata_tags_need_keys_that_are_paths(ec2: Any) -> None:
    instance_id = named(ec2, "asleep")["InstanceId"]
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "cost centre", "Value": "1"}])
    code, message, _ = refusal(
        ec2.modify_instance_metadata_options,
        InstanceId=instance_id,
        InstanceMetadataTags="enabled",
    )
    assert code == "InvalidParameterValue"
    assert "cost centre" in message
    # And the other way round: "db" has them enabled.
    code, _, _ = refusal(
        ec2.create_tags,
        Resources=[named(ec2, "db")["InstanceId"]],
        Tags=[{"Key": "a/b", "Value": "1"}],
    )
    assert code == "InvalidParameterValue"


def test_defaults_without_a_preference_are_absent(ec2: Any) -> None:
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {}
    ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=2)
    ec2.modify_instance_metadata_defaults(HttpEndpoint="enabled")
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
        "HttpEndpoint": "enabled",
        "ManagedBy": "account",
    }
    ec2.modify_instance_metadata_defaults(
        HttpTokens="no-preference", HttpPutResponseHopLimit=-1, HttpEndpoint="no-preference"
    )
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {}


def test_defaults_are_each_regions_own(ec2: Any, boto: MakeClient) -> None:
    ec2.modify_instance_metadata_defaults(HttpTokens="optional")
    assert boto("ec2", "us-east-1").get_instance_metadata_defaults()["AccountLevel"] == {
        "HttpTokens": "required",
        "ManagedBy": "declarative-policy",
        "ManagedExceptionMessage": "ask cloud-platform",
    }


def test_defaults_of_a_declarative_policy_cannot_be_changed(aws: Any, boto: MakeClient) -> None:
    assert aws
    client = boto("ec2", "us-east-1")
    code, message, _ = refusal(client.modify_instance_metadata_defaults, HttpTokens="optional")
    assert (code, "ask cloud-platform" in message) == ("DeclarativePolicyViolation", True)
    level = client.get_instance_metadata_defaults()["AccountLevel"]
    assert level["HttpTokens"] == "required"


def test_a_dry_run_of_the_defaults_changes_nothing(ec2: Any) -> None:
    code, _, status = refusal(
        ec2.modify_instance_metadata_defaults, HttpTokens="required", DryRun=True
    )
    assert (code, status) == ("DryRunOperation", 412)
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {}


def test_changing_the_defaults_changes_no_instance(ec2: Any) -> None:
    before = options(ec2, "db")
    ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=2)
    assert options(ec2, "db") == before
