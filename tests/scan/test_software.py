"""Software that Systems Manager lists as too old: read in few calls, said, and never decisive."""

from pathlib import Path
from typing import Any

import pytest
from botocore.retries import standard
from whole_run import OWN, SMALL_FLEET, Answer, Operator, calls_of, changes_of, instances

HEAD = """
start = 2026-11-11T09:00:00Z
history_days = 14
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
"""
FLEET = f"""{HEAD}
[[account.region.instance]]
name = "caller"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["awscli 1.16.100", "openssl 3.0.8"]
callers = [{{ program = "aws", behaviour = "v1-only" }}]
[[account.region.instance]]
name = "quiet"
count = 3
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["awscli 1.16.100", "curl 7.1"]
callers = [{{ program = "app", behaviour = "v2" }}]
[[account.region.instance]]
name = "agent"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["amazon-ssm-agent 2.3.612.0"]
callers = [{{ program = "app", behaviour = "v2" }}]
[[account.region.instance]]
name = "noisy"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["amazon-ssm-agent 2.3.978.0"]
callers = [{{ program = "amazon-ssm-agent", behaviour = "v1-first" }}]
[[account.region.instance]]
name = "modern"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["awscli 2.15.0"]
callers = [{{ program = "app", behaviour = "v2" }}]
[[account.region.instance]]
name = "unmanaged"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["awscli 1.16.100"]
ssm = false
callers = [{{ program = "app", behaviour = "v2" }}]
[[account.region]]
name = "eu-central-1"
"""
RULES = {"old-software", "noisy-software", "ssm-agent"}
REGIONS = ("--regions", "eu-west-1,eu-central-1")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore retries as often as ever, and does not wait in between."""
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)


def scanned(operator: Operator, *words: str) -> Answer:
    answer = operator.scan(*REGIONS, *words)
    assert answer.code == 0, str(answer)
    return answer


def explained(operator: Operator, aws: Any, name: str) -> Any:
    instance = next(iter(instances(aws, name)))
    return operator("explain", instance, "-o", "json").json


def said(document: Any) -> dict[str, str]:
    """What the rules on software said of an instance."""
    reasons = document["verdict"]["reasons"]
    return {r["rule"]: r["summary"] for r in reasons if r["rule"] in RULES}


def test_with_calls_the_likely_caller_is_named_and_the_calls_decide(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    scanned(operator)
    verdict = explained(operator, aws, "caller")["verdict"]
    assert (verdict["status"], verdict["confidence"]) == ("blocked", "high")
    first, second = verdict["reasons"][:2]
    assert first["summary"].startswith("The likely caller is AWS CLI 1.16.100 (package awscli)")
    assert "upgrade the aws cli to 1.16.289" in first["fix"].lower()
    assert second["rule"] == "calls-seen"


def test_without_calls_it_lowers_the_confidence_and_holds_nothing(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    scanned(operator)
    document = explained(operator, aws, "quiet-1")
    assert (document["verdict"]["status"], document["verdict"]["confidence"]) == ("ready", "low")
    assert "Nothing called IMDSv1 in the window" in said(document)["old-software"]
    assert explained(operator, aws, "modern")["verdict"]["confidence"] == "medium"
    planned = {c["name"] for c in changes_of(operator.plan(), "instance-options")}
    assert {"quiet-1", "quiet-2", "quiet-3", "agent", "modern", "unmanaged"} == planned


def test_an_old_agent_is_lost_and_one_that_tries_v1_first_is_noise(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    scanned(operator)
    lost = said(explained(operator, aws, "agent"))
    assert set(lost) == {"ssm-agent"}
    assert "Systems Manager loses the instance" in lost["ssm-agent"]
    noise = said(explained(operator, aws, "noisy"))
    assert set(noise) == {"noisy-software"}
    assert "no proof that nothing else calls" in noise["noisy-software"]


def test_what_is_not_managed_or_not_too_old_has_no_such_evidence(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    scanned(operator)
    for name in ("modern", "unmanaged"):
        document = explained(operator, aws, name)
        assert said(document) == {}
        assert "software" not in {piece["kind"] for piece in document["evidence"]}
    (piece,) = [p for p in explained(operator, aws, "noisy")["evidence"] if p["kind"] == "software"]
    assert piece["source"] == "ssm"
    assert piece["summary"] == (
        "Amazon Linux 2023, agent 2.3.978.0 Active; too old or v1 first: amazon-ssm-agent 2.3.978.0"
    )


def test_scan_and_status_count_them(operator: Operator, simulated_aws: Any) -> None:
    simulated_aws(FLEET)
    assert scanned(operator).json["software"] == {"too_old": 5, "v1_first": 1}
    assert operator("status", "-o", "json").json["software"] == {"too_old": 5, "v1_first": 1}
    assert "5 with software too old for IMDSv2 · 1 with some that asks v1 first" in (
        operator("status").out
    )


def test_only_what_is_known_as_too_old_is_kept(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    simulated_aws(FLEET)
    scanned(operator)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"awscli" in kept
    for other in (b"openssl", b"curl", b"2.15.0"):
        assert other not in kept


def test_the_question_can_be_left_out_and_then_says_nothing(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    scanned(operator)
    asked = calls_of(aws, "GetInventory")
    assert asked > 0
    scanned(operator, "--no-software")
    assert said(explained(operator, aws, "quiet-1")) == {}
    operator.settings("[scan]\nsoftware = false\n")
    scanned(operator)
    assert calls_of(aws, "GetInventory") == asked
    assert operator("status", "-o", "json").json["software"] == {"too_old": 0, "v1_first": 0}
    scanned(operator, "--software")
    assert calls_of(aws, "GetInventory") == 2 * asked
    assert "old-software" in said(explained(operator, aws, "quiet-1"))


@pytest.mark.parametrize("fault", ["denied", "throttle", "garbled"])
@pytest.mark.usefixtures("impatient")
def test_where_systems_manager_does_not_answer_the_scan_says_so_and_all_else_stands(
    fault: str, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    aws.control("faults", [{"operation": "GetInventory", "fault": fault}])
    answer = operator.scan(*REGIONS)
    assert answer.code == 3, str(answer)
    assert [u["what"] for u in answer.json["unreadable"]] == ["software"], "nothing runs elsewhere"
    assert "--no-software" in answer.err
    assert "ssm:GetInventory" in answer.err
    verdict = explained(operator, aws, "quiet-1")["verdict"]
    assert (verdict["status"], verdict["confidence"]) == ("ready", "medium")
    assert explained(operator, aws, "caller")["verdict"]["status"] == "blocked"
    table = operator("scan", *REGIONS)
    assert table.code == 3
    if fault == "denied":
        assert "access denied: ssm:GetInventory" in table.out
    scanned(operator, "--no-software")
    assert operator("status").code == 0, "what was left out is no gap"


def test_packages_that_could_not_be_read_do_not_hide_the_agents_that_could(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    # The agents are asked for first, three times.
    aws.control("faults", [{"operation": "GetInventory", "after": 3, "fault": "denied"}])
    answer = operator.scan(*REGIONS)
    assert answer.code == 3, str(answer)
    (gap,) = answer.json["unreadable"]
    assert gap["seen"] == 2
    assert set(said(explained(operator, aws, "agent"))) == {"ssm-agent"}
    assert said(explained(operator, aws, "quiet-1")) == {}


def test_a_plan_is_the_same_with_and_without(operator: Operator, simulated_aws: Any) -> None:
    fleet = SMALL_FLEET.replace("callers = [", 'software = ["boto 1"]\ncallers = [')
    fleet = fleet.replace('"boto 1"', '"python-boto 2.49.0", "amazon-ssm-agent 2.3.612.0"')
    simulated_aws(fleet)
    assert operator.scan_all().json["software"]["too_old"] > 0
    told = operator.plan("--enforce")
    operator.settings("[scan]\nsoftware = false\n")
    assert operator.scan_all().json["software"]["too_old"] == 0
    untold = operator.plan("--enforce")

    def essence(plan: Any) -> Any:
        return [
            [(c["id"], c["kind"], c["resource"], c["after"], c["gates"]) for c in wave["changes"]]
            for wave in plan["waves"]
        ], [(h["resource"], h["status"]) for h in plan["held"]]

    assert essence(told) == essence(untold)


def test_a_reading_that_is_missing_does_not_hold_enforcement(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(
        HEAD.replace(
            'name = "eu-west-1"',
            'name = "eu-west-1"\n'
            'defaults = { http_tokens = "required", http_put_response_hop_limit = 2 }',
        )
        + '[[account.region.instance]]\nname = "done"\nlaunched_days_ago = 60\n'
        'options = { http_tokens = "required", http_put_response_hop_limit = 2 }\n'
    )
    aws.control("faults", [{"operation": "GetInventory", "fault": "denied"}])
    assert operator.scan("--regions", "eu-west-1").code == 3
    plan = operator("plan", "--enforce", "-o", "json")
    assert [c["kind"] for c in changes_of(plan.json)] == ["account-enforcement"], str(plan)


HOSTS_OF_CONTAINERS = f"""{HEAD}
[[account.region.instance]]
name = "node"
launched_days_ago = 60
options = {{ http_tokens = "optional", http_put_response_hop_limit = 1 }}
tags = {{ "eks:cluster-name" = "shop" }}
software = ["awscli 1.16.100"]
callers = [{{ program = "pod", behaviour = "fallback", container = "bridge" }}]
"""


def test_a_guess_at_the_caller_keeps_no_host_from_its_higher_hop_limit(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(HOSTS_OF_CONTAINERS)
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert set(said(explained(operator, aws, "node"))) == {"old-software"}
    raised, required = changes_of(operator.plan(), "instance-options")
    assert raised["after"]["http_put_response_hop_limit"] == 2
    assert "IMDSv1 calls in 14 days" in raised["reason"]
    assert "likely" not in raised["reason"]
    assert required["after"]["http_tokens"] == "required"


TWO_OF_ONE_VERSION = f"""{HEAD}
[[account.region.instance]]
name = "old"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["awscli 1.16.100"]
callers = [{{ program = "app", behaviour = "v2" }}]
[[account.region.instance]]
name = "new"
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
software = ["awscli 2.15.0", "nmap 1.16.100"]
callers = [{{ program = "app", behaviour = "v2" }}]
"""


def test_where_more_match_than_were_counted_nothing_is_sure(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(TWO_OF_ONE_VERSION)
    answer = operator.scan("--regions", "eu-west-1")
    assert answer.json["software"] == {"too_old": 0, "v1_first": 0}
    for name in ("old", "new"):
        document = explained(operator, aws, name)
        assert document["verdict"]["confidence"] == "medium", "as without it"
        assert "may be too old: perhaps" in said(document)["old-software"]


def test_what_was_read_long_ago_is_no_longer_told(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET)
    scanned(operator)
    aws.control("clock", {"advance_seconds": 34 * 86_400})
    assert "old-software" in said(explained(operator, aws, "quiet-1"))
    aws.control("clock", {"advance_seconds": 2 * 86_400})
    assert said(explained(operator, aws, "quiet-1")) == {}


MANY = f"""{HEAD}
[[account.region.instance]]
name = "many"
count = 2000
launched_days_ago = 60
options = {{ http_tokens = "optional" }}
"""


@pytest.mark.parametrize(
    ("software", "most"),
    [
        # Three beginnings of old agents, and one page of counts.
        ([], 4),
        (["awscli 2.15.0", "amazon-ssm-agent 3.3.551.0"], 4),
        # Every instance, 50 in a page, for each package and for the agent.
        (["awscli 1.16.100"], 4 + 40),
        (["awscli 1.16.100", "python-boto 2.49.0", "amazon-ssm-agent 2.3.612.0"], 3 + 1 + 3 * 40),
    ],
)
def test_two_thousand_instances_take_few_calls(
    software: list[str], most: int, operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(f"{MANY}software = {software}\n")
    answer = operator.scan("--regions", "eu-west-1")
    assert answer.code == 0, str(answer)
    assert answer.json["software"]["too_old"] == (2000 if most > 4 else 0)
    assert 0 < calls_of(aws, "GetInventory") <= most
    assert calls_of(aws, "DescribeInstanceInformation", "ListInventoryEntries") == 0


def test_a_region_where_nothing_runs_costs_no_call(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(HEAD)
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert calls_of(aws, "GetInventory") == 0


def test_software_of_another_account_is_read_there(operator: Operator, simulated_aws: Any) -> None:
    other = FLEET.split("[[account]]", 1)[1].replace(OWN, "222222222222")
    aws = simulated_aws(f"{HEAD}\n[[account]]{other}")
    answer = operator.scan(*REGIONS, "--accounts", "222222222222", "--role-name", "imdsctl-read")
    assert answer.code == 0, str(answer)
    assert answer.json["software"] == {"too_old": 5, "v1_first": 1}
    assert explained(operator, aws, "caller")["account"] == "222222222222"
