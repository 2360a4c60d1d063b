"""An Elastic Beanstalk environment is moved by its own option, and by nothing else."""

import signal
from pathlib import Path
from typing import Any

import pytest
from beanstalk_fleet import BOOT_ONLY, NOT_VITAL, environment, fleet, option
from killable import Killable, Trap
from whole_run import (
    Operator,
    aws_view,
    calls_of,
    changes_of,
    client,
    cut_off,
    instances,
    mutating_calls,
    states_of,
)

HOME = "111111111111 eu-west-1"
CELLS = (("111111111111", "eu-west-1"),)
SHOP = "beanstalk-option:111111111111:eu-west-1:shop-prod"
MAIL = "beanstalk-option:111111111111:eu-west-1:mail-prod"


def tokens(aws: Any, group: str) -> set[str]:
    return {
        one["options"]["http_tokens"]
        for one in instances(aws, group).values()
        if one["state"] == "running"
    }


def test_environments_are_moved_by_their_own_option_and_back(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    before = aws_view(CELLS)[HOME]
    plan = operator.prepared()
    others = ("account-defaults", "image-imds-support")
    changes = {c["id"]: c for c in changes_of(plan) if c["kind"] not in others}
    assert set(changes) == {SHOP, MAIL}, "neither their templates, groups nor instances"
    assert changes[SHOP]["before"]["disable_imdsv1"] == "false"
    assert changes[MAIL]["before"]["disable_imdsv1"] is None
    assert changes[MAIL]["inverse"] == {"disable_imdsv1": None}
    assert any("launch template" in note for note in changes[MAIL]["notes"])
    told = operator("show", str(operator.plan_file)).out
    assert "environment shop-prod: DisableIMDSv1 false → true, 3 instances replaced" in told
    assert "environment mail-prod: DisableIMDSv1 not set → true" in told

    applied = operator.apply()
    assert applied.code == 0, str(applied)
    assert (option("shop-prod"), option("mail-prod")) == ("true", "true")
    assert environment("shop-prod")["Status"] == "Ready"
    assert tokens(aws, "awseb-shop") == tokens(aws, "awseb-mail") == {"required"}
    made = mutating_calls(aws)
    assert made.pop("UpdateEnvironment") == 2
    assert set(made) == {"ModifyInstanceMetadataDefaults"}
    assert cut_off(aws) == {}
    verified = operator("verify", "-o", "json")
    assert verified.code == 0, str(verified)
    assert operator("scan", "--regions", "eu-west-1").code == 0
    assert [c for c in changes_of(operator.plan()) if c["kind"] == "beanstalk-option"] == []

    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert (option("shop-prod"), option("mail-prod")) == ("false", None)
    assert tokens(aws, "awseb-shop") == tokens(aws, "awseb-mail") == {"optional"}
    assert aws_view(CELLS)[HOME]["defaults"] == before["defaults"]


def test_elastic_beanstalk_rolls_an_update_back_whose_instances_do_not_become_healthy(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(BOOT_ONLY))
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert states_of(stopped)[SHOP] == "rolled-back"
    assert option("shop-prod") == "false"
    assert environment("shop-prod")["Health"] == "Green"
    assert tokens(aws, "awseb-shop") == {"optional"}
    for key in cut_off(aws):
        assert instances(aws)[key]["state"] == "terminated"

    # The next plan does not try the same again, and touches no instance behind its back.
    again = operator.prepared()
    assert SHOP not in {c["id"] for c in changes_of(again)}
    assert not changes_of(again, "instance-options")
    (held,) = [h for h in again["held"] if "/" in h["resource"] and h["name"] == "awseb-shop"]
    assert held["status"] == "blocked"
    assert held["reasons"][0]["rule"] == "failed-gate"


@pytest.mark.parametrize(("size", "cancelled"), [(6, 0), (5, 1)])
def test_refused_calls_that_no_health_check_minds_take_the_update_back(
    size: int, cancelled: int, operator: Operator, simulated_aws: Any
) -> None:
    # Three batches are through before the metric tells; of five, the last ones are spared.
    aws = simulated_aws(fleet(NOT_VITAL, size=size))
    operator.prepared()
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    (told,) = [c for c in stopped.json["changes"] if c["id"] == SHOP]
    assert told["state"] == "rolled-back"
    assert "1 IMDSv1 call rejected" in told["detail"]
    assert calls_of(aws, "AbortEnvironmentUpdate") == cancelled
    assert calls_of(aws, "UpdateEnvironment") == 3 - cancelled, "the mail's, the shop's, and back"
    assert option("shop-prod") == "false"
    assert tokens(aws, "awseb-shop") == {"optional"}
    assert environment("shop-prod")["Status"] == "Ready"


def test_an_environment_with_a_caller_is_held_with_all_its_instances(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(fleet('behaviour = "v1-only"'))
    plan = operator.prepared()
    assert SHOP not in {c["id"] for c in changes_of(plan)}
    assert not changes_of(plan, "instance-options")
    held = {h["resource"]: h for h in plan["held"]}
    assert held["awseb-shop/awseb-shop:1"]["status"] == "blocked"


def test_an_environment_that_is_updated_by_somebody_else_is_left_alone(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    client("elasticbeanstalk").update_environment(
        EnvironmentName="mail-prod",
        OptionSettings=[
            {
                "Namespace": "aws:elasticbeanstalk:application:environment",
                "OptionName": "COLOUR",
                "Value": "blue",
            }
        ],
    )
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert states_of(stopped)[MAIL] == "failed"
    aws.control("clock", {"advance_seconds": 3600})
    finished = operator.resume(operator.run())
    assert finished.code == 0, str(finished)
    assert option("mail-prod") == "true"


def test_an_option_that_somebody_else_set_since_is_not_touched(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(fleet(option=""))
    operator.prepared()
    client("elasticbeanstalk").update_environment(
        EnvironmentName="shop-prod",
        OptionSettings=[
            {
                "Namespace": "aws:autoscaling:launchconfiguration",
                "OptionName": "DisableIMDSv1",
                "Value": "false",
            }
        ],
    )
    aws.control("clock", {"advance_seconds": 3600})
    stopped = operator.apply()
    assert states_of(stopped)[SHOP] == "failed"
    assert option("shop-prod") == "false"


def test_a_dry_run_changes_nothing(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    answer = operator.apply("--dry-run")
    assert answer.code == 0, str(answer)
    assert states_of(answer)[SHOP] == "applied"
    assert mutating_calls(aws) == {}


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_killed_at_its_one_call_and_resumed_it_is_made_once(
    when: Any, operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet())
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 2, when, only="Action=UpdateEnvironment&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    resumed = operator.resume(operator.run())
    assert resumed.code == 0, str(resumed)
    assert (option("shop-prod"), option("mail-prod")) == ("true", "true")
    assert len(instances(aws, "awseb-shop")) == 6, "three instances, each replaced once"
    assert cut_off(aws) == {}


def test_an_update_that_was_rolled_back_while_nobody_watched_is_not_made_again(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet(BOOT_ONLY))
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 2, "between", only="Action=UpdateEnvironment&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    aws.control("clock", {"advance_seconds": 6 * 3600})
    made = calls_of(aws, "UpdateEnvironment")
    stopped = operator.resume(operator.run())
    assert stopped.code == 4, str(stopped)
    assert states_of(stopped)[SHOP] == "rolled-back"
    assert calls_of(aws, "UpdateEnvironment") == made


def test_killed_while_it_is_taken_back_the_rollback_goes_on(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(fleet(option=""))
    operator.prepared()
    assert operator.apply().code == 0
    trap = Trap(aws)
    victim = Killable(operator.arguments("rollback", operator.run(), "--yes"), tmp_path)
    trap.set(victim, 1, "between", only="Action=UpdateEnvironment&")
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    assert (option("shop-prod"), option("mail-prod")) == (None, None)
    assert tokens(aws, "awseb-shop") == {"optional"}


def test_no_other_setting_of_an_environment_reaches_store_plan_or_log(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(fleet())
    operator.prepared()
    applied = operator.apply("-v")
    told = operator("explain", "awseb-shop", "-o", "json")
    assert "a-secret-of-the-application" not in applied.out + applied.err + told.out
    for file in operator.folder.iterdir():
        assert b"a-secret-of-the-application" not in file.read_bytes(), file
