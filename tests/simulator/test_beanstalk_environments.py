"""Elastic Beanstalk environments by boto3: described, updated in batches, rolled back."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws

FLEET = """
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.launch_template]]
name = "lt"
[[account.region.launch_template.version]]
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.launch_configuration]]
name = "lc"
options = { http_tokens = "optional" }
[[account.region.auto_scaling_group]]
name = "awseb-shop"
launch_template = "lt"
version = "1"
size = 6
beanstalk_environment = "shop-prod"
beanstalk_application = "shop"
disable_imdsv1 = false
callers = [{ program = "register", behaviour = "v1-only", when = "boot" }]
[[account.region.auto_scaling_group]]
name = "awseb-mail"
launch_configuration = "lc"
size = 2
beanstalk_environment = "mail-prod"
"""
OPTION = {"Namespace": "aws:autoscaling:launchconfiguration", "OptionName": "DisableIMDSv1"}


def environment(eb: Any, name: str) -> dict[str, Any]:
    (found,) = eb.describe_environments(EnvironmentNames=[name])["Environments"]
    return dict(found)


def settings(eb: Any, application: str, name: str) -> dict[str, str | None]:
    """DisableIMDSv1 in each set of settings, by the set's deployment status."""
    sets = eb.describe_configuration_settings(ApplicationName=application, EnvironmentName=name)
    return {
        one["DeploymentStatus"]: next(
            o.get("Value") for o in one["OptionSettings"] if o["OptionName"] == "DisableIMDSv1"
        )
        for one in sets["ConfigurationSettings"]
    }


def group(asg: Any, name: str) -> dict[str, Any]:
    (found,) = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return dict(found)


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as problem:
        call(**parameters)
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def update(eb: Any, name: str, value: str = "true") -> None:
    eb.update_environment(EnvironmentName=name, OptionSettings=[{**OPTION, "Value": value}])


