"""AWS's structures, as botocore gives them, made into the shared values; and nothing else."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from imdsctl.model.evidence import (
    AccountDefaults,
    CapacityProvider,
    Cell,
    Environment,
    Group,
    GroupMember,
    GroupSpec,
    Image,
    Instance,
    LaunchConfiguration,
    Nodegroup,
    TemplateSpec,
    TemplateVersion,
)
from imdsctl.model.options import MetadataOptions

Row = dict[str, Any]

MEMBER_NAMES: Final = {
    "http_tokens": "HttpTokens",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "http_endpoint": "HttpEndpoint",
    "http_protocol_ipv6": "HttpProtocolIpv6",
    "instance_metadata_tags": "InstanceMetadataTags",
}
"""The metadata options by the shared values' names, with AWS's."""

DISABLE_IMDSV1: Final = ("aws:autoscaling:launchconfiguration", "DisableIMDSv1")
"""Namespace and name of Elastic Beanstalk's option."""

_GROUP_TAG: Final = "aws:autoscaling:groupName"
_TEMPLATE_ID_TAG: Final = "aws:ec2launchtemplate:id"
_TEMPLATE_VERSION_TAG: Final = "aws:ec2launchtemplate:version"


def options(row: Row | None) -> MetadataOptions:
    """Metadata options; what AWS does not say stays unspecified."""
    if not row:
        return MetadataOptions()
    return MetadataOptions(
        http_tokens=row.get("HttpTokens"),
        http_put_response_hop_limit=row.get("HttpPutResponseHopLimit"),
        http_endpoint=row.get("HttpEndpoint"),
        http_protocol_ipv6=row.get("HttpProtocolIpv6"),
        instance_metadata_tags=row.get("InstanceMetadataTags"),
        state=row.get("State"),
    )


def options_row(value: MetadataOptions) -> Row:
    """Metadata options in AWS's terms: the specified members only."""
    return {MEMBER_NAMES[name]: member for name, member in value.members().items()}


def tags(row: Row) -> dict[str, str]:
    """Tags by key."""
    return {tag["Key"]: tag.get("Value", "") for tag in row.get("Tags", ())}


def instance(row: Row, cell: Cell) -> Instance:
    """An instance of DescribeInstances, from a row of `fastpath.rows_of`."""
    get = row.get
    its_tags: dict[str, str] = row["Tags"]
    profile, template_id = get("IamInstanceProfile.Arn"), its_tags.get(_TEMPLATE_ID_TAG)
    template = None
    if template_id:
        version = its_tags.get(_TEMPLATE_VERSION_TAG, "")
        template = TemplateSpec(id=template_id, name="", version=version)
    operator = None
    if get("Operator.Managed"):
        operator = get("Operator.Principal") or "aws"
    return Instance(
        id=row["InstanceId"],
        account=cell.account,
        region=cell.region,
        state=row["State.Name"],
        options=MetadataOptions(
            http_tokens=get("MetadataOptions.HttpTokens"),
            http_put_response_hop_limit=get("MetadataOptions.HttpPutResponseHopLimit"),
            http_endpoint=get("MetadataOptions.HttpEndpoint"),
            http_protocol_ipv6=get("MetadataOptions.HttpProtocolIpv6"),
            instance_metadata_tags=get("MetadataOptions.InstanceMetadataTags"),
            state=get("MetadataOptions.State"),
        ),
        launched_at=row["LaunchTime"].astimezone(UTC),
        image=get("ImageId", ""),
        instance_type=get("InstanceType", ""),
        name=its_tags.get("Name", ""),
        profile=profile.rpartition("/")[2] if profile else None,
        group=its_tags.get(_GROUP_TAG),
        template=template,
        operator=operator,
        lifecycle=get("InstanceLifecycle") or None,
        platform=(get("Platform") or "").lower() or None,
        architecture=get("Architecture"),
        zone=get("Placement.AvailabilityZone"),
        tags=its_tags,
    )


def template_version(row: Row, cell: Cell, *, latest: bool, its_tags: Row) -> TemplateVersion:
    """A version of DescribeLaunchTemplateVersions; its user data is left where it is."""
    data = row.get("LaunchTemplateData") or {}
    profile = data.get("IamInstanceProfile") or {}
    created = row.get("CreateTime")
    return TemplateVersion(
        template_id=row["LaunchTemplateId"],
        template_name=row.get("LaunchTemplateName", ""),
        account=cell.account,
        region=cell.region,
        number=row["VersionNumber"],
        default=bool(row.get("DefaultVersion")),
        latest=latest,
        options=options(data.get("MetadataOptions")),
        image=data.get("ImageId") or None,
        instance_profile=profile.get("Name") or profile.get("Arn", "").rpartition("/")[2] or None,
        description=row.get("VersionDescription", ""),
        created_at=created.astimezone(UTC) if created else None,
        tags=its_tags,
    )


def launch_configuration(row: Row, cell: Cell) -> LaunchConfiguration:
    """A launch configuration; its user data is left where it is."""
    return LaunchConfiguration(
        name=row["LaunchConfigurationName"],
        account=cell.account,
        region=cell.region,
        options=options(row.get("MetadataOptions")),
        image=row.get("ImageId") or None,
    )


def template_spec(row: Row | None) -> TemplateSpec | None:
    """A reference to a launch template; AWS's default for the version is `$Default`."""
    if not row:
        return None
    return TemplateSpec(
        id=row.get("LaunchTemplateId", ""),
        name=row.get("LaunchTemplateName", ""),
        version=row.get("Version") or "$Default",
    )


