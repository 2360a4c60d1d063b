"""What the guardrails would deny: case by case, and on a fleet before and after its migration."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from whole_run import SMALL_FLEET, Operator

from imdsctl.guard.guardrail import Look, Settings
from imdsctl.guard.policies import book
from imdsctl.model.evidence import AccountDefaults, Calls, Instance, Metric
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import BUILT_IN, MetadataOptions

CASES = tomllib.loads((Path(__file__).parent / "cases" / "launches.toml").read_text())["launch"]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACE: dict[str, Any] = {"account": "111111111111", "region": "eu-west-1"}


def path_of(case: dict[str, Any]) -> LaunchPath:
    explicit = msgspec.convert(case.get("says", {}), MetadataOptions)
    settings = {
        "kind": "group",
        "version": "3",
        "number": 3,
        "decided_by": "built-in",
        **case.get("path", {}),
    }
    effective = msgspec.convert(case.get("gets", {}), MetadataOptions).over(BUILT_IN)
    if settings["kind"] == "unread":
        settings |= {"kind": "group", "number": None}
    return LaunchPath(
        id="web", **PLACE, explicit=explicit, effective=explicit.over(effective), **settings
    )


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["why"])
def test_each_launch_path_gets_the_word_that_aws_documents(case: dict[str, Any]) -> None:
    known = AccountDefaults(
        **PLACE, options=msgspec.convert(case.get("account", {}), MetadataOptions)
    )
    look = Look(
        settings=Settings(enforce=True),
        defaults=None if case.get("account_unread") else known,
        images=frozenset({"ami-known"}),
    )
    path = path_of(case)
    words = {}
    for name in case["words"]:
        found = book()[name].path(path, look)
        assert found is not None
        assert found.why
        words[name] = found.word
    assert words == case["words"]


def machine(profile: str | None = "web", tokens: str = "optional", **more: Any) -> Instance:
    return Instance(
        id="i-0",
        **PLACE,
        state="running",
        launched_at=NOW - timedelta(days=30),
        profile=profile,
        options=MetadataOptions(http_tokens=tokens, http_endpoint="enabled", **more),
    )


def watched(total: int = 0, hours: int = 336, last_call: datetime | None = None) -> Calls:
    return Calls(
        id="i-0",
        **PLACE,
        window_start=NOW - timedelta(days=14),
        window_end=NOW,
        hours_running=336,
        v1=Metric(total=total, hours_with_data=hours, last_call=last_call) if hours else None,
    )


@pytest.mark.parametrize(
    ("instance", "calls", "word"),
    [
        (machine(), watched(total=9), "may-deny"),
        (machine(), watched(hours=0), "may-deny"),
        (machine(), None, "may-deny"),
        (machine(), watched(hours=100), "may-deny"),
        (machine(), watched(), "allow"),
        (machine(profile=None), watched(total=9), "allow"),
        (machine(tokens="required"), watched(5, 100, NOW - timedelta(hours=3)), "may-deny"),
        (machine(tokens="required"), watched(5, 100, NOW - timedelta(hours=9)), "allow"),
    ],
    ids=[
        "it calls v1",
        "no data is no proof",
        "never watched",
        "watched for a part of the time",
        "quiet, with data throughout",
        "no role",
        "flipped three hours ago, credentials still valid",
        "flipped nine hours ago, credentials rotated",
    ],
)
def test_credentials_from_v1(instance: Instance, calls: Calls | None, word: str) -> None:
    look = Look(settings=Settings(), calls=calls)
    found = book()["require-v2-roles"].instance(instance, look)
    assert found is not None
    assert found.word == word


def words_of(answer: Any, guardrail: str) -> dict[str, str]:
    return {a["resource"]: a["word"] for a in answer["affected"] if a["guardrail"] == guardrail}


def test_a_fleet_before_its_migration(operator: Operator, simulated_aws: Any) -> None:
    simulated_aws(SMALL_FLEET)
    operator.scan_all()
    answer = operator("guard", "preflight", "--everything", "-o", "json")
    assert answer.code == 1, str(answer)
    assert answer.json["complete"]
    assert words_of(answer.json, "require-imdsv2") == {
        "web/web:1": "deny",  # pinned to a version that says optional
        "web:$Default": "allow",  # says required
        "api/api:$Default": "may-deny",
        "edge/edge:$Default": "may-deny",
        "jobs/jobs:$Latest": "may-deny",
        "mailer/mailer-2019": "allow",  # not caught
    }
    enforced = words_of(answer.json, "declarative-defaults")
    denied = {path for path, word in enforced.items() if word == "deny"}
    # Enforcement also binds what Auto Scaling launches itself.
    assert denied == {"web/web:1", "edge/edge:$Default", "jobs/jobs:$Latest", "mailer/mailer-2019"}
    # `api` leaves the tokens open, and the policy's own default makes them required.
    assert enforced["api/api:$Default"] == "allow"
    assert answer.json["rollbacks"] == []
    table = operator("guard", "preflight", "--statement", "require-imdsv2")
    assert table.code == 1
    assert "1 denied" in table.out
    assert "web/web:1" in table.out
    assert "max-hop-limit" not in table.out


def test_after_it_only_rollback_is_lost(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(SMALL_FLEET)
    operator.scan_all()
    operator.plan()
    assert operator.apply().code == 0
    operator.scan_all()
    before = aws.control("calls")
    statements = ("deny-v1-modification", "only-admins-change-defaults", "max-hop-limit")
    answer = operator("guard", "preflight", "--statement", *statements, "-o", "json")
    assert aws.control("calls") == before
    assert answer.code == 0, str(answer)
    run = operator.run()
    plan = operator("show", str(operator.plan_file), "-o", "json").json
    kinds = [c["kind"] for w in plan["waves"] for c in w["changes"]]
    lost = {r["guardrail"]: (r["run"], r["word"], r["changes"]) for r in answer.json["rollbacks"]}
    assert lost == {
        "deny-v1-modification": (run, "deny", kinds.count("instance-options")),
        "only-admins-change-defaults": (run, "deny", kinds.count("account-defaults")),
    }
    assert operator("rollback", run, "--yes").code == 0
    again = operator("guard", "preflight", "--statement", *statements, "-o", "json")
    assert again.json["rollbacks"] == []


def test_what_could_not_be_read_is_never_allowed(operator: Operator, simulated_aws: Any) -> None:
    denied = SMALL_FLEET.replace('name = "eu-central-1"', 'name = "eu-central-1"\ndenied = true')
    simulated_aws(denied)
    assert operator.scan_all().code == 3
    answer = operator("guard", "preflight", "--statement", "max-hop-limit", "-o", "json")
    assert answer.code == 3
    assert answer.json["unreadable"]
    assert not answer.json["complete"]


def test_without_a_scan_there_is_nothing_to_say(operator: Operator) -> None:
    assert operator("guard", "preflight").code == 2
