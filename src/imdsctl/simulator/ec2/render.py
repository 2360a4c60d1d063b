"""An instance as EC2 writes it in XML.

moto's general serializer takes two seconds for a page of a thousand instances; a fleet of tens
of thousands is only pleasant to read when a page takes a small part of that.
"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
REQUEST_ID = "<requestId>fdcdcab1-ae5c-489e-9c33-4637c5dda355</requestId>"


def instance_xml(
    instance: Any, tags: Mapping[str, str], *, state: tuple[int, str] | None = None
) -> str:
    """One `<item>` of an instancesSet.

    Args:
        instance: moto's instance.
        tags: its tags.
        state: a state code and name to show instead of the instance's own.
    """
    identity = instance.id
    code, name = state or (instance.state_code, instance.state)
    alive = name != "terminated"
    options = instance.metadata_options
    values = options.values
    launched = _time(instance.launch_time)
    windows = instance.platform == "windows"
    return (
        f"<item><instanceId>{identity}</instanceId><imageId>{escape(instance.image_id or '')}"
        f"</imageId><instanceState><code>{code}</code><name>{name}</name></instanceState>"
        f"{_names(instance) if alive else '<privateDnsName/><dnsName/>'}"
        f"<reason>{escape(instance.state_transition_reason or '')}</reason>"
        f"{_element('keyName', instance.key_name)}"
        f"<amiLaunchIndex>{instance.ami_launch_index}</amiLaunchIndex><productCodes/>"
        f"<instanceType>{escape(instance.instance_type)}</instanceType>"
        f"<launchTime>{launched}</launchTime>"
        f"<placement><availabilityZone>{instance.placement.zone}</availabilityZone>"
        "<groupName/><tenancy>default</tenancy></placement>"
        f"{'<platform>windows</platform>' if windows else ''}"
        f"<monitoring><state>{instance.monitoring_state}</state></monitoring>"
        f"{_network(instance) if alive else ''}{_reason(instance)}"
        f"<architecture>{instance.architecture}</architecture>"
        "<rootDeviceType>ebs</rootDeviceType>"
        f"<rootDeviceName>{instance.root_device_name}</rootDeviceName>{_disks(instance)}"
        f"<virtualizationType>{instance.virtualization_type}</virtualizationType>"
        f"<clientToken>{escape(instance.client_token or '')}</clientToken>{_tags(tags)}"
        "<hypervisor>xen</hypervisor>"
        f"{_interfaces(instance) if alive else '<networkInterfaceSet/>'}"
        f"{_profile(instance.iam_instance_profile)}"
        f"{_spot(instance.id) if instance.lifecycle == 'spot' else ''}"
        f"<ebsOptimized>{_bool(instance.ebs_optimized)}</ebsOptimized><enaSupport>true</enaSupport>"
        "<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
        "<capacityReservationSpecification><capacityReservationPreference>open"
        "</capacityReservationPreference></capacityReservationSpecification>"
        "<hibernationOptions><configured>false</configured></hibernationOptions>"
        f"<metadataOptions><state>{options.state}</state>"
        f"<httpTokens>{values.http_tokens}</httpTokens>"
        f"<httpPutResponseHopLimit>{values.http_put_response_hop_limit}</httpPutResponseHopLimit>"
        f"<httpEndpoint>{values.http_endpoint}</httpEndpoint>"
        f"<httpProtocolIpv6>{values.http_protocol_ipv6}</httpProtocolIpv6>"
        f"<instanceMetadataTags>{values.instance_metadata_tags}</instanceMetadataTags>"
        "</metadataOptions><enclaveOptions><enabled>false</enabled></enclaveOptions>"
        f"<platformDetails>{'Windows' if windows else 'Linux/UNIX'}</platformDetails>"
        f"<usageOperation>RunInstances{':0002' if windows else ''}</usageOperation>"
        f"<usageOperationUpdateTime>{_first_launch(instance, launched)}</usageOperationUpdateTime>"
        "<privateDnsNameOptions><hostnameType>ip-name</hostnameType>"
        "<enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>"
        "<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord>"
        "</privateDnsNameOptions><maintenanceOptions><autoRecovery>default</autoRecovery>"
        "<rebootMigration>default</rebootMigration></maintenanceOptions>"
        "<currentInstanceBootMode>legacy-bios</currentInstanceBootMode>"
        "<networkPerformanceOptions><bandwidthWeighting>default</bandwidthWeighting>"
        f"</networkPerformanceOptions>{_operator(getattr(instance, 'imdsctl_operator', ''))}</item>"
    )


def _element(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def _spot(instance_id: str) -> str:
    return (
        "<instanceLifecycle>spot</instanceLifecycle>"
        f"<spotInstanceRequestId>sir-{instance_id[-8:]}</spotInstanceRequestId>"
    )


def _profile(profile: Mapping[str, str] | None) -> str:
    if not profile:
        return ""
    return (
        f"<iamInstanceProfile><arn>{escape(profile['Arn'])}</arn><id>{escape(profile['Id'])}</id>"
        "</iamInstanceProfile>"
    )


def _time(when: Any) -> str:
    return f"{when.replace(tzinfo=None).isoformat(timespec='seconds')}.000Z"


def _bool(value: object) -> str:
    return "true" if value is True or str(value).lower() == "true" else "false"


def _operator(principal: str) -> str:
    if not principal:
        return "<operator><managed>false</managed></operator>"
    return (
        f"<operator><managed>true</managed><principal>{escape(principal)}</principal>"
        "<hiddenByDefault>false</hiddenByDefault></operator>"
    )


def _first_launch(instance: Any, launched: str) -> str:
    # The primary interface was attached when the instance was first launched; LaunchTime moves
    # with every start.
    nic = instance.nics.get(0)
    return _time(nic.attach_time) if nic is not None and nic.attach_time else launched


def _names(instance: Any) -> str:
    return (
        f"<privateDnsName>{instance.private_dns_name}</privateDnsName>"
        f"<dnsName>{instance.public_dns_name or ''}</dnsName>"
    )


def _network(instance: Any) -> str:
    nic = instance.nics[0]
    public = instance.public_ip
    return (
        f"<subnetId>{nic.subnet.id}</subnetId><vpcId>{nic.subnet.vpc_id}</vpcId>"
        f"<privateIpAddress>{nic.private_ip_address}</privateIpAddress>"
        + (f"<ipAddress>{public}</ipAddress>" if public else "")
        + f"<sourceDestCheck>{_bool(instance.source_dest_check)}</sourceDestCheck>"
        + _groups(nic.group_set)
    )


def _groups(groups: Any) -> str:
    items = "".join(
        f"<item><groupId>{group.id}</groupId><groupName>{escape(group.name)}</groupName></item>"
        for group in groups
    )
    return f"<groupSet>{items}</groupSet>"


def _reason(instance: Any) -> str:
    reason = instance.state_reason
    if not reason.code:
        return ""
    # moto's StateReason takes its two arguments as (message, code).
    return (
        f"<stateReason><code>{escape(reason.code)}</code>"
        f"<message>{escape(reason.message)}</message></stateReason>"
    )


def _disks(instance: Any) -> str:
    items = "".join(
        f"<item><deviceName>{device}</deviceName><ebs><volumeId>{block.volume_id}</volumeId>"
        f"<status>attached</status><attachTime>{_time(block.attach_time)}</attachTime>"
        f"<deleteOnTermination>{_bool(block.delete_on_termination)}</deleteOnTermination>"
        "</ebs></item>"
        for device, block in instance.block_device_mapping.items()
    )
    return f"<blockDeviceMapping>{items}</blockDeviceMapping>"


def _tags(tags: Mapping[str, str]) -> str:
    if not tags:
        return ""
    items = "".join(
        f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in tags.items()
    )
    return f"<tagSet>{items}</tagSet>"


def _interfaces(instance: Any) -> str:
    items = []
    for index, nic in instance.nics.items():
        name = instance.private_dns_name
        addresses = "".join(
            f"<item><privateIpAddress>{address['PrivateIpAddress']}</privateIpAddress>"
            f"<privateDnsName>{name}</privateDnsName>"
            f"<primary>{_bool(address.get('Primary', False))}</primary></item>"
            for address in nic.private_ip_addresses
        )
        public = (
            f"<association><publicIp>{nic.public_ip}</publicIp><ipOwnerId>amazon</ipOwnerId>"
            "</association>"
            if nic.public_ip
            else ""
        )
        items.append(
            f"<item><networkInterfaceId>{nic.id}</networkInterfaceId>"
            f"<subnetId>{nic.subnet.id}</subnetId><vpcId>{nic.subnet.vpc_id}</vpcId>"
            f"<description>{escape(nic.description)}</description><ownerId>{nic.owner_id}</ownerId>"
            f"<status>in-use</status><macAddress>{nic.mac_address}</macAddress>"
            f"<privateIpAddress>{nic.private_ip_address}</privateIpAddress>"
            f"<privateDnsName>{name}</privateDnsName>"
            f"<sourceDestCheck>{_bool(nic.source_dest_check)}</sourceDestCheck>"
            f"{_groups(nic.group_set)}<attachment><attachmentId>{nic.attachment_id}</attachmentId>"
            f"<deviceIndex>{index}</deviceIndex><status>attached</status>"
            f"<attachTime>{_time(nic.attach_time)}</attachTime>"
            f"<deleteOnTermination>{_bool(nic.delete_on_termination)}</deleteOnTermination>"
            f"<networkCardIndex>0</networkCardIndex></attachment>{public}"
            f"<privateIpAddressesSet>{addresses}</privateIpAddressesSet><ipv6AddressesSet/>"
            f"<interfaceType>{nic.interface_type}</interfaceType>"
            f"<operator><managed>false</managed></operator></item>"
        )
    return f"<networkInterfaceSet>{''.join(items)}</networkInterfaceSet>"
