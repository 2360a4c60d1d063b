"""A launch configuration as a launch template: everything that it says, in the other's terms.

Amazon EC2 Auto Scaling User Guide, "Migrate your Auto Scaling groups to launch templates". The
user data goes through as it is and is never looked at.
"""

from typing import Any, Final

from imdsctl.aws.values import options, options_row
from imdsctl.model.options import MetadataOptions

Row = dict[str, Any]

_SAME: Final = {
    "ImageId": "ImageId",
    "InstanceType": "InstanceType",
    "KeyName": "KeyName",
    "UserData": "UserData",
    "KernelId": "KernelId",
    "RamdiskId": "RamDiskId",
}
_VOLUME: Final = (
    "SnapshotId",
    "VolumeSize",
    "VolumeType",
    "DeleteOnTermination",
    "Iops",
    "Throughput",
)


class UntranslatableError(Exception):
    """The launch configuration says something that a launch template cannot say."""


def template_data(configuration: Row, wanted: MetadataOptions) -> Row:
    """LaunchTemplateData that launches what `configuration` launches, with `wanted` options.

    Options that `wanted` leaves open are those of the launch configuration.

    Raises:
        UntranslatableError: it links to EC2-Classic, or mixes a public address with security
            groups by name.
    """
    if configuration.get("ClassicLinkVPCId"):
        raise UntranslatableError("it links to EC2-Classic, which AWS has retired")
    # Auto Scaling answers with empty text where nothing is set; EC2 takes that for a value.
    data: Row = {
        theirs: value for ours, theirs in _SAME.items() if (value := configuration.get(ours))
    }
    if (optimized := configuration.get("EbsOptimized")) is not None:
        data["EbsOptimized"] = optimized
    if (monitoring := configuration.get("InstanceMonitoring", {}).get("Enabled")) is not None:
        data["Monitoring"] = {"Enabled": monitoring}
    if profile := configuration.get("IamInstanceProfile"):
        data["IamInstanceProfile"] = {"Arn" if profile.startswith("arn:") else "Name": profile}
    if tenancy := configuration.get("PlacementTenancy"):
        data["Placement"] = {"Tenancy": tenancy}
    if price := configuration.get("SpotPrice"):
        data["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"MaxPrice": price},
        }
    if devices := configuration.get("BlockDeviceMappings"):
        data["BlockDeviceMappings"] = [_device(device) for device in devices]
    data |= _network(configuration)
    if metadata := options_row(wanted.over(options(configuration.get("MetadataOptions")))):
        data["MetadataOptions"] = metadata
    return data


def _network(configuration: Row) -> Row:
    groups = configuration.get("SecurityGroups") or []
    ids = [group for group in groups if group.startswith("sg-")]
    names = [group for group in groups if not group.startswith("sg-")]
    public = configuration.get("AssociatePublicIpAddress")
    if public is None:
        by_kind = {"SecurityGroupIds": ids, "SecurityGroups": names}
        return {kind: some for kind, some in by_kind.items() if some}
    if names:
        raise UntranslatableError(
            "it sets the public address and names security groups that are not given by id"
        )
    # A template says this on a network interface, and then takes the groups there and only there.
    interface: Row = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": public,
        "DeleteOnTermination": True,
    }
    if ids:
        interface["Groups"] = ids
    return {"NetworkInterfaces": [interface]}


def _device(device: Row) -> Row:
    row: Row = {"DeviceName": device["DeviceName"]}
    if device.get("VirtualName"):
        row["VirtualName"] = device["VirtualName"]
    if device.get("NoDevice"):
        row["NoDevice"] = ""  # in a template its mere presence suppresses the device
    volume = device.get("Ebs") or {}
    ebs = {name: volume[name] for name in _VOLUME if volume.get(name) not in {None, ""}}
    # False is what AWS does anyway, and it may not be said together with a snapshot.
    if volume.get("Encrypted"):
        ebs["Encrypted"] = True
    if ebs:
        row["Ebs"] = ebs
    return row
