"""Launch configurations, said again as launch template data: all of it, or a refusal."""

from typing import Any

import pytest

from imdsctl.aws.translation import UntranslatableError, template_data
from imdsctl.model.options import MetadataOptions

V2 = MetadataOptions(http_tokens="required", http_put_response_hop_limit=2)

CONFIGURATION: dict[str, Any] = {
    "LaunchConfigurationName": "old",
    "ImageId": "ami-1",
    "InstanceType": "m5.large",
    "KeyName": "ops",
    "KernelId": "aki-1",
    "RamdiskId": "ari-1",
    "UserData": "c2VjcmV0",
    "SecurityGroups": ["sg-1", "sg-2"],
    "IamInstanceProfile": "arn:aws:iam::111111111111:instance-profile/web",
    "EbsOptimized": True,
    "InstanceMonitoring": {"Enabled": False},
    "SpotPrice": "0.05",
    "PlacementTenancy": "dedicated",
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "SnapshotId": "snap-1",
                "VolumeSize": 20,
                "VolumeType": "gp3",
                "DeleteOnTermination": False,
                "Iops": 3000,
                "Throughput": 125,
                "Encrypted": False,
            },
        },
        {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 1, "Encrypted": True}},
        {"DeviceName": "/dev/xvdc", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/xvdd", "NoDevice": True},
    ],
    "MetadataOptions": {"HttpTokens": "optional", "HttpPutResponseHopLimit": 3},
}


def test_a_template_says_all_that_the_launch_configuration_says() -> None:
    assert template_data(CONFIGURATION, MetadataOptions(http_tokens="required")) == {
        "ImageId": "ami-1",
        "InstanceType": "m5.large",
        "KeyName": "ops",
        "KernelId": "aki-1",
        "RamDiskId": "ari-1",
        "UserData": "c2VjcmV0",
        "SecurityGroupIds": ["sg-1", "sg-2"],
        "IamInstanceProfile": {"Arn": "arn:aws:iam::111111111111:instance-profile/web"},
        "EbsOptimized": True,
        "Monitoring": {"Enabled": False},
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.05"}},
        "Placement": {"Tenancy": "dedicated"},
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {
                    "SnapshotId": "snap-1",
                    "VolumeSize": 20,
                    "VolumeType": "gp3",
                    "DeleteOnTermination": False,
                    "Iops": 3000,
                    "Throughput": 125,
                },
            },
            {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 1, "Encrypted": True}},
            {"DeviceName": "/dev/xvdc", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/xvdd", "NoDevice": ""},
        ],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 3},
    }


def test_every_member_of_a_launch_configuration_is_thought_of() -> None:
    """A member that AWS adds shows up here, before it gets lost in a translation."""
    import botocore.session  # noqa: PLC0415 - only here

    model = botocore.session.Session().get_service_model("autoscaling")
    not_launched = {"LaunchConfigurationARN", "CreatedTime"}
    refused = {"ClassicLinkVPCId", "ClassicLinkVPCSecurityGroups"}
    known = {*CONFIGURATION, "AssociatePublicIpAddress", *not_launched, *refused}
    assert set(model.shape_for("LaunchConfiguration").members) == known


@pytest.mark.parametrize("public", [True, False])
def test_a_public_address_moves_the_groups_to_the_network_interface(*, public: bool) -> None:
    data = template_data({**CONFIGURATION, "AssociatePublicIpAddress": public}, V2)
    assert data["NetworkInterfaces"] == [
        {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": public,
            "DeleteOnTermination": True,
            "Groups": ["sg-1", "sg-2"],
        }
    ]
    assert "SecurityGroupIds" not in data


def test_what_is_empty_is_not_said() -> None:
    bare = {"ImageId": "ami-1", "KeyName": "", "KernelId": "", "UserData": "", "SecurityGroups": []}
    assert template_data(bare, MetadataOptions()) == {"ImageId": "ami-1"}


@pytest.mark.parametrize(
    "extra",
    [
        {"ClassicLinkVPCId": "vpc-1"},
        {"AssociatePublicIpAddress": True, "SecurityGroups": ["by-name"]},
    ],
)
def test_what_a_template_cannot_say_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(UntranslatableError):
        template_data({**CONFIGURATION, **extra}, V2)
