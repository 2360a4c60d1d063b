"""Enforcement and ImdsSupport, from the plan to the way back, as boto3 sees it."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from killable import Killable, Trap
from whole_run import OWN, Answer, Operator, changes_of, client, mutating_calls, states_of

from imdsctl.simulator.server import SimulatedAws

FLEET = """
start = 2026-11-11T09:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
[[account.region.image]]
name = "spare"
[[account.region.image]]
name = "modern"
imds_support = "v2.0"
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
image = "golden"
options = { http_put_response_hop_limit = 2 }
[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 2
replaced_per_day = 1
callers = [{ program = "shop", behaviour = "v2" }]

[[account.region]]
name = "eu-central-1"
[[account.region.image]]
name = "old"
[[account.region.instance]]
name = "legacy"
image = "old"
launched_days_ago = 300
booted_days_ago = 5
callers = [{ program = "old-sdk", behaviour = "v1-only" }]

[[account.region]]
name = "us-east-1"
defaults = { http_tokens = "optional", managed_by = "declarative-policy", managed_exception_message = "ask cloud-platform" }
"""  # noqa: E501 - a line of TOML
REGIONS = ("eu-west-1", "eu-central-1", "eu-north-1", "us-east-1")
HERE, EMPTY, LOUD = (f"{OWN}/{region}" for region in ("eu-west-1", "eu-north-1", "eu-central-1"))


@pytest.fixture
def aws(simulated_aws: Any) -> SimulatedAws:
    found: SimulatedAws = simulated_aws(FLEET)
    return found


def scan(operator: Operator) -> None:
    answer = operator.scan("--regions", ",".join(REGIONS))
    assert answer.code == 0, str(answer)


def through(operator: Operator) -> str:
    """Everything but the one-way doors is done; the name of the run."""
    scan(operator)
    operator.plan()
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    scan(operator)
    return operator.run()


def images(region: str = "eu-west-1") -> dict[str, Any]:
    found = client("ec2", region).describe_images(Owners=["self"])["Images"]
    return {image["Name"]: image for image in found}


def support(name: str) -> str | None:
    found: str | None = images()[name].get("ImdsSupport")
    return found


def enforced(region: str = "eu-west-1") -> str | None:
    level = client("ec2", region).get_instance_metadata_defaults()["AccountLevel"]
    found: str | None = level.get("HttpTokensEnforced")
    return found


def web() -> dict[str, str]:
    """The tokens of the instances in the group."""
    pages = client("ec2").get_paginator("describe_instances").paginate()
    return {
        i["InstanceId"]: i["MetadataOptions"]["HttpTokens"]
        for page in pages
        for r in page["Reservations"]
        for i in r["Instances"]
        if i["State"]["Name"] == "running"
    }


def one_way(plan: Any) -> dict[str, Any]:
    (wave,) = [w for w in plan["waves"] if w["number"] == 3]
    return {change["resource"]: change for change in wave["changes"]}


def assert_refused_untouched(aws: SimulatedAws, operator: Operator, answer: Answer) -> None:
    made = mutating_calls(aws)
    assert answer.code == 5, str(answer)
    assert operator("runs", "-o", "json").json["runs"] == []
    assert made == {}


# --- account defaults ------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_every_enabled_region_gets_its_default_also_where_nothing_runs(operator: Operator) -> None:
    answer = operator.scan("--regions", "all")
    assert answer.code == 0, str(answer)
    enabled = {r["RegionName"] for r in client("ec2").describe_regions()["Regions"]}
    assert len(enabled) > 10
    plan = operator.plan()
    planned = {c["region"] for c in changes_of(plan, "account-defaults")}
    assert planned == enabled - {"us-east-1"}, "the organization owns that one"
    (held,) = [h for h in plan["held"] if h["resource"] == "account-defaults"]
    assert held["region"] == "us-east-1"
    assert "ask cloud-platform" in held["reasons"][0]["summary"]
    assert operator.apply("--wave", "-1").code == 0
    for region in ("ap-south-1", "eu-north-1"):
        level = client("ec2", region).get_instance_metadata_defaults()["AccountLevel"]
        assert level == {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2,
            "ManagedBy": "account",
        }


@pytest.mark.usefixtures("aws")
def test_account_defaults_and_enforcement_are_explained(operator: Operator) -> None:
    scan(operator)
    every = operator("explain", "account-defaults", "-o", "json").json
    found = {d["region"]: d for d in [every, *every["others"]]}
    assert {d["verdict"]["status"] for d in found.values()} == {"ready", "blocked"}
    assert found["us-east-1"]["owner"] == "a declarative policy of the organization"
    here = operator("explain", LOUD)
    assert here.code == 0
    assert "account-enforcement 111111111111/eu-central-1" in here.out
    assert "still allows IMDSv1 (blocked)" in here.out


# --- asked for by name -----------------------------------------------------------------------


def test_without_a_name_the_one_way_doors_are_left_out_and_everything_else_is_done(
    aws: SimulatedAws, operator: Operator
) -> None:
    scan(operator)
    plan = operator.plan("--enforce")
    spare = images()["spare"]["ImageId"]
    assert {spare, EMPTY} <= set(one_way(plan))
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    states = states_of(answer)
    for change in changes_of(plan):
        wanted = "pending" if change["irreversible"] else "applied"
        assert states[change["id"]] == wanted, change["id"]
    details = {c["resource"]: c["detail"] for c in answer.json["changes"]}
    assert details[EMPTY] == f"one way, and not asked for by name (--allow-irreversible {EMPTY})"
    assert "ModifyImageAttribute" not in mutating_calls(aws)
    assert enforced("eu-north-1") is None
    assert set(web().values()) == {"required"}
    table = operator("apply", str(operator.plan_file), "--yes")
    assert "left out: 3 one-way changes, not asked for by name" in table.out


@pytest.mark.parametrize("words", [("--wave", "3"), ()])
def test_a_door_that_is_not_named_stays_shut_and_nothing_is_done(
    words: tuple[str, ...], aws: SimulatedAws, operator: Operator
) -> None:
    scan(operator)
    operator.plan("--only", "spare")
    answer = operator.apply(*words)
    assert "--allow-irreversible" in answer.err
    assert "--yes does not stand for a name" in answer.err
    assert_refused_untouched(aws, operator, answer)
    dry = operator.apply("--dry-run", *words)
    assert dry.code == 5


@pytest.mark.parametrize("name", ["all", "ami-0123456789abcdef0", "*", "golden"])
def test_a_name_that_the_plan_does_not_have_is_refused(
    name: str, aws: SimulatedAws, operator: Operator
) -> None:
    scan(operator)
    operator.plan()
    answer = operator.apply("--allow-irreversible", name)
    assert answer.code == 2
    assert repr(name) in answer.err
    assert mutating_calls(aws) == {}


def test_a_name_of_a_wave_that_was_not_chosen_is_refused(
    aws: SimulatedAws, operator: Operator
) -> None:
    scan(operator)
    operator.plan()
    spare = images()["spare"]["ImageId"]
    answer = operator.apply("--wave", "-1", "--allow-irreversible", spare)
    assert answer.code == 2
    assert "--wave 3" in answer.err
    assert mutating_calls(aws) == {}


def test_a_door_waits_for_the_waves_that_it_builds_on(
    aws: SimulatedAws, operator: Operator
) -> None:
    scan(operator)
    operator.plan()
    golden = images()["golden"]["ImageId"]
    answer = operator.apply("--wave", "3", "--allow-irreversible", golden)
    assert answer.code == 5
    assert "needs the freeze first" in answer.err
    assert mutating_calls(aws) == {}
    spare = images()["spare"]["ImageId"]
    assert operator.apply("--wave", "3", "--allow-irreversible", spare).code == 0
    assert (support("spare"), support("golden")) == ("v2.0", None)


@pytest.mark.usefixtures("aws")
def test_a_dry_run_walks_through_a_named_door_without_opening_it(operator: Operator) -> None:
    through(operator)
    operator.plan("--enforce")
    spare = images()["spare"]["ImageId"]
    answer = operator.apply("--dry-run", "--allow-irreversible", spare, HERE)
    assert answer.code == 0, str(answer)
    states = {c["resource"]: c["state"] for c in answer.json["changes"]}
    assert (states[spare], states[HERE], states[EMPTY]) == ("applied", "applied", "pending")
    assert support("spare") is None
    assert enforced() is None


def test_a_run_keeps_its_names_when_it_is_resumed(
    aws: SimulatedAws, operator: Operator, tmp_path: Path
) -> None:
    through(operator)
    operator.plan("--enforce")
    spare = images()["spare"]["ImageId"]
    trap = Trap(aws)
    words = ("apply", str(operator.plan_file), "--yes", "--allow-irreversible", spare)
    victim = Killable(operator.arguments(*words), tmp_path)
    trap.set(victim, 1, "between", only="Action=ModifyImageAttribute&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    assert support("spare") == "v2.0", "the call got through, its answer did not"
    answer = operator.resume(operator.run())
    assert answer.code == 0, str(answer)
    states = {c["resource"]: c["state"] for c in answer.json["changes"]}
    assert (states[spare], states[HERE]) == ("applied", "pending")
    # And more can be asked for on the way.
    more = operator("apply", "--resume", operator.run(), "--yes", "--allow-irreversible", HERE)
    assert more.code == 0
    assert enforced() == "enabled"


# --- enforcement -----------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_enforcement_is_held_until_everything_else_is_done(operator: Operator) -> None:
    scan(operator)
    plan = operator.plan("--enforce")
    held = {h["resource"]: h for h in plan["held"]}
    assert HERE in held
    assert held[f"{OWN}/us-east-1"]["reasons"][0]["rule"] == "declarative-policy"
    run = through(operator)
    plan = operator.plan("--enforce")
    assert set(one_way(plan)) >= {HERE, EMPTY}
    (loses,) = one_way(plan)[HERE]["loses"]
    assert (loses["run"], loses["instances"]) == (run, 2)
    assert LOUD in {h["resource"] for h in plan["held"]}


@pytest.mark.usefixtures("aws")
def test_the_settings_can_ask_for_it_as_well(operator: Operator) -> None:
    operator.settings("[plan]\nenforce = true\n")
    scan(operator)
    assert EMPTY in one_way(operator.plan())


@pytest.mark.usefixtures("aws")
def test_enforcement_shuts_every_way_back_and_its_own_rollback_opens_it(
    operator: Operator,
) -> None:
    first = through(operator)
    operator.plan("--enforce")
    answer = operator.apply("--allow-irreversible", HERE)
    assert answer.code == 0, str(answer)
    assert (enforced(), enforced("eu-north-1")) == ("enabled", None)
    second = operator.run()
    assert operator("verify", second).code == 0
    golden = images()["golden"]["ImageId"]
    with pytest.raises(ClientError, match="httpTokensEnforced is enabled"):
        client("ec2").run_instances(
            ImageId=golden, MinCount=1, MaxCount=1, MetadataOptions={"HttpTokens": "optional"}
        )
    for words in ((), ("--only", "web")):
        back = operator("rollback", first, "--yes", *words)
        assert back.code == 5
        assert f"imdsctl rollback {second} --only {HERE}" in back.err
    assert set(web().values()) == {"required"}
    assert operator("rollback", second, "--yes").code == 0
    assert enforced() is None, "no preference, as before"
    assert operator("rollback", first, "--yes").code == 0
    assert set(web().values()) == {"optional"}


@pytest.mark.usefixtures("aws")
def test_one_run_that_did_it_all_lifts_enforcement_before_it_takes_back_the_rest(
    operator: Operator,
) -> None:
    scan(operator)
    operator.plan("--enforce")
    assert operator.apply("--allow-irreversible", EMPTY).code == 0
    assert enforced("eu-north-1") == "enabled"
    only = operator("rollback", "--yes", "--only", "account-defaults")
    assert only.code == 5, "the default of eu-north-1 is not set back under enforcement"
    back = operator("rollback", "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert back.json["state"] == "rolled-back"
    assert {state for key, state in states_of(back).items() if "image" not in key} == {
        "rolled-back"
    }
    assert client("ec2", "eu-north-1").get_instance_metadata_defaults()["AccountLevel"] == {}


def test_where_enforcement_cannot_be_lifted_the_rest_there_is_left_alone(
    aws: SimulatedAws, operator: Operator
) -> None:
    scan(operator)
    operator.plan("--enforce", "--only", EMPTY)
    assert operator.apply("--allow-irreversible", EMPTY).code == 0
    aws.control(
        "faults", [{"operation": "ModifyInstanceMetadataDefaults", "fault": "denied", "times": 1}]
    )
    back = operator("rollback", "--yes", "-o", "json")
    assert back.code == 4
    found = {c["kind"]: c for c in back.json["changes"]}
    assert "HttpTokensEnforced is still enabled" in found["account-defaults"]["detail"]
    assert enforced("eu-north-1") == "enabled"
    assert operator("rollback", "--yes").code == 0
    assert enforced("eu-north-1") is None


@pytest.mark.usefixtures("aws")
def test_what_came_to_allow_v1_since_the_plan_keeps_the_door_shut(operator: Operator) -> None:
    through(operator)
    operator.plan("--enforce")
    late = client("ec2").run_instances(
        ImageId=images()["golden"]["ImageId"],
        MinCount=1,
        MaxCount=1,
        MetadataOptions={"HttpTokens": "optional"},
    )["Instances"][0]["InstanceId"]
    answer = operator.apply("--allow-irreversible", HERE)
    assert answer.code == 4
    (told,) = [c for c in answer.json["changes"] if c["resource"] == HERE]
    assert told["state"] == "failed"
    assert f"{late} allows IMDSv1 now" in told["detail"]
    assert enforced() is None
    client("ec2").terminate_instances(InstanceIds=[late])
    assert operator.resume(operator.run()).code == 0
    assert enforced() == "enabled"


@pytest.mark.usefixtures("aws")
def test_a_group_that_was_pointed_back_to_v1_keeps_the_door_shut(operator: Operator) -> None:
    through(operator)
    operator.plan("--enforce")
    version = client("ec2").create_launch_template_version(
        LaunchTemplateName="web",
        SourceVersion="1",
        LaunchTemplateData={"MetadataOptions": {"HttpTokens": "optional"}},
    )["LaunchTemplateVersion"]["VersionNumber"]
    client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchTemplate={"LaunchTemplateName": "web", "Version": str(version)},
    )
    answer = operator.apply("--allow-irreversible", HERE)
    assert answer.code == 4
    assert "group web would launch instances on v1 now" in answer.out
    assert enforced() is None


def test_an_open_run_holds_enforcement(aws: SimulatedAws, operator: Operator) -> None:
    scan(operator)
    operator.plan()
    fault = {"operation": "ModifyInstanceMetadataOptions", "fault": "denied", "times": 1}
    aws.control("faults", [fault])
    assert operator.apply().code == 4
    scan(operator)
    plan = operator.plan("--enforce")
    held = {h["resource"]: [r["rule"] for r in h["reasons"]] for h in plan["held"]}
    assert "run-open" in held[HERE]
    assert operator("rollback", "--yes").code == 0
    scan(operator)
    assert "run-open" not in str(operator.plan("--enforce")["held"])


# --- images ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_own_images_are_listed_with_who_launches_them(operator: Operator) -> None:
    scan(operator)
    found = operator("status", "-o", "json").json["images"]
    assert (found["own"], found["v2_only"]) == (4, 1)
    (launched,) = found["launched"]
    assert (launched["name"], launched["launched_by"][0]) == ("golden", "group web")
    golden = images()["golden"]["ImageId"]
    for name in (golden, "golden"):
        told = operator("explain", name, "-o", "json").json
        assert told["resource"] == golden
        assert told["launched_by"][0] == "group web"
        assert told["launched_by"][-1] == "2 instances"
        assert told["verdict"]["status"] == "ready"
    old = operator("explain", "old")
    assert "BLOCKED" in old.out
    assert "legacy came from it" in old.out
    assert "own images" in operator("status").out
    rows = json.loads(operator("report", "-o", "json").out)["images"]
    assert {r["name"]: r["launched"] for r in rows} == {
        "golden": True,
        "old": True,
        "spare": False,
    }
    page = operator("report", "-o", "html").out
    assert "Images without ImdsSupport" in page


@pytest.mark.usefixtures("aws")
def test_an_image_is_set_once_verified_and_stands_when_the_rest_goes_back(
    operator: Operator,
) -> None:
    scan(operator)
    plan = operator.plan()
    golden = images()["golden"]["ImageId"]
    assert one_way(plan)[golden]["inverse"] is None
    answer = operator.apply("--allow-irreversible", golden)
    assert answer.code == 0, str(answer)
    assert (support("golden"), support("spare")) == ("v2.0", None)
    assert operator("verify").code == 0
    refused = operator("rollback", "--yes", "--only", golden)
    assert refused.code == 5
    assert "new image" in refused.err
    back = operator("rollback", "--yes", "-o", "json")
    assert back.code == 1, "it did what it could, and one change stands"
    for change in back.json["changes"]:
        if change["resource"] == golden:
            assert (change["state"], "stands" in change["detail"]) == ("applied", True)
        elif change["kind"] != "image-imds-support":
            assert change["state"] == "rolled-back"
    assert back.json["state"] == "rolled-back"
    assert set(web().values()) == {"optional"}
    assert support("golden") == "v2.0"
    again = operator("rollback", "--yes")
    assert again.code == 5, "only what cannot be taken back is left"
    assert operator.resume(operator.run()).code == 5


@pytest.mark.usefixtures("aws")
def test_an_image_that_is_gone_or_has_it_by_now_is_left_alone(operator: Operator) -> None:
    scan(operator)
    operator.plan()
    found = images()
    spare, golden = found["spare"]["ImageId"], found["golden"]["ImageId"]
    client("ec2").deregister_image(ImageId=spare)
    client("ec2").modify_image_attribute(ImageId=golden, ImdsSupport={"Value": "v2.0"})
    answer = operator.apply("--allow-irreversible", spare, golden)
    assert answer.code == 0, str(answer)
    told = {c["resource"]: (c["state"], c["detail"]) for c in answer.json["changes"]}
    assert told[spare] == ("skipped", "the image was deregistered")
    assert told[golden] == ("skipped", "already so")


@pytest.mark.usefixtures("aws")
def test_what_cannot_be_undone_is_said_before_it_is_asked_for(operator: Operator) -> None:
    run = through(operator)
    operator.plan("--enforce")
    spare = images()["spare"]["ImageId"]
    table = operator("show", str(operator.plan_file)).out
    assert f"! image {spare} (spare): ImdsSupport – → v2.0" in table
    assert "the only way back is a new image from the snapshot" in table
    assert f"! account {HERE}: HttpTokensEnforced – → enabled" in table
    assert f"loses its way back: {run} (2 instances" in table
