"""Changes: one call each, sent as it must be, and an outcome that says what is certain."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import create_loader

from aws.scripted_aws import (
    CELL,
    ManualClock,
    Reply,
    ScriptedAws,
    error,
    query_error,
)
from imdsctl.aws.model import prune
from imdsctl.aws.wiring import Aws, connect
from imdsctl.model.evidence import Cell, TemplateSpec
from imdsctl.model.options import MetadataOptions
from imdsctl.ports import Done, Outcome, Refused, Throttled, Unanswered

OK = Reply("<Response><return>true</return></Response>")
V2 = MetadataOptions(http_tokens="required", http_put_response_hop_limit=2)
SPEC = TemplateSpec(id="lt-9", name="nine", version="4")


def asked(scripted: ScriptedAws, operation: str) -> dict[str, Any]:
    (only,) = [a.parameters for a in scripted.asked if a.operation == operation]
    return {k: v for k, v in only.items() if k not in {"Action", "Version"}}


def test_an_instance_is_sent_the_members_that_change_and_no_other(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers(
        "ModifyInstanceMetadataOptions",
        Reply(
            "<R><instanceId>i-1</instanceId><instanceMetadataOptions><state>pending</state>"
            "<httpTokens>required</httpTokens><httpEndpoint>enabled</httpEndpoint>"
            "</instanceMetadataOptions></R>"
        ),
    )
    outcome = aws.control.modify_instance(CELL, "i-1", {"http_tokens": "required"})
    assert asked(scripted, "ModifyInstanceMetadataOptions") == {
        "InstanceId": "i-1",
        "HttpTokens": "required",
    }
    assert outcome == Done(
        {"options": {"http_tokens": "required", "http_endpoint": "enabled", "state": "pending"}}
    )


@pytest.mark.parametrize("members", [{}, {"HttpTokens": "required"}, {"state": "applied"}])
def test_members_that_are_none_are_a_mistake(aws: Aws, members: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="members"):
        aws.control.modify_instance(CELL, "i-1", members)


FAULTS: dict[str, tuple[Reply, Outcome]] = {
    "refused": (
        error("UnsupportedOperation", 400, "enforced"),
        Refused("UnsupportedOperation", "enforced"),
    ),
    "gone": (error("InvalidInstanceID.NotFound"), Refused("InvalidInstanceID.NotFound", "no")),
    "denied": (error("UnauthorizedOperation", 403), Refused("UnauthorizedOperation", "no")),
    "throttled": (error("RequestLimitExceeded", 503), Throttled("RequestLimitExceeded", "no")),
    "internal": (error("InternalError", 500), Unanswered("InternalError: no")),
    "unavailable": (error("Unavailable", 503), Unanswered("Unavailable: no")),
    "gateway": (Reply("<html>Bad Gateway", 502), Unanswered("502: Bad Gateway")),
    "garbled": (
        Reply("<Response><return>tr"),
        Unanswered("ResponseParserError: the answer is garbled"),
    ),
    "dropped": (
        Reply(fault="drop"),
        Unanswered("ConnectionClosedError: the connection was closed before an answer came"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_change_is_made_once_and_its_failure_says_what_is_certain(
    aws: Aws, scripted: ScriptedAws, name: str
) -> None:
    fault, expected = FAULTS[name]
    scripted.answers("ModifyInstanceMetadataOptions", fault, OK)
    outcome = aws.control.modify_instance(CELL, "i-1", {"http_tokens": "required"})
    assert outcome == expected
    assert scripted.operations() == ["ModifyInstanceMetadataOptions"]


def test_an_answer_that_does_not_come_leaves_it_open(
    aws: Aws, scripted: ScriptedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.config import Config  # noqa: PLC0415 - only here

    config = Config(retries={"total_max_attempts": 1}, read_timeout=0.2)
    monkeypatch.setattr("imdsctl.aws.clients._CHANGING", config)
    scripted.answers("ModifyInstanceMetadataOptions", Reply(fault="hang"))
    outcome = aws.control.modify_instance(CELL, "i-1", {"http_tokens": "required"})
    assert outcome == Unanswered("ReadTimeoutError: no answer came in time")
    assert scripted.operations() == ["ModifyInstanceMetadataOptions"]


def test_a_role_that_cannot_be_assumed_is_a_refusal_not_a_doubt(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("AssumeRole", query_error("InternalFailure", 500))
    there = Cell("222222222222", "eu-west-1")
    outcome = aws.control.modify_instance(there, "i-1", {"http_tokens": "required"})
    assert isinstance(outcome, Refused)
    assert "ModifyInstanceMetadataOptions" not in scripted.operations()


def test_account_defaults_take_the_enforcement_too(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("ModifyInstanceMetadataDefaults", OK)
    members: dict[str, str | int] = {
        "http_tokens": "no-preference",
        "http_put_response_hop_limit": -1,
        "http_tokens_enforced": "enabled",
    }
    outcome = aws.control.set_account_defaults(CELL, members)
    assert outcome == Done()
    assert asked(scripted, "ModifyInstanceMetadataDefaults") == {
        "HttpTokens": "no-preference",
        "HttpPutResponseHopLimit": "-1",
        "HttpTokensEnforced": "enabled",
    }


def test_account_defaults_that_aws_did_not_set_are_refused(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("ModifyInstanceMetadataDefaults", Reply("<R><return>false</return></R>"))
    outcome = aws.control.set_account_defaults(CELL, {"http_tokens": "required"})
    assert isinstance(outcome, Refused)


def test_imds_support_is_set_on_the_image_and_nothing_else(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("ModifyImageAttribute", Reply("<R><return>true</return></R>"))
    assert aws.control.set_imds_support(CELL, "ami-1") == Done()
    assert asked(scripted, "ModifyImageAttribute") == {
        "ImageId": "ami-1",
        "ImdsSupport.Value": "v2.0",
    }


def test_an_older_botocore_is_not_sent_what_it_does_not_know(
    scripted: ScriptedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = create_loader().load_service_model("ec2", "service-2")
    prune("ec2", model)
    request = model["operations"]["ModifyInstanceMetadataDefaults"]["input"]["shape"]
    del model["shapes"][request]["members"]["HttpTokensEnforced"]
    folder = tmp_path / "ec2" / "2016-11-15"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    old = connect(role_name=None, clock=ManualClock())
    outcome = old.control.set_account_defaults(CELL, {"http_tokens_enforced": "enabled"})
    assert isinstance(outcome, Refused)
    assert "update botocore" in outcome.message
    assert "ModifyInstanceMetadataDefaults" not in {a.operation for a in scripted.asked}
    # What it does know goes through.
    scripted.answers("ModifyInstanceMetadataDefaults", Reply("<R><return>true</return></R>"))
    assert old.control.set_account_defaults(CELL, {"http_tokens": "required"}) == Done()


def _source(devices: str = "") -> Reply:
    return Reply(
        "<R><launchTemplateVersionSet><item><launchTemplateId>lt-1</launchTemplateId>"
        f"<versionNumber>3</versionNumber><launchTemplateData>{devices}<userData>c2VjcmV0</userData>"
        "</launchTemplateData></item></launchTemplateVersionSet></R>"
    )


CREATED = Reply(
    "<R><launchTemplateVersion><versionNumber>8</versionNumber></launchTemplateVersion></R>"
)


def test_a_template_version_says_the_options_whole_and_the_rest_by_its_source(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("DescribeLaunchTemplateVersions", _source())
    scripted.answers("CreateLaunchTemplateVersion", CREATED)
    outcome = aws.control.create_template_version(CELL, "lt-1", "3", V2, "token-1", "by imdsctl")
    assert outcome == Done({"version": "8"})
    assert asked(scripted, "CreateLaunchTemplateVersion") == {
        "LaunchTemplateId": "lt-1",
        "SourceVersion": "3",
        "ClientToken": "token-1",
        "VersionDescription": "by imdsctl",
        "LaunchTemplateData.MetadataOptions.HttpTokens": "required",
        "LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit": "2",
    }


def test_snapshots_of_the_source_version_are_not_lost(aws: Aws, scripted: ScriptedAws) -> None:
    devices = (
        "<blockDeviceMappingSet><item><deviceName>/dev/xvdb</deviceName><ebs>"
        "<snapshotId>snap-1</snapshotId><volumeSize>50</volumeSize></ebs></item>"
        "</blockDeviceMappingSet>"
    )
    scripted.answers("DescribeLaunchTemplateVersions", _source(devices))
    scripted.answers("CreateLaunchTemplateVersion", CREATED)
    aws.control.create_template_version(CELL, "lt-1", "3", V2, "t", "n")
    sent = asked(scripted, "CreateLaunchTemplateVersion")
    device = "LaunchTemplateData.BlockDeviceMapping.1"
    assert sent[f"{device}.DeviceName"] == "/dev/xvdb"
    assert sent[f"{device}.Ebs.SnapshotId"] == "snap-1"
    assert sent[f"{device}.Ebs.VolumeSize"] == "50"


def test_a_version_that_aws_would_not_delete_is_refused(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers(
        "DeleteLaunchTemplateVersions",
        Reply(
            "<R><unsuccessfullyDeletedLaunchTemplateVersionSet><item><responseError>"
            "<code>launchTemplateVersionDoesNotExist</code><message>none</message></responseError>"
            "</item></unsuccessfullyDeletedLaunchTemplateVersionSet></R>"
        ),
        Reply("<R><successfullyDeletedLaunchTemplateVersionSet/></R>"),
    )
    first, second = (aws.control.delete_template_version(CELL, "lt-1", "8") for _ in range(2))
    assert first == Refused("launchTemplateVersionDoesNotExist", "none")
    assert second == Done()


def _group(inner: str) -> Reply:
    return Reply(
        "<R><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>"
        f"<AutoScalingGroupName>web</AutoScalingGroupName>{inner}</member></AutoScalingGroups>"
        "</DescribeAutoScalingGroupsResult></R>"
    )


MIXED = _group("""<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification>
<LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>one</LaunchTemplateName>
<Version>2</Version></LaunchTemplateSpecification><Overrides><member>
<InstanceType>m5.large</InstanceType><WeightedCapacity>2</WeightedCapacity></member><member>
<InstanceType>m6g.large</InstanceType><LaunchTemplateSpecification>
<LaunchTemplateId>lt-2</LaunchTemplateId><LaunchTemplateName>two</LaunchTemplateName>
<Version>7</Version></LaunchTemplateSpecification></member></Overrides></LaunchTemplate>
<InstancesDistribution><OnDemandBaseCapacity>3</OnDemandBaseCapacity>
<SpotAllocationStrategy>price-capacity-optimized</SpotAllocationStrategy></InstancesDistribution>
</MixedInstancesPolicy>""")
SIMPLE = _group("<LaunchConfigurationName>old</LaunchConfigurationName>")
P = "MixedInstancesPolicy."
UNCHANGED = {
    "AutoScalingGroupName": "web",
    P + "LaunchTemplate.Overrides.member.1.InstanceType": "m5.large",
    P + "LaunchTemplate.Overrides.member.1.WeightedCapacity": "2",
    P + "LaunchTemplate.Overrides.member.2.InstanceType": "m6g.large",
    P + "InstancesDistribution.OnDemandBaseCapacity": "3",
    P + "InstancesDistribution.SpotAllocationStrategy": "price-capacity-optimized",
}
MAIN = P + "LaunchTemplate.LaunchTemplateSpecification."
SECOND = P + "LaunchTemplate.Overrides.member.2.LaunchTemplateSpecification."


@pytest.mark.parametrize(
    ("specs", "main", "second"),
    [
        ({"main": SPEC}, ("lt-9", "4"), ("lt-2", "7")),
        ({"1": SPEC}, ("lt-1", "2"), ("lt-9", "4")),
        ({"main": SPEC, "1": SPEC}, ("lt-9", "4"), ("lt-9", "4")),
    ],
)
def test_a_mixed_group_gets_its_whole_policy_back_but_for_the_templates(
    aws: Aws,
    scripted: ScriptedAws,
    specs: dict[str, TemplateSpec],
    main: tuple[str, str],
    second: tuple[str, str],
) -> None:
    scripted.answers("DescribeAutoScalingGroups", MIXED)
    scripted.answers("UpdateAutoScalingGroup", OK)
    assert aws.control.repoint_group(CELL, "web", specs) == Done()
    assert asked(scripted, "UpdateAutoScalingGroup") == {
        **UNCHANGED,
        MAIN + "LaunchTemplateId": main[0],
        MAIN + "Version": main[1],
        SECOND + "LaunchTemplateId": second[0],
        SECOND + "Version": second[1],
    }


def test_a_group_on_a_launch_configuration_gets_the_template_in_its_place(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("DescribeAutoScalingGroups", SIMPLE)
    scripted.answers("UpdateAutoScalingGroup", OK)
    assert aws.control.repoint_group(CELL, "web", {"main": SPEC}) == Done()
    assert asked(scripted, "UpdateAutoScalingGroup") == {
        "AutoScalingGroupName": "web",
        "LaunchTemplate.LaunchTemplateId": "lt-9",
        "LaunchTemplate.Version": "4",
    }


@pytest.mark.parametrize(
    ("live", "specs"),
    [
        (MIXED, {"2": SPEC}),
        (MIXED, {"other": SPEC}),
        (SIMPLE, {"main": SPEC, "1": SPEC}),
        (Reply("<R><DescribeAutoScalingGroupsResult/></R>"), {"main": SPEC}),
    ],
    ids=["no such override", "no such key", "no policy any more", "no such group"],
)
def test_a_group_that_has_changed_is_left_alone(
    aws: Aws, scripted: ScriptedAws, live: Reply, specs: dict[str, TemplateSpec]
) -> None:
    body = str(live.body).replace(
        "Result/>", "Result><AutoScalingGroups/></DescribeAutoScalingGroupsResult>"
    )
    scripted.answers("DescribeAutoScalingGroups", Reply(body))
    outcome = aws.control.repoint_group(CELL, "web", specs)
    assert isinstance(outcome, Refused)
    assert scripted.operations() == ["DescribeAutoScalingGroups"]


def test_a_group_that_cannot_be_read_is_certainly_unchanged(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("DescribeAutoScalingGroups", query_error("InternalFailure", 500))
    assert isinstance(aws.control.repoint_group(CELL, "web", {"main": SPEC}), Throttled)


def test_a_busy_group_is_not_now_rather_than_never(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeAutoScalingGroups", SIMPLE)
    scripted.answers("UpdateAutoScalingGroup", query_error("ResourceContention", 500))
    outcome = aws.control.repoint_group(CELL, "web", {"main": SPEC})
    assert outcome == Throttled("ResourceContention", "no")


def test_a_refresh_names_what_it_wants(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeAutoScalingGroups", SIMPLE)
    scripted.answers(
        "StartInstanceRefresh",
        Reply(
            "<R><StartInstanceRefreshResult><InstanceRefreshId>r-1</InstanceRefreshId>"
            "</StartInstanceRefreshResult></R>"
        ),
    )
    preferences = {
        "min_healthy_percentage": 90,
        "AutoRollback": True,
        "checkpoint_percentages": [10, 100],
    }
    outcome = aws.control.start_refresh(CELL, "web", {"main": SPEC}, preferences)
    assert outcome == Done({"refresh": "r-1"})
    assert asked(scripted, "StartInstanceRefresh") == {
        "AutoScalingGroupName": "web",
        "DesiredConfiguration.LaunchTemplate.LaunchTemplateId": "lt-9",
        "DesiredConfiguration.LaunchTemplate.Version": "4",
        "Preferences.MinHealthyPercentage": "90",
        "Preferences.AutoRollback": "true",
        "Preferences.CheckpointPercentages.member.1": "10",
        "Preferences.CheckpointPercentages.member.2": "100",
    }


Change = Callable[[Aws], Outcome]


def test_a_template_from_a_configuration_is_sent_whole_and_its_secret_stays_unseen(
    aws: Aws, scripted: ScriptedAws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    scripted.answers(
        "DescribeLaunchConfigurations",
        Reply(
            "<R><DescribeLaunchConfigurationsResult><LaunchConfigurations><member>"
            "<LaunchConfigurationName>old</LaunchConfigurationName><ImageId>ami-1</ImageId>"
            "<UserData>c2VjcmV0</UserData></member></LaunchConfigurations>"
            "</DescribeLaunchConfigurationsResult></R>"
        ),
    )
    scripted.answers(
        "CreateLaunchTemplate",
        Reply(
            "<R><launchTemplate><launchTemplateId>lt-9</launchTemplateId><launchTemplateName>new"
            "</launchTemplateName><latestVersionNumber>1</latestVersionNumber></launchTemplate></R>"
        ),
    )
    outcome = aws.control.template_from_configuration(CELL, "old", "new", V2, "token-1")
    assert outcome == Done({"id": "lt-9", "name": "new", "version": "1"})
    sent = asked(scripted, "CreateLaunchTemplate")
    assert sent["LaunchTemplateData.UserData"] == "c2VjcmV0"
    assert sent["ClientToken"] == "token-1"
    assert sent["LaunchTemplateData.MetadataOptions.HttpTokens"] == "required"
    assert "c2VjcmV0" not in caplog.text + repr(outcome)


def test_a_garbled_answer_with_a_secret_in_it_is_not_repeated(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("DescribeLaunchConfigurations", Reply("<R><UserData>c2VjcmV0</UserD"))
    outcome = aws.control.template_from_configuration(CELL, "old", "new", V2, "t")
    assert isinstance(outcome, Throttled), "the configuration was not even read"
    assert "c2VjcmV0" not in repr(outcome)


SIMPLE_CHANGES: dict[str, tuple[Change, dict[str, str]]] = {
    "ModifyLaunchTemplate": (
        lambda aws: aws.control.set_default_version(CELL, "lt-1", "8"),
        {"LaunchTemplateId": "lt-1", "SetDefaultVersion": "8"},
    ),
    "DeleteLaunchTemplate": (
        lambda aws: aws.control.delete_template(CELL, "lt-1"),
        {"LaunchTemplateId": "lt-1"},
    ),
    "UpdateAutoScalingGroup": (
        lambda aws: aws.control.restore_launch_configuration(CELL, "web", "old"),
        {"AutoScalingGroupName": "web", "LaunchConfigurationName": "old"},
    ),
    "RollbackInstanceRefresh": (
        lambda aws: aws.control.rollback_refresh(CELL, "web"),
        {"AutoScalingGroupName": "web"},
    ),
    "CancelInstanceRefresh": (
        lambda aws: aws.control.cancel_refresh(CELL, "web"),
        {"AutoScalingGroupName": "web"},
    ),
}


@pytest.mark.parametrize("operation", SIMPLE_CHANGES)
def test_a_simple_change_is_one_call(aws: Aws, scripted: ScriptedAws, operation: str) -> None:
    change, expected = SIMPLE_CHANGES[operation]
    scripted.answers(
        operation,
        Reply(
            f"<R><{operation}Result><InstanceRefreshId>r-1</InstanceRefreshId></{operation}Result></R>"
        ),
    )
    outcome = change(aws)
    assert isinstance(outcome, Done)
    if "Refresh" in operation:
        assert outcome.result == {"refresh": "r-1"}
    sent = asked(scripted, operation)
    sent.pop("ClientToken", None)  # botocore's own
    assert sent == expected
    assert scripted.operations() == [operation]
