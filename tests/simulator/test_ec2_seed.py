"""A fleet file's images, templates, defaults and instances, as AWS clients see them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

FLEET = """
history_days = 30
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"
defaults = { http_tokens = "optional", http_put_response_hop_limit = 2, managed_by = "account" }

[[account.region.image]]
name = "golden"
imds_support = "v2.0"

[[account.region.launch_template]]
name = "web"
default = 2
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }
[[account.region.launch_template.version]]
user_data = "#!/bin/sh"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "required", http_put_response_hop_limit = 3 }

[[account.region.instance]]
name = "db"
count = 2
image = "golden"
launched_days_ago = 400
booted_days_ago = 2
tags = { tier = "0" }
software = ["amazon-ssm-agent 2.3.612.0"]
callers = [{ program = "backup", behaviour = "v1-only", when = "nightly" }]

[[account.region.instance]]
name = "old"
options = { http_tokens = "required" }
state = "stopped"
launched_days_ago = 200
stopped_days_ago = 90

[[account]]
id = "222222222222"

[[account.region]]
name = "us-east-1"
defaults = { http_tokens = "required", http_tokens_enforced = "enabled" }

[[account.region.instance]]
name = "legacy"
options = { http_tokens = "optional" }
"""

START = datetime(2026, 11, 1, tzinfo=UTC)

StartAws = Callable[..., Any]
MakeClient = Callable[..., Any]


@pytest.fixture
def aws(simulated_aws: StartAws) -> Any:
    return simulated_aws(FLEET)


def instances(ec2: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
            found[tags["Name"]] = {**instance, "Tags": tags}
    return found


def test_images_and_templates_are_there(aws: Any, boto: MakeClient) -> None:
    assert aws
    ec2 = boto("ec2")
    (golden,) = ec2.describe_images(Filters=[{"Name": "name", "Values": ["golden"]}])["Images"]
    assert golden["ImdsSupport"] == "v2.0"
    assert golden["OwnerId"] == "111111111111"
    answer = ec2.describe_launch_template_versions(LaunchTemplateName="web")
    rows = {row["VersionNumber"]: row for row in answer["LaunchTemplateVersions"]}
    assert [number for number, row in rows.items() if row["DefaultVersion"]] == [2]
    assert {number: row["LaunchTemplateData"] for number, row in rows.items()} == {
        1: {"ImageId": golden["ImageId"], "MetadataOptions": {"HttpTokens": "optional"}},
        2: {"UserData": "IyEvYmluL3No"},
        3: {
            "ImageId": golden["ImageId"],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 3},
        },
    }


def test_instances_have_their_past(aws: Any, boto: MakeClient) -> None:
    found = instances(boto("ec2"))
    assert sorted(found) == ["db-1", "db-2", "old"]
    one = found["db-1"]
    assert one["Tags"] == {"Name": "db-1", "tier": "0"}
    assert one["LaunchTime"] == START - timedelta(days=2)
    life = aws.world.lives[one["InstanceId"]]
    assert life.launched_at == START - timedelta(days=400)
    assert life.recorded_from == START - timedelta(days=30)
    assert life.name == "db-1"
    assert [caller.program for caller in life.callers] == ["backup"]
    assert life.software == ("amazon-ssm-agent 2.3.612.0",)
    assert found["old"]["State"]["Name"] == "stopped"
    (run,) = aws.world.lives[found["old"]["InstanceId"]].runs
    assert run == (START - timedelta(days=200), START - timedelta(days=90))


def test_what_an_instance_does_not_say_is_resolved(aws: Any, boto: MakeClient) -> None:
    assert aws
    found = instances(boto("ec2"))
    # The account's "optional" and 2 beat the image's "required".
    assert found["db-1"]["MetadataOptions"]["HttpTokens"] == "optional"
    assert found["db-1"]["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert found["old"]["MetadataOptions"]["HttpTokens"] == "required"


def test_another_account_is_another_world(aws: Any, boto: MakeClient) -> None:
    assert aws
    ec2 = boto("ec2", "us-east-1", account="222222222222")
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {
        "HttpTokens": "required",
        "HttpTokensEnforced": "enabled",
        "ManagedBy": "account",
    }
    # It was launched before tokens were enforced.
    assert instances(ec2)["legacy"]["MetadataOptions"]["HttpTokens"] == "optional"
    assert instances(boto("ec2", "us-east-1")) == {}
