"""Which options a launch would get, and which launch paths there are."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from imdsctl.judge.paths import PathFinder, effective_options
from imdsctl.model.evidence import (
    AccountDefaults,
    Group,
    GroupMember,
    GroupSpec,
    Image,
    Instance,
    LaunchConfiguration,
    Recorded,
    TemplateSpec,
    TemplateVersion,
)
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import MetadataOptions

ACCOUNT, REGION = "111111111111", "eu-west-1"
NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
V1, V2 = MetadataOptions(http_tokens="optional"), MetadataOptions(http_tokens="required")
NONE = MetadataOptions()
V2_IMAGE = Image(id="ami-2", account=ACCOUNT, region=REGION, imds_support="v2.0")
OLD_IMAGE = Image(id="ami-1", account=ACCOUNT, region=REGION)


@pytest.mark.parametrize(
    ("template", "account", "image", "tokens", "decider"),
    [
        # The user guide's table: launch parameter, account default, image, and what comes out.
        ("V2", "none", "v2.0", "required", "template"),
        ("V2", "V2", "v2.0", "required", "template"),
        ("V2", "V1", "v2.0", "required", "template"),
        ("V1", "none", "v2.0", "optional", "template"),
        ("V1", "V2", "v2.0", "optional", "template"),
        ("V1", "V1", "v2.0", "optional", "template"),
        ("none", "none", "v2.0", "required", "image"),
        ("none", "V2", "v2.0", "required", "account default"),
        ("none", "V1", "v2.0", "optional", "account default"),
        ("V2", "none", "old", "required", "template"),
        ("V2", "V2", "old", "required", "template"),
        ("V2", "V1", "old", "required", "template"),
        ("V1", "none", "old", "optional", "template"),
        ("V1", "V2", "old", "optional", "template"),
        ("V1", "V1", "old", "optional", "template"),
        ("none", "none", "old", "optional", "built-in"),
        ("none", "V2", "old", "required", "account default"),
        ("none", "V1", "old", "optional", "account default"),
    ],
)
def test_the_tokens_follow_aws_order_of_precedence(
    template: str, account: str, image: str, tokens: str, decider: str
) -> None:
    said = {"V1": V1, "V2": V2, "none": NONE}
    images = {"v2.0": V2_IMAGE, "old": OLD_IMAGE}
    effective, by = effective_options(said[template], said[account], images[image])
    assert (effective.http_tokens, by) == (tokens, decider)


def test_each_option_is_decided_on_its_own() -> None:
    """An account's hop limit of 1 stands beside the image's required tokens."""
    effective, decider = effective_options(
        MetadataOptions(instance_metadata_tags="enabled"),
        MetadataOptions(http_put_response_hop_limit=1),
        V2_IMAGE,
    )
    assert decider == "image"
    assert effective == MetadataOptions(
        http_tokens="required",
        http_put_response_hop_limit=1,
        http_endpoint="enabled",
        http_protocol_ipv6="disabled",
        instance_metadata_tags="enabled",
    )


@pytest.mark.parametrize(
    ("image", "hops"), [(V2_IMAGE, 2), (OLD_IMAGE, 1), (None, 1)], ids=["v2.0", "old", "not known"]
)
def test_the_hop_limit_is_the_images_where_nobody_chose_one(image: Image | None, hops: int) -> None:
    assert effective_options(NONE, NONE, image)[0].http_put_response_hop_limit == hops


def test_a_launch_configuration_is_not_saved_by_the_account_default() -> None:
    """It is not documented that the default or the image reaches it, so neither counts."""
    for said, account in product((NONE, V1), (NONE, V1, V2)):
        effective, decider = effective_options(
            said, account, V2_IMAGE, account_default_applies=False
        )
        assert effective.posture == "v1-allowed"
        assert decider == ("launch configuration" if said is V1 else "built-in")
    effective, decider = effective_options(V2, V1, OLD_IMAGE, account_default_applies=False)
    assert (effective.posture, decider) == ("v2-only", "launch configuration")


def recorded(item: Any, evidence_id: str = "e1") -> Recorded[Any]:
    return Recorded(id=evidence_id, kind="x", source="ec2", observed_at=NOW, item=item)


def template(
    name: str,
    *versions: MetadataOptions,
    default: int = 1,
    image: str | None = None,
    tags: dict[str, str] | None = None,
) -> list[Recorded[TemplateVersion]]:
    """All versions of a template, from number 1 up."""
    return [
        recorded(
            TemplateVersion(
                template_id=f"lt-{name}",
                template_name=name,
                account=ACCOUNT,
                region=REGION,
                number=number,
                default=number == default,
                latest=number == len(versions),
                options=options,
                image=image,
                tags=tags or {},
            ),
            f"{name}{number}",
        )
        for number, options in enumerate(versions, 1)
    ]


def group(name: str, *specs: str, configuration: str | None = None, **rest: Any) -> Recorded[Group]:
    """A group; a spec is `template:version`, the first is the main one, the others overrides."""
    return recorded(
        Group(
            name=name,
            account=ACCOUNT,
            region=REGION,
            mixed=len(specs) > 1,
            launch_configuration=configuration,
            specs=[
                GroupSpec(
                    template=TemplateSpec(
                        id=f"lt-{spec.partition(':')[0]}",
                        name=spec.partition(":")[0],
                        version=spec.partition(":")[2],
                    ),
                    override=index - 1 if index else None,
                )
                for index, spec in enumerate(specs)
            ],
            **rest,
        ),
        f"group-{name}",
    )


def found(
    *,
    templates: tuple[list[Recorded[TemplateVersion]], ...] = (),
    groups: tuple[Recorded[Group], ...] = (),
    configurations: tuple[LaunchConfiguration, ...] = (),
    default: MetadataOptions | None = NONE,
    images: tuple[Image, ...] = (),
    instances: tuple[Instance, ...] = (),
) -> dict[str, LaunchPath]:
    defaults = (
        recorded(AccountDefaults(account=ACCOUNT, region=REGION, options=default), "defaults")
        if default is not None
        else None
    )
    finder = PathFinder(
        templates=[version for versions in templates for version in versions],
        configurations=[recorded(c, f"lc-{c.name}") for c in configurations],
        groups=groups,
        defaults=defaults,
        images=[recorded(image) for image in images],
        instances=instances,
    )
    return {path.id: path for path in finder.paths()}


def configuration(name: str, options: MetadataOptions = NONE) -> LaunchConfiguration:
    return LaunchConfiguration(name=name, account=ACCOUNT, region=REGION, options=options)


def an_instance(instance_id: str, template_name: str | None, **rest: Any) -> Instance:
    return Instance(
        id=instance_id,
        account=ACCOUNT,
        region=REGION,
        options=V1,
        launched_at=NOW,
        template=TemplateSpec(id=f"lt-{template_name}", name=template_name, version="1")
        if template_name
        else None,
        **{"state": "running", **rest},
    )


@pytest.mark.parametrize(
    ("version", "number", "posture"),
    [("1", 1, "v1-allowed"), ("$Default", 2, "v2-only"), ("$Latest", 3, "v1-allowed")],
)
def test_a_group_is_judged_by_the_version_that_it_really_uses(
    version: str, number: int, posture: str
) -> None:
    paths = found(
        templates=(template("web", V1, V2, V1, default=2),), groups=(group("g", f"web:{version}"),)
    )
    path = paths[f"g/web:{version}"]
    assert (path.number, path.effective.posture, path.version) == (number, posture, version)
    assert path.evidence == ["group-g", f"web{number}", "defaults"]
    assert path.decided_by == "template"


def test_every_override_that_names_another_template_is_a_path_of_its_own() -> None:
    paths = found(
        templates=(template("web", V2), template("arm", V1), template("gpu", NONE)),
        groups=(group("g", "web:1", "arm:$Default", "web:1", "gpu:$Latest", "arm:$Default"),),
    )
    assert {path.id: path.where for path in paths.values()} == {
        "g/web:1": ["main", "1"],
        "g/arm:$Default": ["0", "3"],
        "g/gpu:$Latest": ["2"],
    }
    assert {path.id: path.effective.posture for path in paths.values()} == {
        "g/web:1": "v2-only",
        "g/arm:$Default": "v1-allowed",
        "g/gpu:$Latest": "v1-allowed",
    }


def test_a_template_that_no_group_uses_is_a_path_by_its_default_version() -> None:
    paths = found(
        templates=(template("spare", V2, V1, default=2), template("web", V1)),
        groups=(group("g", "web:$Default"),),
    )
    assert set(paths) == {"g/web:$Default", "spare:$Default"}
    spare = paths["spare:$Default"]
    assert (spare.kind, spare.number, spare.effective.posture) == ("template", 2, "v1-allowed")


def test_a_default_version_that_groups_pass_by_is_a_path_too() -> None:
    """Whoever starts an instance by hand gets the default, whatever the group pins."""
    paths = found(templates=(template("web", V1, V2),), groups=(group("g", "web:2"),))
    assert set(paths) == {"g/web:2", "web:$Default"}


def test_instances_started_by_hand_belong_to_the_templates_own_path() -> None:
    by_hand, in_a_group = an_instance("i-1", "spare"), an_instance("i-2", "spare", group="other")
    gone = an_instance("i-3", "spare", state="terminated")
    paths = found(templates=(template("spare", V1),), instances=(by_hand, in_a_group, gone))
    assert paths["spare:$Default"].members == ["i-1"]


def test_launch_configurations_are_paths_whether_a_group_uses_them_or_not() -> None:
    paths = found(
        configurations=(configuration("used"), configuration("spare", V2)),
        groups=(group("g", configuration="used", members=[GroupMember(id="i-1")]),),
    )
    assert {path.id: (path.kind, path.effective.posture) for path in paths.values()} == {
        "g/used": ("group", "v1-allowed"),
        "spare": ("launch-configuration", "v2-only"),
    }
    assert paths["g/used"].members == ["i-1"]


def test_a_version_that_was_not_read_is_a_path_without_a_number() -> None:
    paths = found(templates=(template("web", V2),), groups=(group("g", "web:9"),))
    path = paths["g/web:9"]
    assert (path.number, path.explicit, path.evidence) == (None, NONE, ["group-g", "defaults"])


def test_a_group_whose_launch_configuration_was_not_read_is_still_a_path() -> None:
    paths = found(
        groups=(group("g", configuration="lost", members=[GroupMember(id="i-1")]),), default=V2
    )
    path = paths["g/lost"]
    assert (path.group, path.members, path.number) == ("g", ["i-1"], None)
    assert path.effective.posture == "v1-allowed"
    assert path.launch_configuration is None


def test_an_image_proves_nothing_while_the_account_default_is_not_known() -> None:
    """An account default of `optional` would outweigh it."""
    made_for_v2 = template("web", NONE, image="ami-2")
    known = found(templates=(made_for_v2,), images=(V2_IMAGE,))
    assert known["web:$Default"].effective.posture == "v2-only"
    not_known = found(templates=(made_for_v2,), images=(V2_IMAGE,), default=None)
    assert not_known["web:$Default"].effective.posture == "v1-allowed"


@pytest.mark.parametrize(
    ("tag", "owner"),
    [
        ("eks:nodegroup-name", "EKS managed node group blue"),
        ("elasticbeanstalk:environment-name", "Elastic Beanstalk environment blue"),
        ("karpenter.sh/nodepool", "Karpenter node pool blue"),
        ("team", None),
    ],
)
def test_tags_tell_which_service_owns_a_group(tag: str, owner: str | None) -> None:
    paths = found(
        templates=(template("web", V1),), groups=(group("g", "web:1", tags={tag: "blue"}),)
    )
    assert paths["g/web:1"].owner == owner