def _specs(row: Row) -> list[GroupSpec]:
    policy = (row.get("MixedInstancesPolicy") or {}).get("LaunchTemplate")
    if policy is None:
        main = template_spec(row.get("LaunchTemplate"))
        return [GroupSpec(template=main)] if main else []
    main = template_spec(policy.get("LaunchTemplateSpecification"))
    specs = [GroupSpec(template=main)] if main else []
    for index, override in enumerate(policy.get("Overrides", ())):
        if named := template_spec(override.get("LaunchTemplateSpecification")):
            specs.append(GroupSpec(template=named, override=index))
    return specs


def _member(row: Row) -> GroupMember:
    return GroupMember(
        id=row["InstanceId"],
        lifecycle_state=row.get("LifecycleState", ""),
        healthy=row.get("HealthStatus", "").lower() == "healthy",
        template=template_spec(row.get("LaunchTemplate")),
        launch_configuration=row.get("LaunchConfigurationName") or None,
        protected=bool(row.get("ProtectedFromScaleIn")),
    )


def group(row: Row, cell: Cell) -> Group:
    """An Auto Scaling group of DescribeAutoScalingGroups."""
    return Group(
        name=row["AutoScalingGroupName"],
        account=cell.account,
        region=cell.region,
        specs=_specs(row),
        mixed=bool(row.get("MixedInstancesPolicy")),
        launch_configuration=row.get("LaunchConfigurationName") or None,
        minimum=row.get("MinSize", 0),
        desired=row.get("DesiredCapacity", 0),
        maximum=row.get("MaxSize", 0),
        members=[_member(member) for member in row.get("Instances", ())],
        warm_pool=bool(row.get("WarmPoolConfiguration")),
        suspended=[p.get("ProcessName", "") for p in row.get("SuspendedProcesses", ())],
        tags=tags(row),
    )


def account_defaults(answer: Row, cell: Cell) -> AccountDefaults:
    """The answer of GetInstanceMetadataDefaults; a member without a preference is absent."""
    level = answer.get("AccountLevel") or {}
    # The API's model has ManagedBy inside, its documentation's sample beside.
    managed_by = level.get("ManagedBy") or answer.get("ManagedBy") or "account"
    message = level.get("ManagedExceptionMessage") or answer.get("ManagedExceptionMessage") or ""
    return AccountDefaults(
        account=cell.account,
        region=cell.region,
        options=options(level),
        enforced=level.get("HttpTokensEnforced"),
        managed_by=managed_by,
        managed_message=message.strip(),
    )


def image(row: Row, cell: Cell) -> Image:
    """An image of DescribeImages."""
    return Image(
        id=row["ImageId"],
        account=cell.account,
        region=cell.region,
        name=row.get("Name", ""),
        owner=row.get("OwnerId", ""),
        imds_support=row.get("ImdsSupport") or None,
        state=row.get("State") or "available",
        public=bool(row.get("Public")),
    )


def nodegroup(row: Row, cell: Cell) -> Nodegroup:
    """A node group of DescribeNodegroup; without `launchTemplate` EKS made one of its own."""
    template = row.get("launchTemplate")
    groups = (row.get("resources") or {}).get("autoScalingGroups") or ()
    return Nodegroup(
        name=row["nodegroupName"],
        cluster=row["clusterName"],
        account=cell.account,
        region=cell.region,
        status=row.get("status", ""),
        template=TemplateSpec(
            id=template.get("id", ""),
            name=template.get("name", ""),
            version=str(template.get("version", "")),
        )
        if template
        else None,
        groups=[group["name"] for group in groups],
        release_version=row.get("releaseVersion", ""),
    )


def environment(row: Row, settings: Sequence[Row], cell: Cell) -> Environment:
    """An environment of DescribeEnvironments, with one option of its configuration settings.

    There are two sets of settings while an update is deployed, and after one that failed.
    """
    sets = {one.get("DeploymentStatus") or "deployed": one for one in settings}
    draft = sets.get("pending") or sets.get("failed")
    failed = sets.get("failed", {}).get("DateUpdated")
    return Environment(
        name=row["EnvironmentName"],
        environment_id=row["EnvironmentId"],
        application=row["ApplicationName"],
        account=cell.account,
        region=cell.region,
        status=row.get("Status", ""),
        health=row.get("Health", ""),
        disable_imdsv1=_disable_imdsv1(sets.get("deployed", {})),
        deploying="pending" in sets,
        draft=_disable_imdsv1(draft) if draft else None,
        failed_at=failed.astimezone(UTC) if failed else None,
        abortable=bool(row.get("AbortableOperationInProgress")),
    )


def _disable_imdsv1(settings: Row) -> str | None:
    said = (
        option.get("Value")
        for option in settings.get("OptionSettings", ())
        if (option.get("Namespace"), option.get("OptionName")) == DISABLE_IMDSV1
    )
    return next((value.lower() for value in said if value), None)


def capacity_provider(row: Row, cell: Cell) -> CapacityProvider | None:
    """A capacity provider of DescribeCapacityProviders; None for one without a group (Fargate)."""
    provider = row.get("autoScalingGroupProvider")
    if not provider:
        return None
    return CapacityProvider(
        name=row["name"],
        account=cell.account,
        region=cell.region,
        # arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:UUID:autoScalingGroupName/NAME
        group=provider["autoScalingGroupArn"].rpartition("autoScalingGroupName/")[2],
        draining=provider.get("managedDraining"),
        termination_protection=provider.get("managedTerminationProtection"),
    )
