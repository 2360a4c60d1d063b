"""Launch templates and images, over the wire."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

StartAws = Callable[..., Any]
MakeClient = Callable[..., Any]


@pytest.fixture
def ec2(simulated_aws: StartAws, boto: MakeClient) -> Any:
    assert simulated_aws().url
    return boto("ec2")


def create(ec2: Any, name: str, data: dict[str, Any] | None = None, **arguments: Any) -> str:
    answer = ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=data or {"ImageId": "ami-1"}, **arguments
    )
    identity: str = answer["LaunchTemplate"]["LaunchTemplateId"]
    return identity


def version(ec2: Any, template: str, data: dict[str, Any], **arguments: Any) -> int:
    answer = ec2.create_launch_template_version(
        LaunchTemplateName=template, LaunchTemplateData=data, **arguments
    )
    number: int = answer["LaunchTemplateVersion"]["VersionNumber"]
    return number


def numbers(answer: Any) -> list[tuple[str, int]]:
    return sorted(
        (row["LaunchTemplateName"], row["VersionNumber"])
        for row in answer["LaunchTemplateVersions"]
    )


def data_of(ec2: Any, template: str, asked: str) -> dict[str, Any]:
    answer = ec2.describe_launch_template_versions(LaunchTemplateName=template, Versions=[asked])
    (row,) = answer["LaunchTemplateVersions"]
    found: dict[str, Any] = row["LaunchTemplateData"]
    return found


def test_what_a_template_leaves_out_is_absent(ec2: Any) -> None:
    create(ec2, "bare", {"ImageId": "ami-1"})
    create(ec2, "some", {"MetadataOptions": {"HttpTokens": "optional"}})
    assert data_of(ec2, "bare", "1") == {"ImageId": "ami-1"}
    assert data_of(ec2, "some", "1") == {"MetadataOptions": {"HttpTokens": "optional"}}


def test_a_new_version_contains_what_is_given_and_nothing_else(ec2: Any) -> None:
    create(ec2, "web", {"ImageId": "ami-1", "InstanceType": "m5.large"})
    assert version(ec2, "web", {"ImageId": "ami-2"}) == 2
    assert data_of(ec2, "web", "2") == {"ImageId": "ami-2"}


def test_a_source_version_is_inherited_and_given_members_replace_it(ec2: Any) -> None:
    create(
        ec2,
        "web",
        {
            "ImageId": "ami-1",
            "UserData": "IyEvYmluL3No",
            "MetadataOptions": {"HttpTokens": "optional", "HttpPutResponseHopLimit": 4},
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}
            ],
        },
    )
    before = data_of(ec2, "web", "1")
    version(
        ec2,
        "web",
        {"MetadataOptions": {"HttpTokens": "required"}},
        SourceVersion="1",
        VersionDescription="tokens required",
    )
    assert data_of(ec2, "web", "2") == {**before, "MetadataOptions": {"HttpTokens": "required"}}
    (row,) = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["2"])[
        "LaunchTemplateVersions"
    ]
    assert row["VersionDescription"] == "tokens required"
    assert not row["DefaultVersion"]
    assert data_of(ec2, "web", "1") == before
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId.VersionNotFound"):
        version(ec2, "web", {}, SourceVersion="9")


def test_a_client_token_creates_once(ec2: Any) -> None:
    create(ec2, "web", ClientToken="template")
    create(ec2, "web", ClientToken="template")
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        create(ec2, "web", ClientToken="another")
    first = version(ec2, "web", {"ImageId": "ami-2"}, ClientToken="version")
    assert version(ec2, "web", {"ImageId": "ami-2"}, ClientToken="version") == first == 2
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        version(ec2, "web", {"ImageId": "ami-3"}, ClientToken="version")
    assert version(ec2, "web", {"ImageId": "ami-3"}) == 3


def test_the_default_version_changes_only_when_told(ec2: Any) -> None:
    create(ec2, "web")
    version(ec2, "web", {"ImageId": "ami-2"})
    (row,) = ec2.describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"]
    assert (row["DefaultVersionNumber"], row["LatestVersionNumber"]) == (1, 2)
    ec2.modify_launch_template(LaunchTemplateName="web", DefaultVersion="2")
    assert data_of(ec2, "web", "$Default") == {"ImageId": "ami-2"}
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId.VersionNotFound"):
        ec2.modify_launch_template(LaunchTemplateName="web", DefaultVersion="3")


def test_deleted_versions_are_gone_and_their_numbers_are_not_used_again(ec2: Any) -> None:
    create(ec2, "web")
    for number in (2, 3):
        assert version(ec2, "web", {"ImageId": f"ami-{number}"}) == number
    answer = ec2.delete_launch_template_versions(LaunchTemplateName="web", Versions=["1", "3", "8"])
    deleted = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    kept = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [row["VersionNumber"] for row in deleted] == [3]
    assert [(row["VersionNumber"], row["ResponseError"]["Code"]) for row in kept] == [
        (1, "unexpectedError"),
        (8, "launchTemplateVersionDoesNotExist"),
    ]
    assert version(ec2, "web", {"ImageId": "ami-4"}) == 4
    assert numbers(ec2.describe_launch_template_versions(LaunchTemplateName="web")) == [
        ("web", 1),
        ("web", 2),
        ("web", 4),
    ]
    assert data_of(ec2, "web", "$Latest") == {"ImageId": "ami-4"}
    assert data_of(ec2, "web", "2") == {"ImageId": "ami-2"}


def test_the_latest_and_default_of_all_templates_in_one_call(ec2: Any) -> None:
    for name in ("app", "bat"):
        create(ec2, name)
    version(ec2, "app", {"ImageId": "ami-2"})
    answer = ec2.describe_launch_template_versions(Versions=["$Latest", "$Default"])
    assert numbers(answer) == [("app", 1), ("app", 2), ("bat", 1)]
    assert numbers(ec2.describe_launch_template_versions(Versions=["$Latest"])) == [
        ("app", 2),
        ("bat", 1),
    ]
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_launch_template_versions(Versions=["1"])
    with pytest.raises(ClientError, match="MissingParameter"):
        ec2.describe_launch_template_versions()


def test_versions_are_filtered_by_their_options(ec2: Any) -> None:
    create(ec2, "none", {"ImageId": "ami-1"})
    create(ec2, "old", {"MetadataOptions": {"HttpTokens": "optional"}})
    create(ec2, "new", {"MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"}})

    def found(name: str, value: str) -> list[tuple[str, int]]:
        return numbers(
            ec2.describe_launch_template_versions(
                Versions=["$Latest"], Filters=[{"Name": name, "Values": [value]}]
            )
        )

    # A template that says nothing is not found by what its instances will have.
    assert found("http-tokens", "optional") == [("old", 1)]
    assert found("http-endpoint", "enabled") == [("new", 1)]
    assert found("image-id", "ami-1") == [("none", 1)]
    assert len(found("is-default-version", "true")) == 3


def test_lists_of_templates_come_in_pages(ec2: Any) -> None:
    for number in range(23):
        create(ec2, f"t{number:02d}")
    pages = list(
        ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 10})
    )
    seen = [row["LaunchTemplateName"] for page in pages for row in page["LaunchTemplates"]]
    assert [len(page["LaunchTemplates"]) for page in pages] == [10, 10, 3]
    assert sorted(seen) == [f"t{number:02d}" for number in range(23)]
    versions = list(
        ec2.get_paginator("describe_launch_template_versions").paginate(
            Versions=["$Latest", "$Default"], PaginationConfig={"PageSize": 10}
        )
    )
    assert [len(page["LaunchTemplateVersions"]) for page in versions] == [10, 10, 3]
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_launch_templates(MaxResults=201)
    # Without MaxResults they all fit.
    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 23


def test_a_page_of_versions_holds_while_one_is_added(ec2: Any) -> None:
    create(ec2, "web")
    for number in range(2, 8):
        version(ec2, "web", {"ImageId": f"ami-{number}"})
    ask = {"LaunchTemplateName": "web", "MaxResults": 4}
    first = ec2.describe_launch_template_versions(**ask)
    version(ec2, "web", {"ImageId": "ami-8"})
    second = ec2.describe_launch_template_versions(**ask, NextToken=first["NextToken"])
    assert [number for _, number in numbers(first)] == [4, 5, 6, 7]
    assert [number for _, number in numbers(second)] == [1, 2, 3]


def test_templates_that_do_not_exist(ec2: Any) -> None:
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId.NotFound"):
        ec2.describe_launch_template_versions(LaunchTemplateId="lt-0123456789abcdef0")
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateName.NotFoundException"):
        ec2.describe_launch_templates(LaunchTemplateNames=["nobody"])
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        create(ec2, "web", {"MetadataOptions": {"HttpPutResponseHopLimit": 65}})
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_a_dry_run_creates_nothing(ec2: Any) -> None:
    with pytest.raises(ClientError, match="DryRunOperation"):
        create(ec2, "web", DryRun=True)
    create(ec2, "web")
    with pytest.raises(ClientError, match="DryRunOperation"):
        version(ec2, "web", {}, DryRun=True)
    assert numbers(ec2.describe_launch_template_versions(LaunchTemplateName="web")) == [("web", 1)]


def test_templates_have_tags_and_are_found_by_them(ec2: Any) -> None:
    create(
        ec2,
        "web",
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "eks:cluster", "Value": "c"}]}
        ],
    )
    create(ec2, "other")
    (row,) = ec2.describe_launch_templates(Filters=[{"Name": "tag:eks:cluster", "Values": ["*"]}])[
        "LaunchTemplates"
    ]
    assert row["LaunchTemplateName"] == "web"
    assert row["Tags"] == [{"Key": "eks:cluster", "Value": "c"}]


def register(ec2: Any, name: str, **arguments: Any) -> str:
    identity: str = ec2.register_image(Name=name, RootDeviceName="/dev/xvda", **arguments)[
        "ImageId"
    ]
    return identity


def support(ec2: Any, image_id: str) -> str | None:
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    found: str | None = image.get("ImdsSupport")
    return found


def test_imds_support_can_be_set_and_never_taken_back(ec2: Any) -> None:
    image_id = register(ec2, "plain")
    assert support(ec2, image_id) is None
    ec2.modify_image_attribute(ImageId=image_id, ImdsSupport={"Value": "v2.0"})
    assert support(ec2, image_id) == "v2.0"
    for value in ("", "v1.0", "none"):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            ec2.modify_image_attribute(ImageId=image_id, Attribute="imdsSupport", Value=value)
    assert support(ec2, image_id) == "v2.0"
    attribute = ec2.describe_image_attribute(ImageId=image_id, Attribute="imdsSupport")
    assert attribute["ImdsSupport"] == {"Value": "v2.0"}


def test_only_launch_permissions_of_an_image_can_be_reset(ec2: Any) -> None:
    image_id = register(ec2, "plain")
    ec2.modify_image_attribute(ImageId=image_id, ImdsSupport={"Value": "v2.0"})
    ec2.modify_image_attribute(
        ImageId=image_id, LaunchPermission={"Add": [{"UserId": "222222222222"}]}
    )
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*launchPermission"):
        ec2.reset_image_attribute(ImageId=image_id, Attribute="imdsSupport")
    ec2.reset_image_attribute(ImageId=image_id, Attribute="launchPermission")
    assert support(ec2, image_id) == "v2.0"
    permissions = ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
    assert permissions["LaunchPermissions"] == []


def test_an_image_of_another_account_cannot_be_changed(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws('[[account]]\nid = "111111111111"\n[[account.region]]\nname = "eu-west-1"\n')
    ec2 = boto("ec2")
    (amazons,) = ec2.describe_images(Owners=["amazon"])["Images"]
    assert (amazons["Public"], amazons["OwnerId"]) == (True, "137112412989")
    with pytest.raises(ClientError, match="AuthFailure"):
        ec2.modify_image_attribute(ImageId=amazons["ImageId"], ImdsSupport={"Value": "v2.0"})
    assert ec2.describe_images(Owners=["self"])["Images"] == []


def test_an_image_is_registered_and_copied_with_its_support(ec2: Any, boto: MakeClient) -> None:
    image_id = register(ec2, "golden", ImdsSupport="v2.0")
    assert support(ec2, image_id) == "v2.0"
    copy = boto("ec2", "us-east-1").copy_image(
        Name="copy", SourceImageId=image_id, SourceRegion="eu-west-1"
    )["ImageId"]
    assert support(boto("ec2", "us-east-1"), copy) == "v2.0"
    instance = ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)["Instances"][0]
    made = ec2.create_image(InstanceId=instance["InstanceId"], Name="made")["ImageId"]
    assert support(ec2, made) == "v2.0"


def test_a_dry_run_on_an_image_changes_nothing(ec2: Any) -> None:
    image_id = register(ec2, "plain")
    with pytest.raises(ClientError, match="DryRunOperation"):
        ec2.modify_image_attribute(ImageId=image_id, ImdsSupport={"Value": "v2.0"}, DryRun=True)
    assert support(ec2, image_id) is None


def test_only_the_accounts_own_images_are_there_and_the_missing_are_named(ec2: Any) -> None:
    image_id = register(ec2, "plain")
    assert [image["ImageId"] for image in ec2.describe_images()["Images"]] == [image_id]
    with pytest.raises(ClientError, match=r"InvalidAMIID.NotFound.*ami-0123456789abcdef0"):
        ec2.describe_images(ImageIds=[image_id, "ami-0123456789abcdef0"])
    with pytest.raises(ClientError, match=r"InvalidAMIID.NotFound"):
        ec2.modify_image_attribute(ImageId="ami-0123456789abcdef0", ImdsSupport={"Value": "v2.0"})


def test_a_launch_template_read_from_an_instance_has_its_options(ec2: Any) -> None:
    instance = ec2.run_instances(
        ImageId="ami-1",
        MinCount=1,
        MaxCount=1,
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3},
    )["Instances"][0]
    answer = ec2.get_launch_template_data(InstanceId=instance["InstanceId"])
    options = answer["LaunchTemplateData"]["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 3)
