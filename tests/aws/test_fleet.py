"""Reading what exists: whole, or honest about what is missing."""

from datetime import UTC, datetime

import pytest

from aws.scripted_aws import (
    CELL,
    OTHER,
    OWN,
    Reply,
    ScriptedAws,
    assumed,
    error,
    instances_page,
)
from imdsctl.aws import values
from imdsctl.aws.wiring import Aws
from imdsctl.model.evidence import Cell, GroupSpec, Instance, TemplateSpec, Unreadable
from imdsctl.model.options import MetadataOptions

THERE = Cell(OTHER, "us-east-1")


def seen(pages: list[list[Instance] | Unreadable]) -> list[str]:
    return [i.id for page in pages if isinstance(page, list) for i in page]


def test_pages_are_read_to_their_end(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers(
        "DescribeInstances",
        instances_page(["i-1", "i-2"], token="more"),
        instances_page([], token="and more"),
        instances_page(["i-3"]),
    )
    pages = list(aws.fleet.instances(CELL))
    assert seen(pages) == ["i-1", "i-2", "i-3"]
    asked = [a.parameters for a in scripted.asked if a.operation == "DescribeInstances"]
    assert [p.get("NextToken") for p in asked] == [None, "more", "and more"]
    assert asked[0]["MaxResults"] == "1000"
    assert asked[0]["IncludeManagedResources"] == "true"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            error("UnauthorizedOperation", 403, "You may not."),
            "UnauthorizedOperation: You may not.",
        ),
        (error("RequestLimitExceeded", 503, "Slow."), "RequestLimitExceeded: Slow."),
        (error("InternalError", 500, "Oops."), "InternalError: Oops."),
        (Reply("<DescribeInstancesResponse><reservationSet>"), "garbled"),
        (Reply("<html>Bad Gateway</html>", 502), "502"),
        (Reply(fault="drop"), "closed before an answer"),
    ],
    ids=["denied", "throttled", "internal", "garbled", "gateway", "dropped"],
)
def test_a_list_that_breaks_off_says_so_and_keeps_what_came(
    aws: Aws, scripted: ScriptedAws, fault: Reply, says: str
) -> None:
    scripted.answers("DescribeInstances", instances_page(["i-1", "i-2"], token="more"), fault)
    pages = list(aws.fleet.instances(CELL))
    assert seen(pages) == ["i-1", "i-2"]
    last = pages[-1]
    assert isinstance(last, Unreadable)
    assert (last.account, last.region, last.what, last.seen) == (OWN, "eu-west-1", "instances", 2)
    assert says in last.why


def test_a_passing_throttle_is_waited_out(aws: Aws, scripted: ScriptedAws) -> None:
    throttle = error("RequestLimitExceeded", 503)
    scripted.answers("DescribeInstances", throttle, throttle, instances_page(["i-1"]))
    assert seen(list(aws.fleet.instances(CELL))) == ["i-1"]


def test_an_instance_without_what_aws_always_says_is_not_guessed_at(
    aws: Aws, scripted: ScriptedAws
) -> None:
    page = instances_page(["i-1"])
    broken = str(page.body).replace("launchTime>", "lunchTime>")
    scripted.answers("DescribeInstances", Reply(broken))
    (only,) = aws.fleet.instances(CELL)
    assert isinstance(only, Unreadable)
    assert "LaunchTime" in only.why


