"""Each control against its case file, and what holds for all of them."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from imdsctl.judge import controls
from imdsctl.judge.controls import benchmarks, evaluate, resolve
from imdsctl.model.control import ControlResult
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import (
    AccountDefaults,
    Group,
    Instance,
    Item,
    LaunchConfiguration,
    Recorded,
    TemplateVersion,
    Unreadable,
)
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import MEMBERS, MetadataOptions

ACCOUNT, REGION = "111111111111", "eu-west-1"
NOW = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
CASES = Path(__file__).parent / "cases"
OTHER_REGION = "us-east-1"
POSTURES = {
    "v1-allowed": MetadataOptions(http_tokens="optional", http_endpoint="enabled"),
    "v2-only": MetadataOptions(http_tokens="required", http_endpoint="enabled"),
}


def recorded(item: Item) -> Recorded[Any]:
    return Recorded(id="e7", kind="x", source="ec2", observed_at=NOW, item=item)


def options(given: dict[str, Any]) -> MetadataOptions:
    found = {name: given[name] for name in MEMBERS if name in given}
    return MetadataOptions(**found, state=given.get("options_state"))


def an_instance(given: dict[str, Any], region: str = REGION) -> Recorded[Any]:
    return recorded(
        Instance(
            id="i-0a",
            account=ACCOUNT,
            region=region,
            state=given.get("state", "running"),
            options=options(given),
            launched_at=NOW,
        )
    )


def ask(control: str, given: dict[str, Any]) -> list[ControlResult]:
    """Builds the evidence that a case describes and asks the control."""
    instances, templates, configurations, defaults = [], [], [], []
    paths: list[LaunchPath] = []
    if "instance" in given:
        instances.append(an_instance(given["instance"]))
    if template := given.get("template"):
        templates += [
            recorded(
                TemplateVersion(
                    template_id="lt-1",
                    template_name="web",
                    account=ACCOUNT,
                    region=REGION,
                    number=v["number"],
                    default=v.get("default", False),
                    options=options(v),
                )
            )
            for v in template["versions"]
        ]
        paths += [a_path(posture, template="lt-1") for posture in template["used"]]
    if "launch_configuration" in given:
        said = given["launch_configuration"]
        item = LaunchConfiguration(
            name="old", account=ACCOUNT, region=REGION, options=options(said)
        )
        configurations.append(recorded(item))
        if said["attached"]:
            posture = "v2-only" if said.get("http_tokens") == "required" else "v1-allowed"
            paths.append(a_path(posture, launch_configuration="old"))
    if "account_defaults" in given:
        said = given["account_defaults"]
        defaults.append(
            recorded(
                AccountDefaults(
                    account=ACCOUNT,
                    region=REGION,
                    options=options(said),
                    managed_by=said.get("managed_by", "account"),
                )
            )
        )
        if said["has_instances"]:
            instances.append(an_instance({"http_tokens": "required"}))
    groups: list[Recorded[Any]] = []
    if "group" in given:
        said = given["group"]
        name = "old" if "launch_configuration" in said else None
        group = Group(name="web", account=ACCOUNT, region=REGION, launch_configuration=name)
        groups.append(recorded(group))
        paths += paths_of_group(said)
        for region, key in ((REGION, "launch_configuration"), (OTHER_REGION, "namesake")):
            if key in said and not said[key].get("unread"):
                item = LaunchConfiguration(
                    name="old", account=ACCOUNT, region=region, options=options(said[key])
                )
                configurations.append(recorded(item))
    return list(
        evaluate([control], instances, templates, configurations, defaults, paths, groups=groups)
    )


def paths_of_group(said: dict[str, Any]) -> Iterator[LaunchPath]:
    """The launch paths of the group web: one for its launch configuration, or one a version."""
    if (configuration := said.get("launch_configuration")) is not None:
        name = None if configuration.get("unread") else "old"
        yield group_path(options(configuration), "main", launch_configuration=name)
    for use in said.get("uses", []):
        yield group_path(
            options(use),
            "0" if use.get("override") else "main",
            effective=POSTURES.get(use.get("effective", "")),
            template="lt-1",
            template_name="web",
            number=use.get("version"),
        )


def group_path(
    explicit: MetadataOptions, where: str, *, effective: MetadataOptions | None = None, **uses: Any
) -> LaunchPath:
    return LaunchPath(
        id=f"web/{where}",
        kind="group",
        account=ACCOUNT,
        region=REGION,
        group="web",
        where=[where],
        effective=effective or explicit,
        explicit=explicit,
        decided_by="template",
        **uses,
    )


def a_path(posture: str, **uses: str) -> LaunchPath:
    return LaunchPath(
        id=f"group/{posture}",
        kind="group",
        account=ACCOUNT,
        region=REGION,
        group=posture,
        effective=POSTURES[posture],
        explicit=POSTURES[posture],
        decided_by="template",
        **uses,  # type: ignore[arg-type]
    )


def cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.toml")):
        book = tomllib.loads(path.read_text())
        for control in book["controls"]:
            for case in book["case"]:
                yield pytest.param(control, case, id=f"{control}: {case['name']}")


@pytest.mark.parametrize(("control", "case"), list(cases()))
def test_a_control_answers_as_its_case_file_says(control: str, case: dict[str, Any]) -> None:
    results = ask(control, case["given"])
    expect = case["expect"]
    if expect["status"] == "none":
        assert results == []
        return
    (result,) = results
    assert (result.status, result.effective) == (expect["status"], expect["effective"]), result
    assert result.control == control
    assert result.evidence
    for member in ("why", "note", "remediation"):
        assert expect.get(member, "") in getattr(result, member)
    if result.status == "fail":
        assert result.remediation


def test_every_control_has_a_case_file_that_names_all_of_its_ids() -> None:
    in_files = [tomllib.loads(p.read_text())["controls"] for p in CASES.glob("*.toml")]
    assert sorted(chain.from_iterable(in_files)) == sorted(benchmarks())


def test_controls_disagree_about_the_same_instance_and_both_show_what_is_really_so() -> None:
    off = an_instance({"http_tokens": "optional", "http_endpoint": "disabled"})
    asked = ["ec2.8", "ec2_instance_imdsv2_enabled"]
    results = list(evaluate(asked, [off], [], [], [], []))
    assert [(r.control, r.status, r.effective) for r in results] == [
        ("ec2.8", "fail", "imds-off"),
        ("ec2_instance_imdsv2_enabled", "pass", "imds-off"),
    ]


@pytest.mark.parametrize("what", ["instances", "DescribeInstances", "ec2:DescribeInstances"])
def test_what_could_not_be_read_is_unknown_and_never_silent(what: str) -> None:
    gap = Unreadable(
        account=ACCOUNT, region="eu-south-2", what=what, why="UnauthorizedOperation", seen=990
    )
    (result,) = evaluate(["cis-5.6"], [], [], [], [], [], [gap])
    assert (result.status, result.region) == ("unknown", "eu-south-2")
    assert "UnauthorizedOperation" in result.why
    assert "990 were read" in result.why


def test_a_partly_read_list_gives_its_results_and_the_gap() -> None:
    gap = Unreadable(account=ACCOUNT, region=REGION, what="instances", why="Throttled", seen=1)
    seen = an_instance({"http_tokens": "required"})
    statuses = [r.status for r in evaluate(["ec2.8"], [seen], [], [], [], [], [gap])]
    assert sorted(statuses) == ["pass", "unknown"]


@pytest.mark.parametrize(
    ("what", "control", "results"),
    [
        ("calls", "cis-5.6", 0),
        ("images", "ec2.170", 0),
        ("instances", "ec2.170", 0),
        ("launch-templates", "ec2.170", 1),
        ("launch-templates", "cis-5.6", 0),
        ("regions", "cis-5.6", 1),
        ("regions", "autoscaling.3", 1),
    ],
)
def test_a_gap_concerns_only_the_controls_that_would_have_looked(
    what: str, control: str, results: int
) -> None:
    gap = Unreadable(account=ACCOUNT, region=REGION, what=what, why="denied")
    assert len(list(evaluate([control], [], [], [], [], [], [gap]))) == results


def test_a_region_whose_instances_are_unread_is_not_called_empty() -> None:
    gap = Unreadable(account=ACCOUNT, region=REGION, what="instances", why="denied")
    item = recorded(AccountDefaults(account=ACCOUNT, region=REGION))
    (result,) = evaluate(["ec2_instance_account_imdsv2_enabled"], [], [], [], [item], [], [gap])
    assert result.status == "unknown"


def test_where_groups_are_unread_a_template_is_not_called_safe() -> None:
    gap = Unreadable(account=ACCOUNT, region=REGION, what="groups", why="denied")
    version = TemplateVersion(
        template_id="lt-1",
        template_name="web",
        account=ACCOUNT,
        region=REGION,
        number=1,
        default=True,
        options=POSTURES["v2-only"],
    )
    paths = [a_path("v2-only", template="lt-1")]
    (result,) = evaluate(["ec2.170"], [], [recorded(version)], [], [], paths, [gap])
    assert (result.status, result.effective) == ("pass", "unknown")


def test_the_same_template_id_in_two_regions_is_two_templates() -> None:
    versions = [
        recorded(
            TemplateVersion(
                template_id="lt-1",
                template_name="web",
                account=ACCOUNT,
                region=region,
                number=1,
                default=True,
                options=POSTURES[posture],
            )
        )
        for region, posture in (("eu-west-1", "v1-allowed"), ("us-east-1", "v2-only"))
    ]
    results = evaluate(["ec2.170"], [], versions, [], [], [])
    assert {r.region: r.status for r in results} == {"eu-west-1": "fail", "us-east-1": "pass"}


def test_instances_are_streamed_and_never_gathered() -> None:
    drawn = 0

    def endless() -> Iterator[Recorded[Any]]:
        nonlocal drawn
        while True:
            drawn += 1
            yield an_instance({"http_tokens": "optional"})

    results = evaluate(["cis-5.6"], endless(), [], [], [], [])
    assert [next(results).status for _ in range(3)] == ["fail"] * 3
    assert drawn == 3


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["CIS-5.6"], ["cis-5.6"]),
        (["EC2.8", "ec2.8"], ["ec2.8"]),
        (["cm-7b"], ["nist-800-53-cm-7b"]),
        (["prowler-ec2_instance_imdsv2_enabled"], ["ec2_instance_imdsv2_enabled"]),
    ],
)
def test_ids_are_taken_as_people_write_them(asked: list[str], found: list[str]) -> None:
    assert resolve(asked) == found


def test_a_parameter_changes_what_a_control_asks_for() -> None:
    at_two = an_instance({"http_tokens": "required", "http_put_response_hop_limit": 2})
    asked = ["ec2-token-hop-limit-check", "EC2-token-hop-limit-check:2"]
    first, second = evaluate(asked, [at_two], [], [], [], [])
    assert (first.control, first.status) == ("ec2-token-hop-limit-check", "fail")
    assert (second.control, second.status) == ("ec2-token-hop-limit-check:2", "pass")
    assert "tokenHopLimit 2" in second.benchmark


@pytest.mark.parametrize("asked", ["ec2-token-hop-limit-check:", "ec2-token-hop-limit-check:65"])
def test_a_parameter_out_of_range_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 64"):
        resolve([asked])


def test_a_parameter_for_a_control_that_has_none_is_refused() -> None:
    with pytest.raises(UsageError, match="takes no parameter"):
        resolve(["ec2.8:2"])


def test_a_note_says_where_a_rule_is_not_offered() -> None:
    version = TemplateVersion(
        template_id="lt-1",
        template_name="web",
        account=ACCOUNT,
        region="il-central-1",
        number=1,
        default=True,
    )
    (result,) = evaluate(["ec2.170"], [], [recorded(version)], [], [], [])
    assert result.status == "fail"
    assert "not offered in il-central-1" in result.note


@pytest.mark.parametrize("reading", ["nodegroups", "environments", "capacity-providers"])
def test_owners_that_could_not_be_read_are_no_matter_to_any_control(reading: str) -> None:
    gap = Unreadable(account=ACCOUNT, region=REGION, what=reading, why="AccessDenied")
    assert list(evaluate(["all"], [], [], [], [], [], [gap])) == []


def test_all_asks_each_control_once() -> None:
    found = resolve(["all"])
    assert len(found) == len(list(CASES.glob("*.toml")))
    assert {"cis-5.6", "ec2.8"} <= set(found)
    assert "cis-5.7" not in found


def test_the_controls_asked_by_default_exist() -> None:
    assert resolve(controls.DEFAULT) == list(controls.DEFAULT)


def test_an_unknown_control_is_refused_with_what_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(["cis-5.66"])
    assert "cis-5.6" in caught.value.diagnostic.hint