def test_a_group_carries_the_tags_of_its_environment(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    eb, asg = boto("elasticbeanstalk"), boto("autoscaling")
    tags = {t["Key"]: t["Value"] for t in group(asg, "awseb-shop")["Tags"]}
    found = environment(eb, "shop-prod")
    assert tags["elasticbeanstalk:environment-name"] == "shop-prod"
    assert tags["elasticbeanstalk:environment-id"] == found["EnvironmentId"]
    assert (found["Status"], found["Health"]) == ("Ready", "Green")
    assert environment(eb, "mail-prod")["ApplicationName"] == "mail-prod"
    assert eb.describe_environments(EnvironmentNames=["gone"])["Environments"] == []
    assert settings(eb, "shop", "shop-prod") == {"deployed": "false"}
    assert settings(eb, "mail-prod", "mail-prod") == {"deployed": None}


def test_an_environment_on_a_launch_configuration_moves_to_a_template_and_stays(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    eb, asg, ec2 = boto("elasticbeanstalk"), boto("autoscaling"), boto("ec2")
    update(eb, "mail-prod")
    assert environment(eb, "mail-prod")["Status"] == "Updating"
    assert environment(eb, "mail-prod")["AbortableOperationInProgress"] is True
    assert settings(eb, "mail-prod", "mail-prod") == {"deployed": None, "pending": "true"}
    aws.control("clock", {"advance_seconds": 3600})
    assert environment(eb, "mail-prod")["Status"] == "Ready"
    assert environment(eb, "mail-prod")["Health"] == "Green"
    assert settings(eb, "mail-prod", "mail-prod") == {"deployed": "true"}
    template = group(asg, "awseb-mail")["LaunchTemplate"]
    (version,) = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"] == "required"

    eb.update_environment(EnvironmentName="mail-prod", OptionsToRemove=[OPTION])
    aws.control("clock", {"advance_seconds": 3600})
    assert settings(eb, "mail-prod", "mail-prod") == {"deployed": None}
    assert group(asg, "awseb-mail")["LaunchTemplate"]["Version"] == "2"
    rows = aws.control("truth")["instances"].values()
    now = {r["options"]["http_tokens"] for r in rows if r["asg"] == "awseb-mail"}
    assert now == {"optional", "required"}
    running = {
        r["options"]["http_tokens"]
        for r in rows
        if r["asg"] == "awseb-mail" and r["state"] == "running"
    }
    assert running == {"optional"}


def test_a_batch_that_does_not_become_healthy_rolls_the_update_back_after_half_an_hour(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    eb, asg = boto("elasticbeanstalk"), boto("autoscaling")
    before = {i["InstanceId"] for i in group(asg, "awseb-shop")["Instances"]}
    update(eb, "shop-prod")
    aws.control("clock", {"advance_seconds": 1500})
    assert environment(eb, "shop-prod")["Status"] == "Updating"
    kept = before & {i["InstanceId"] for i in group(asg, "awseb-shop")["Instances"]}
    assert len(kept) == 4, "a third at a time"
    aws.control("clock", {"advance_seconds": 3600})
    assert environment(eb, "shop-prod")["Status"] == "Ready"
    assert environment(eb, "shop-prod")["Health"] == "Green"
    assert settings(eb, "shop", "shop-prod") == {"deployed": "false", "failed": "true"}
    assert group(asg, "awseb-shop")["LaunchTemplate"]["Version"] == "1"
    assert len(group(asg, "awseb-shop")["Instances"]) == 6
    said = [e["Message"] for e in eb.describe_events(EnvironmentName="shop-prod")["Events"]]
    assert said[0].startswith("Failed to deploy configuration.")
    assert said[-1] == "Environment update is starting."


def test_an_update_can_be_cancelled_until_its_clean_up(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    eb = boto("elasticbeanstalk")
    call = eb.abort_environment_update
    code, message = refused(call, EnvironmentName="mail-prod")
    assert code == "InvalidParameterValue"
    assert "abortable" in message
    update(eb, "mail-prod")
    aws.control("clock", {"advance_seconds": 60})
    call(EnvironmentName="mail-prod")
    assert environment(eb, "mail-prod")["Status"] == "Aborting"
    aws.control("clock", {"advance_seconds": 3600})
    assert settings(eb, "mail-prod", "mail-prod") == {"deployed": None, "failed": "true"}
    update(eb, "mail-prod")
    while environment(eb, "mail-prod")["AbortableOperationInProgress"]:
        aws.control("clock", {"advance_seconds": 10})
    assert environment(eb, "mail-prod")["Status"] == "Updating"
    assert refused(call, EnvironmentName="mail-prod")[0] == "InvalidParameterValue"


def test_what_makes_no_sense_is_refused(simulated_aws: StartAws, boto: MakeClient) -> None:
    simulated_aws(FLEET)
    eb = boto("elasticbeanstalk")
    call = eb.update_environment
    assert refused(call)[0] == "MissingRequiredParameter"
    assert refused(call, EnvironmentName="gone")[0] == "InvalidParameterValue"
    wrong = [{**OPTION, "OptionName": "DisableIMDSv7", "Value": "true"}]
    code, message = refused(call, EnvironmentName="shop-prod", OptionSettings=wrong)
    assert (code, "Unknown configuration setting" in message) == ("InvalidParameterValue", True)
    wrong = [{**OPTION, "Value": "yes"}]
    code, message = refused(call, EnvironmentName="shop-prod", OptionSettings=wrong)
    assert (code, "[true, false]" in message) == ("ConfigurationValidationException", True)
    update(eb, "shop-prod")
    code, message = refused(call, EnvironmentName="shop-prod", OptionSettings=[])
    assert code == "InvalidParameterValue"
    assert message == (
        "Environment named shop-prod is in an invalid state for this operation. Must be Ready."
    )


def test_an_update_that_changes_no_launch_setting_replaces_nobody(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    aws = simulated_aws(FLEET)
    eb, asg = boto("elasticbeanstalk"), boto("autoscaling")
    before = {i["InstanceId"] for i in group(asg, "awseb-shop")["Instances"]}
    update(eb, "shop-prod", "false")
    aws.control("clock", {"advance_seconds": 600})
    assert environment(eb, "shop-prod")["Status"] == "Ready"
    assert before == {i["InstanceId"] for i in group(asg, "awseb-shop")["Instances"]}
