"""Births, restarts and deaths of instances, over the wire."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imdsctl.simulator.ec2.launch import launch, terminate
from imdsctl.simulator.life import Caller, Options

FLEET = """
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.image]]
name = "v2"
imds_support = "v2.0"

[[account.region.image]]
name = "plain"
"""

START = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT, REGION = "111111111111", "eu-west-1"

StartAws = Callable[..., Any]
MakeClient = Callable[..., Any]


@pytest.fixture
def aws(simulated_aws: StartAws) -> Any:
    return simulated_aws(FLEET)


@pytest.fixture
def ec2(aws: Any, boto: MakeClient) -> Any:
    assert aws
    return boto("ec2")


@pytest.fixture
def images(ec2: Any) -> dict[str, str]:
    found = ec2.describe_images(Owners=["self"])["Images"]
    return {image["Name"]: image["ImageId"] for image in found}


def run(ec2: Any, image: str | None = None, **arguments: Any) -> dict[str, Any]:
    given = {"ImageId": image} if image else {}
    answer = ec2.run_instances(MinCount=1, MaxCount=1, **given, **arguments)
    instance: dict[str, Any] = answer["Instances"][0]
    return instance


def born_with(ec2: Any, image: str | None = None, **arguments: Any) -> tuple[str, int]:
    born = run(ec2, image, **arguments)["MetadataOptions"]
    return born["HttpTokens"], born["HttpPutResponseHopLimit"]


def look(ec2: Any, instance_id: str) -> dict[str, Any]:
    (reservation,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    instance: dict[str, Any] = reservation["Instances"][0]
    return instance


def template(ec2: Any, name: str, **data: Any) -> None:
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)


def test_each_option_comes_from_its_own_level(ec2: Any, images: dict[str, str]) -> None:
    v2, plain = images["v2"], images["plain"]
    assert born_with(ec2, plain) == ("optional", 1)
    assert born_with(ec2, v2) == ("required", 2)
    ec2.modify_instance_metadata_defaults(HttpPutResponseHopLimit=1)
    assert born_with(ec2, v2) == ("required", 1)
    ec2.modify_instance_metadata_defaults(HttpTokens="optional", HttpPutResponseHopLimit=-1)
    assert born_with(ec2, v2) == ("optional", 2)
    template(ec2, "web", ImageId=v2, MetadataOptions={"HttpPutResponseHopLimit": 3})
    by_template: dict[str, Any] = {"LaunchTemplate": {"LaunchTemplateName": "web"}}
    assert born_with(ec2, **by_template) == ("optional", 3)
    assert born_with(ec2, **by_template, MetadataOptions={"HttpTokens": "required"}) == (
        "required",
        3,
    )
    # An image given with the launch takes the template's place.
    assert born_with(ec2, plain, **by_template) == ("optional", 3)


def test_enforcement_is_judged_on_the_result(ec2: Any, images: dict[str, str]) -> None:
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    before = len(ec2.describe_instances()["Reservations"])
    with pytest.raises(ClientError, match=r"UnsupportedOperation.*httpTokensEnforced"):
        run(ec2, images["plain"])
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        run(ec2, images["v2"], MetadataOptions={"HttpTokens": "optional"})
    assert len(ec2.describe_instances()["Reservations"]) == before
    assert born_with(ec2, images["v2"]) == ("required", 2)
    ec2.modify_instance_metadata_defaults(HttpTokens="required")
    assert born_with(ec2, images["plain"]) == ("required", 1)


def test_a_template_is_found_by_id_and_name_and_any_kind_of_version(ec2: Any) -> None:
    template(ec2, "web", ImageId="ami-1", InstanceType="c5.large")
    (made,) = ec2.describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"]
    identity = made["LaunchTemplateId"]
    ec2.create_launch_template_version(
        LaunchTemplateId=identity,
        SourceVersion="1",
        LaunchTemplateData={"MetadataOptions": {"HttpTokens": "required"}},
    )
    asked = {
        "1": {"LaunchTemplateId": identity},
        "$Default": {"LaunchTemplateName": "web"},
        "$Latest": {"LaunchTemplateName": "web"},
        "2": {"LaunchTemplateId": identity},
    }
    found = {}
    for version, spec in asked.items():
        instance = run(ec2, LaunchTemplate={**spec, "Version": version})
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert tags["aws:ec2launchtemplate:id"] == identity
        assert instance["InstanceType"] == "c5.large"
        found[version] = (
            tags["aws:ec2launchtemplate:version"],
            instance["MetadataOptions"]["HttpTokens"],
        )
    assert found == {
        "1": ("1", "optional"),
        "$Default": ("1", "optional"),
        "$Latest": ("2", "required"),
        "2": ("2", "required"),
    }
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId.VersionNotFound"):
        run(ec2, LaunchTemplate={"LaunchTemplateName": "web", "Version": "3"})


def test_values_of_a_launch_are_checked(ec2: Any) -> None:
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*HttpTokens"):
        run(ec2, "ami-1", MetadataOptions={"HttpTokens": "v2"})
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*not a valid tag key"):
        run(
            ec2,
            "ami-1",
            MetadataOptions={"InstanceMetadataTags": "enabled"},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a b", "Value": ""}]}],
        )
    with pytest.raises(ClientError, match=r"MissingParameter.*ImageId"):
        run(ec2)
    with pytest.raises(ClientError, match="DryRunOperation"):
        run(ec2, "ami-1", DryRun=True)
    assert ec2.describe_instances()["Reservations"] == []


def test_a_launch_gives_as_many_as_were_asked_for_and_once(ec2: Any) -> None:
    ask = {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 3, "ClientToken": "once"}
    first = ec2.run_instances(**ask)
    again = ec2.run_instances(**ask)
    ids = [instance["InstanceId"] for instance in first["Instances"]]
    assert len(ids) == 3
    assert [instance["InstanceId"] for instance in again["Instances"]] == ids
    (reservation,) = ec2.describe_instances()["Reservations"]
    assert len(reservation["Instances"]) == 3
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ec2.run_instances(**{**ask, "MaxCount": 2})


def test_a_launch_is_pending_at_first(ec2: Any, aws: Any) -> None:
    born = run(ec2, "ami-1")
    assert born["State"]["Name"] == "pending"
    assert born["MetadataOptions"]["State"] == "pending"
    assert abs(born["LaunchTime"] - aws.world.now) < timedelta(seconds=5)
    aws.control("clock", {"advance_seconds": 5})
    seen = look(ec2, born["InstanceId"])
    assert seen["State"]["Name"] == "running"
    assert seen["MetadataOptions"]["State"] == "applied"


def test_a_tag_brings_programs_to_life(ec2: Any, aws: Any) -> None:
    callers = [{"program": "app", "behaviour": "v1-only", "per_hour": 60}]
    tag = {"Key": "imdsctl:callers", "Value": json.dumps(callers)}
    specification = [{"ResourceType": "instance", "Tags": [tag]}]
    born = run(ec2, "ami-1", TagSpecifications=specification)
    assert aws.world.lives[born["InstanceId"]].callers == (
        Caller("app", behaviour="v1-only", per_hour=60),
    )
    tag["Value"] = '[{"program": "app", "behaviour": "v3"}]'
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*behaviour 'v3'"):
        run(ec2, "ami-1", TagSpecifications=specification)
    tag["Value"] = '[{"name": "app"}]'
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*program"):
        run(ec2, "ami-1", TagSpecifications=specification)


def test_stop_and_start_move_the_launch_time_and_a_reboot_does_not(ec2: Any, aws: Any) -> None:
    instance_id = run(ec2, "ami-1")["InstanceId"]
    first = look(ec2, instance_id)["LaunchTime"]
    aws.control("clock", {"advance_seconds": 3600})
    ec2.reboot_instances(InstanceIds=[instance_id])
    assert look(ec2, instance_id)["LaunchTime"] == first
    ec2.stop_instances(InstanceIds=[instance_id])
    assert look(ec2, instance_id)["State"]["Name"] == "stopped"
    aws.control("clock", {"advance_seconds": 3600})
    ec2.start_instances(InstanceIds=[instance_id])
    seen = look(ec2, instance_id)
    assert timedelta(hours=2) <= seen["LaunchTime"] - first < timedelta(hours=2, seconds=30)
    # The primary interface remembers the first launch.
    assert seen["NetworkInterfaces"][0]["Attachment"]["AttachTime"] == first
    life = aws.world.lives[instance_id]
    hours = [
        (round((start - life.launched_at) / timedelta(hours=1)), end is None)
        for start, end in life.runs
    ]
    assert hours == [(0, False), (2, True)]
    assert len(life.boots) == 3


def test_stopping_starting_and_terminating_twice_changes_nothing(ec2: Any, aws: Any) -> None:
    instance_id = run(ec2, "ami-1")["InstanceId"]
    life = aws.world.lives[instance_id]
    ec2.start_instances(InstanceIds=[instance_id])
    assert len(life.runs) == len(life.boots) == 1
    for _ in range(2):
        ec2.stop_instances(InstanceIds=[instance_id])
    assert len(life.runs) == 1
    for _ in range(2):
        answer = ec2.terminate_instances(InstanceIds=[instance_id])
    assert answer["TerminatingInstances"][0]["PreviousState"]["Name"] == "terminated"
    assert life.terminated_at is not None


def test_a_terminated_instance_does_not_come_back(ec2: Any) -> None:
    instance_id = run(ec2, "ami-1")["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    for call in (ec2.start_instances, ec2.stop_instances, ec2.reboot_instances):
        with pytest.raises(ClientError, match="IncorrectInstanceState"):
            call(InstanceIds=[instance_id])
    with pytest.raises(ClientError, match=r"InvalidInstanceID.NotFound"):
        ec2.stop_instances(InstanceIds=["i-0123456789abcdef0"])
    with pytest.raises(ClientError, match=r"InvalidInstanceID.Malformed"):
        ec2.terminate_instances(InstanceIds=["web-1"])


def test_moto_knows_the_new_instances_parts(ec2: Any, aws: Any) -> None:
    """Copies of moto's own objects must be whole enough for the calls that moto answers."""
    with aws.world.lock:
        one, two = launch(ACCOUNT, REGION, image_id="ami-1", count=2)
    nics = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert {nic["Attachment"]["InstanceId"] for nic in nics} == {one, two}
    ec2.modify_instance_attribute(InstanceId=one, InstanceType={"Value": "c5.large"})
    assert look(ec2, one)["InstanceType"] == "c5.large"
    assert look(ec2, two)["InstanceType"] == "m5.large"
    ec2.create_tags(Resources=[one], Tags=[{"Key": "a", "Value": "b"}])
    (tag,) = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [one]}])["Tags"]
    assert (tag["Key"], tag["Value"]) == ("a", "b")
    ec2.delete_tags(Resources=[one], Tags=[{"Key": "a"}])
    assert "Tags" not in look(ec2, one)
    ec2.terminate_instances(InstanceIds=[one])
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert volume["Attachments"][0]["InstanceId"] == two
    (nic,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert nic["Attachment"]["InstanceId"] == two


def test_launch_gives_instances_a_past(ec2: Any, aws: Any) -> None:
    with aws.world.lock:
        ids = launch(
            ACCOUNT,
            REGION,
            image_id="ami-1",
            options={"http_tokens": "required"},
            count=2,
            name=["a", "b"],
            launched_at=START - timedelta(days=30),
            booted_at=START - timedelta(days=4),
            iam_instance_profile="app",
        )
    seen = look(ec2, ids[1])
    assert seen["LaunchTime"] == START - timedelta(days=4)
    assert seen["NetworkInterfaces"][0]["Attachment"]["AttachTime"] == START - timedelta(days=30)
    assert seen["MetadataOptions"]["HttpTokens"] == "required"
    assert seen["MetadataOptions"]["State"] == "applied"
    assert seen["IamInstanceProfile"]["Arn"].endswith(":instance-profile/app")
    assert seen["Tags"] == [{"Key": "Name", "Value": "b"}]
    life = aws.world.lives[ids[1]]
    assert life.boots == [START - timedelta(days=30), START - timedelta(days=4)]
    assert life.runs[-1] == (START - timedelta(days=4), None)


def test_instances_of_the_past_were_before_enforcement(ec2: Any, aws: Any) -> None:
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    with aws.world.lock:
        launch(ACCOUNT, REGION, image_id="ami-1", launched_at=START - timedelta(days=1))
        with pytest.raises(Exception, match="httpTokensEnforced"):
            launch(ACCOUNT, REGION, image_id="ami-1")


def test_a_history_of_options_ends_with_those_of_today(ec2: Any, aws: Any) -> None:
    past = [
        (START - timedelta(days=9), Options()),
        (START - timedelta(days=2), Options("required", 2)),
    ]
    with aws.world.lock:
        (one,) = launch(
            ACCOUNT,
            REGION,
            image_id="ami-1",
            launched_at=START - timedelta(days=9),
            history_options=past,
        )
    assert look(ec2, one)["MetadataOptions"]["HttpTokens"] == "required"
    assert aws.world.lives[one].options == past


def test_the_long_dead_leave_only_their_lives(ec2: Any, aws: Any) -> None:
    with aws.world.lock:
        (dead, dying) = (
            launch(
                ACCOUNT,
                REGION,
                image_id="ami-1",
                asg="fleet",
                launched_at=START - timedelta(days=3),
                terminated_at=START - ago,
            )[0]
            for ago in (timedelta(days=1), timedelta(minutes=30))
        )
    with pytest.raises(ClientError, match=r"InvalidInstanceID.NotFound"):
        look(ec2, dead)
    assert aws.world.lives[dead].runs == [(START - timedelta(days=3), START - timedelta(days=1))]
    assert look(ec2, dying)["State"]["Name"] == "terminated"
    aws.control("clock", {"advance_seconds": 1900})
    with pytest.raises(ClientError, match=r"InvalidInstanceID.NotFound"):
        look(ec2, dying)


def test_an_auto_scaling_launch_has_the_templates_and_the_groups_tags(ec2: Any, aws: Any) -> None:
    template(
        ec2,
        "web",
        ImageId="ami-7",
        UserData="IyEvYmluL3No",
        MetadataOptions={"HttpTokens": "required"},
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}
        ],
    )
    with aws.world.lock:
        (one,) = launch(
            ACCOUNT, REGION, template=("web", "$Latest"), asg="fleet", tags={"env": "x"}
        )
    seen = look(ec2, one)
    tags = {tag["Key"]: tag["Value"] for tag in seen["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "fleet"
    assert tags["aws:ec2launchtemplate:version"] == "1"
    assert (tags["from"], tags["env"]) == ("template", "x")
    assert (seen["ImageId"], seen["MetadataOptions"]["HttpTokens"]) == ("ami-7", "required")
    with aws.world.lock:
        terminate(ACCOUNT, REGION, [one])
    assert look(ec2, one)["State"]["Name"] == "terminated"
    assert aws.world.lives[one].runs[-1][1] is not None


def test_spot_requests_of_old_resolve_like_any_launch(ec2: Any, images: dict[str, str]) -> None:
    ec2.modify_instance_metadata_defaults(HttpTokens="required")
    ec2.request_spot_instances(
        InstanceCount=1,
        LaunchSpecification={"ImageId": images["plain"], "InstanceType": "m5.large"},
    )
    (one,) = ec2.describe_instances()["Reservations"][0]["Instances"]
    assert one["InstanceLifecycle"] == "spot"
    assert one["MetadataOptions"]["HttpTokens"] == "required"