def test_the_blob_of_a_denial_is_left_out(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers(
        "DescribeInstances",
        error("UnauthorizedOperation", 403, "No. Encoded authorization failure message: a1b2c3"),
    )
    (only,) = aws.fleet.instances(CELL)
    assert isinstance(only, Unreadable)
    assert only.why == "UnauthorizedOperation: No."


def test_every_member_of_an_instance_arrives(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers(
        "DescribeInstances",
        Reply(
            """<DescribeInstancesResponse><reservationSet><item><instancesSet><item>
<instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><name>running</name>
</instanceState><instanceType>m5.large</instanceType><launchTime>2026-01-02T03:04:05.000Z
</launchTime></item></instancesSet></item></reservationSet></DescribeInstancesResponse>""".replace(
                "Z\n", "Z"
            ).replace(
                "</launchTime>",
                """</launchTime><placement><availabilityZone>eu-west-1b</availabilityZone></placement>
<platform>windows</platform><architecture>arm64</architecture>
<instanceLifecycle>spot</instanceLifecycle><iamInstanceProfile>
<arn>arn:aws:iam::1:instance-profile/team/web</arn></iamInstanceProfile>
<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator><tagSet>
<item><key>Name</key><value>web-1</value></item>
<item><key>aws:autoscaling:groupName</key><value>web</value></item>
<item><key>aws:ec2launchtemplate:id</key><value>lt-1</value></item>
<item><key>aws:ec2launchtemplate:version</key><value>5</value></item></tagSet>
<metadataOptions><state>pending</state><httpTokens>required</httpTokens>
<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>
<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>enabled</instanceMetadataTags>
</metadataOptions>""",
            )
        ),
    )
    (page,) = aws.fleet.instances(CELL)
    assert page == [
        Instance(
            id="i-1",
            account=OWN,
            region="eu-west-1",
            state="running",
            options=MetadataOptions(
                http_tokens="required",
                http_put_response_hop_limit=2,
                http_endpoint="enabled",
                http_protocol_ipv6="disabled",
                instance_metadata_tags="enabled",
                state="pending",
            ),
            launched_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            image="ami-1",
            instance_type="m5.large",
            name="web-1",
            profile="web",
            group="web",
            template=TemplateSpec(id="lt-1", name="", version="5"),
            operator="eks.amazonaws.com",
            lifecycle="spot",
            platform="windows",
            architecture="arm64",
            zone="eu-west-1b",
            tags={
                "Name": "web-1",
                "aws:autoscaling:groupName": "web",
                "aws:ec2launchtemplate:id": "lt-1",
                "aws:ec2launchtemplate:version": "5",
            },
        )
    ]


def test_instances_by_id_are_asked_by_filter_in_batches(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeInstances", instances_page(["i-0", "i-1"]), instances_page(["i-200"]))
    found = aws.fleet.instances_by_id(CELL, [f"i-{n}" for n in range(250)])
    assert isinstance(found, dict)
    assert sorted(found) == ["i-0", "i-1", "i-200"]
    first, second = (a.parameters for a in scripted.asked if a.operation == "DescribeInstances")
    assert first["Filter.1.Name"] == "instance-id"
    assert "Filter.1.Value.200" in first
    assert "Filter.1.Value.201" not in first
    assert "Filter.1.Value.50" in second


GROUP = """<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>
<member><AutoScalingGroupName>mixed</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>9</MaxSize>
<DesiredCapacity>2</DesiredCapacity><MixedInstancesPolicy><LaunchTemplate>
<LaunchTemplateSpecification><LaunchTemplateId>lt-1</LaunchTemplateId>
<LaunchTemplateName>one</LaunchTemplateName></LaunchTemplateSpecification><Overrides>
<member><InstanceType>m5.large</InstanceType></member>
<member><InstanceType>m6g.large</InstanceType><LaunchTemplateSpecification>
<LaunchTemplateId>lt-2</LaunchTemplateId><LaunchTemplateName>two</LaunchTemplateName>
<Version>7</Version></LaunchTemplateSpecification></member></Overrides></LaunchTemplate>
</MixedInstancesPolicy><Instances><member><InstanceId>i-1</InstanceId>
<LifecycleState>InService</LifecycleState><HealthStatus>Unhealthy</HealthStatus>
<ProtectedFromScaleIn>true</ProtectedFromScaleIn></member></Instances>
<WarmPoolConfiguration><MinSize>1</MinSize></WarmPoolConfiguration><SuspendedProcesses><member>
<ProcessName>Launch</ProcessName></member></SuspendedProcesses><Tags><member><Key>env</Key>
<Value>prod</Value></member></Tags></member></AutoScalingGroups></DescribeAutoScalingGroupsResult>
</DescribeAutoScalingGroupsResponse>"""


def test_all_templates_of_a_mixed_group_are_seen(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeAutoScalingGroups", Reply(GROUP))
    ((group,),) = (page for page in aws.fleet.groups(CELL) if isinstance(page, list))
    assert group.specs == [
        GroupSpec(template=TemplateSpec(id="lt-1", name="one", version="$Default")),
        GroupSpec(template=TemplateSpec(id="lt-2", name="two", version="7"), override=1),
    ]
    assert (group.mixed, group.warm_pool, group.suspended) == (True, True, ["Launch"])
    assert (group.minimum, group.desired, group.maximum) == (1, 2, 9)
    assert (group.members[0].healthy, group.members[0].protected) == (False, True)
    assert group.tags == {"env": "prod"}


def _version(template: str, number: int, *, default: bool) -> str:
    return (
        f"<item><launchTemplateId>{template}</launchTemplateId><launchTemplateName>web"
        f"</launchTemplateName><versionNumber>{number}</versionNumber><defaultVersion>"
        f"{str(default).lower()}</defaultVersion><launchTemplateData><imageId>ami-1</imageId>"
        "<userData>c2VjcmV0</userData><metadataOptions><httpTokens>optional</httpTokens>"
        "</metadataOptions></launchTemplateData></item>"
    )


def _versions(*items: str) -> Reply:
    return Reply(
        "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet>"
        f"{''.join(items)}</launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"
    )


TEMPLATES = Reply(
    "<DescribeLaunchTemplatesResponse><launchTemplates><item>"
    "<launchTemplateId>lt-1</launchTemplateId><latestVersionNumber>3</latestVersionNumber>"
    "<tagSet><item><key>team</key><value>web</value></item></tagSet></item></launchTemplates>"
    "</DescribeLaunchTemplatesResponse>"
)


def test_default_latest_and_pinned_versions_are_read_once_each(
    aws: Aws, scripted: ScriptedAws
) -> None:
    gone = error("InvalidLaunchTemplateId.VersionNotFound")
    scripted.answers("DescribeLaunchTemplates", TEMPLATES)
    scripted.answers(
        "DescribeLaunchTemplateVersions",
        _versions(_version("lt-1", 1, default=True), _version("lt-1", 3, default=False)),
        gone,  # 2 and 9 together: 9 is gone, so one by one
        _versions(_version("lt-1", 2, default=False)),
        gone,
        error("InvalidLaunchTemplateId.NotFound"),
    )
    pinned = [("lt-1", "2"), ("lt-1", "9"), ("lt-1", "3"), ("lt-1", "$Latest"), ("lt-gone", "1")]
    pages = list(aws.fleet.launch_templates(CELL, iter(pinned)))
    versions = [v for page in pages if isinstance(page, list) for v in page]
    assert all(isinstance(page, list) for page in pages)
    assert [(v.number, v.default, v.latest) for v in versions] == [
        (1, True, False),
        (3, False, True),
        (2, False, False),
    ]
    assert versions[0].tags == {"team": "web"}
    assert "c2VjcmV0" not in repr(versions)


def test_a_pinned_version_that_is_refused_is_reported(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeLaunchTemplates", TEMPLATES)
    scripted.answers(
        "DescribeLaunchTemplateVersions",
        _versions(_version("lt-1", 3, default=True)),
        error("UnauthorizedOperation", 403),
    )
    *_, last = aws.fleet.launch_templates(CELL, [("lt-1", "2")])
    assert isinstance(last, Unreadable)
    assert (last.what, last.seen) == ("launch-templates", 1)


def test_account_defaults_leave_open_what_has_no_preference(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers(
        "GetInstanceMetadataDefaults",
        Reply(
            "<GetInstanceMetadataDefaultsResponse><accountLevel><httpTokens>required</httpTokens>"
            "<httpTokensEnforced>enabled</httpTokensEnforced>"
            "<managedBy>declarative-policy</managedBy></accountLevel>"
            "</GetInstanceMetadataDefaultsResponse>"
        ),
    )
    defaults = aws.fleet.account_defaults(CELL)
    assert not isinstance(defaults, Unreadable)
    assert defaults.options == MetadataOptions(http_tokens="required")
    assert (defaults.enforced, defaults.managed_by) == ("enabled", "declarative-policy")


def test_images_that_are_gone_do_not_hide_the_others(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers(
        "DescribeImages",
        Reply(
            "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>golden</name>"
            "<imageOwnerId>111111111111</imageOwnerId><imdsSupport>v2.0</imdsSupport></item>"
            "</imagesSet></DescribeImagesResponse>"
        ),
    )
    ((image,),) = (p for p in aws.fleet.images(CELL, ["ami-1", "ami-2"]) if isinstance(p, list))
    assert (image.id, image.name, image.owner, image.imds_support) == (
        "ami-1",
        "golden",
        OWN,
        "v2.0",
    )
    (asked,) = [a.parameters for a in scripted.asked if a.operation == "DescribeImages"]
    assert asked["Filter.1.Name"] == "image-id"
    assert [asked["Filter.1.Value.1"], asked["Filter.1.Value.2"]] == ["ami-1", "ami-2"]


def _image(image: str, owner: str = OWN, more: str = "") -> str:
    return (
        f"<item><imageId>{image}</imageId><name>{image}</name>"
        f"<imageOwnerId>{owner}</imageOwnerId>{more}</item>"
    )


def _images(*items: str, token: str = "") -> Reply:
    more = f"<nextToken>{token}</nextToken>" if token else ""
    return Reply(
        f"<DescribeImagesResponse><imagesSet>{''.join(items)}</imagesSet>{more}"
        "</DescribeImagesResponse>"
    )


def test_own_images_are_read_whole_and_those_of_others_only_by_id(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers(
        "DescribeImages",
        _images(_image("ami-1"), token="more"),
        _images(_image("ami-2", more="<imageState>disabled</imageState><isPublic>true</isPublic>")),
        _images(_image("ami-9", owner="137112412989")),
    )
    pages = aws.fleet.images(CELL, ["ami-1", "ami-9"], own=True)
    found = {image.id: image for page in pages if isinstance(page, list) for image in page}
    assert {key: one.own for key, one in found.items()} == {
        "ami-1": True,
        "ami-2": True,
        "ami-9": False,
    }
    assert (found["ami-2"].state, found["ami-2"].public) == ("disabled", True)
    first, second, third = (a.parameters for a in scripted.asked if a.operation == "DescribeImages")
    assert first["Owner.1"] == second["Owner.1"] == "self"
    assert (first["IncludeDisabled"], second["NextToken"]) == ("true", "more")
    assert "Owner.1" not in third
    assert [v for k, v in third.items() if k.startswith("Filter.1.Value")] == ["ami-9"]


def test_own_images_that_cannot_be_listed_are_no_empty_list(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("DescribeImages", error("UnauthorizedOperation", 403))
    (page,) = aws.fleet.images(CELL, ["ami-1"], own=True)
    assert isinstance(page, Unreadable)


@pytest.mark.parametrize("inside", [True, False])
def test_who_manages_the_defaults_is_read_wherever_aws_says_it(*, inside: bool) -> None:
    """The API's model has it inside of the level, the documentation's sample beside it."""
    said = {"ManagedBy": "declarative-policy", "ManagedExceptionMessage": " ask cloud-platform "}
    level = {"HttpTokens": "required", "HttpTokensEnforced": "enabled"}
    answer = {"AccountLevel": {**level, **said}} if inside else {"AccountLevel": level, **said}
    found = values.account_defaults(answer, CELL)
    assert (found.managed_by, found.managed_message) == (
        "declarative-policy",
        "ask cloud-platform",
    )
    assert found.enforced == "enabled"


def test_no_log_of_any_level_has_credentials_or_user_data(
    aws: Aws, scripted: ScriptedAws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    scripted.answers("AssumeRole", assumed("ASIAOTHER"))
    scripted.answers("DescribeLaunchTemplates", TEMPLATES)
    scripted.answers("DescribeLaunchTemplateVersions", _versions(_version("lt-1", 3, default=True)))
    list(aws.fleet.launch_templates(THERE, []))
    for secret in ("own-secret", "assumed-secret", "assumed-token", "c2VjcmV0"):
        assert secret not in caplog.text
