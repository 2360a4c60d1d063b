"""Whose credentials an account is read with, and what is said where they do not do."""

import pytest

from aws.scripted_aws import (
    CELL,
    OTHER,
    OWN,
    ManualClock,
    ScriptedAws,
    assumed,
    error,
    instances_page,
    query_error,
)
from imdsctl.aws.wiring import Aws, connect
from imdsctl.model.diagnostics import NoAwsError, UsageError
from imdsctl.model.evidence import Cell, Unreadable

THERE = Cell(OTHER, "us-east-1")


def test_other_accounts_are_read_with_the_role_and_the_own_one_without(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("AssumeRole", assumed("ASIAOTHER"))
    scripted.answers("DescribeInstances", instances_page(["i-1"]))
    for cell in (THERE, CELL, THERE):
        list(aws.fleet.instances(cell))
    keys = [a.access_key for a in scripted.asked if a.operation == "DescribeInstances"]
    assert keys == ["ASIAOTHER", "AKIAOWNOWNOWNOWN", "ASIAOTHER"]
    (role,) = [a for a in scripted.asked if a.operation == "AssumeRole"]
    assert role.parameters["RoleArn"] == f"arn:aws:iam::{OTHER}:role/imdsctl-read"
    assert role.parameters["RoleSessionName"] == "imdsctl"
    assert role.access_key == "AKIAOWNOWNOWNOWN"


def test_two_lists_read_in_turn_keep_their_accounts_apart(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("AssumeRole", assumed("ASIAOTHER"))
    more = [instances_page(["i-1"], token=f"t{n}") for n in range(3)]
    scripted.answers("DescribeInstances", *more, instances_page(["i-2"]))
    here, there = aws.fleet.instances(CELL), aws.fleet.instances(Cell(OTHER, "eu-west-1"))
    for pages in (here, there, here, there):
        next(pages)
    keys = [a.access_key for a in scripted.asked if a.operation == "DescribeInstances"]
    assert keys == ["AKIAOWNOWNOWNOWN", "ASIAOTHER"] * 2


def test_assumed_credentials_are_refreshed_before_they_expire(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("AssumeRole", assumed("ASIAFIRST", expires_in=30), assumed("ASIASECOND"))
    scripted.answers("DescribeInstances", instances_page(["i-1"]))
    for _ in range(2):
        list(aws.fleet.instances(THERE))
    keys = [a.access_key for a in scripted.asked if a.operation == "DescribeInstances"]
    assert keys[-1] == "ASIASECOND"


def test_a_role_that_may_not_be_assumed_makes_its_account_unreadable(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("AssumeRole", query_error("AccessDenied", 403, "not authorized"))
    (only,) = aws.fleet.instances(THERE)
    assert isinstance(only, Unreadable)
    assert only.why == "AccessDenied: not authorized (sts:AssumeRole)"
    assert only.account == OTHER


@pytest.mark.usefixtures("scripted")
def test_another_account_without_a_role_is_wrong_use(clock: ManualClock) -> None:
    aws = connect(role_name=None, clock=clock)
    with pytest.raises(UsageError, match=OTHER):
        list(aws.fleet.instances(THERE))


def test_the_caller_is_asked_once(aws: Aws, scripted: ScriptedAws) -> None:
    assert aws.fleet.caller() == (OWN, f"arn:aws:iam::{OWN}:user/operator")
    aws.fleet.caller()
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_a_caller_whom_aws_does_not_know_is_told_so(
    aws: Aws, scripted: ScriptedAws, code: str
) -> None:
    scripted.answers("GetCallerIdentity", query_error(code, 403))
    with pytest.raises(NoAwsError) as problem:
        aws.fleet.caller()
    assert code in problem.value.diagnostic.detail
    assert "AWS_PROFILE" in problem.value.diagnostic.hint


def test_without_credentials_nothing_goes(
    scripted: ScriptedAws, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    aws = connect(role_name=None, clock=clock)
    with pytest.raises(NoAwsError, match="no valid AWS credentials"):
        aws.fleet.caller()
    assert scripted.asked == []


@pytest.mark.usefixtures("scripted")
def test_an_endpoint_that_is_not_there_is_named(
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    aws = connect(role_name=None, clock=clock)
    with pytest.raises(NoAwsError, match="cannot be reached"):
        aws.fleet.caller()


def test_own_credentials_that_expire_on_the_way_stop_everything(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers(
        "DescribeInstances", instances_page(["i-1"], token="t"), error("RequestExpired")
    )
    pages = aws.fleet.instances(CELL)
    assert isinstance(next(pages), list)
    with pytest.raises(NoAwsError):
        next(pages)


@pytest.mark.parametrize("account", ["", "1234", "12345678901x", "\u0661" * 12])
def test_an_account_that_is_none_is_refused_at_once(account: str, clock: ManualClock) -> None:
    with pytest.raises(UsageError, match="account id"):
        connect(role_name="r", accounts=[account], clock=clock)
