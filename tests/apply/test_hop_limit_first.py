"""The hop limit first, tokens later: who is helped by it, who is not, and a wait that survives."""

import signal
from datetime import datetime
from pathlib import Path
from typing import Any

from killable import Killable, Trap
from whole_run import Operator, aws_view, calls_of, client, cut_off, instances, states_of

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
defaults = { http_tokens = "required", http_put_response_hop_limit = 2 }
[[account.region.instance]]
name = "node"
count = 2
launched_days_ago = 60
booted_days_ago = 5
options.http_tokens = "optional"
options.http_put_response_hop_limit = 1
options.instance_metadata_tags = "enabled"
tags = { "eks:cluster-name" = "shop" }
callers = [{ program = "pod", behaviour = "fallback", container = "bridge" }]
[[account.region.instance]]
name = "old-node"
launched_days_ago = 60
booted_days_ago = 5
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }
tags = { "eks:cluster-name" = "shop" }
callers = [{ program = "old-pod", behaviour = "v1-only", container = "bridge" }]
[[account.region.instance]]
name = "docker"
launched_days_ago = 60
booted_days_ago = 5
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }
callers = [{ program = "app", behaviour = "fallback", container = "bridge" }]
"""
CELL = "111111111111 eu-west-1"
CELLS = (("111111111111", "eu-west-1"),)
DAY = 86_400


def options_of(name: str, aws: Any) -> list[tuple[str, int]]:
    """Tokens and hop limit of the instances with a name, as boto3 sees them."""
    view = aws_view(CELLS)[CELL]["instances"]
    found = [view[i][1] for i in sorted(instances(aws, name))]
    return [(o["HttpTokens"], o["HttpPutResponseHopLimit"]) for o in found]


def gate_of(answer: Any, instance: str) -> dict[str, str]:
    (gate,) = [g for g in answer.json["gates"] if g["name"] == f"agent cycle of {instance}"]
    found: dict[str, str] = gate
    return found


def test_it_is_planned_as_two_changes_and_only_for_what_runs_containers(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    plan = operator.prepared()
    (wave,) = plan["waves"]
    assert wave["cycle_seconds"] == DAY
    (node, _) = sorted(instances(aws, "node"))
    first, second = [c for c in wave["changes"] if c["resource"] == node]
    assert (first["before"]["http_tokens"], first["after"]["http_tokens"]) == ("optional",) * 2
    assert first["after"]["http_put_response_hop_limit"] == 2
    assert "agent-cycle" in first["gates"]
    assert second["needs"] == [first["id"]]
    assert second["before"] == first["after"]
    assert second["after"]["http_tokens"] == "required"
    assert first["id"] not in wave["canaries"]
    (docker,) = instances(aws, "docker")
    assert [h["resource"] for h in plan["held"]] == [docker]
    said = operator("show", str(operator.plan_file)).out
    assert "hop limit to 2 first" in said
    assert "24 h" in said or "1 day" in said
    assert "3 instances" in said


def test_containers_that_only_needed_another_hop_are_migrated_and_v1_only_software_is_found_out(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    before = aws_view(CELLS)[CELL]["instances"]
    answer = operator.apply()
    assert answer.code == 1, str(answer)
    assert options_of("node", aws) == [("required", 2), ("required", 2)]
    (old,) = instances(aws, "old-node")
    assert aws_view(CELLS)[CELL]["instances"][old] == before[old], "exactly as it was"
    failed = gate_of(answer, old)
    assert failed["state"] == "failed"
    assert "after the hop limit was raised to 2" in failed["detail"]
    states = {c["id"]: c["state"] for c in answer.json["changes"] if c["resource"] == old}
    assert sorted(states.values()) == ["rolled-back", "skipped"]
    for node in instances(aws, "node"):
        assert gate_of(answer, node)["state"] == "passed"
        assert "no IMDSv1 call in 24 h" in gate_of(answer, node)["detail"]
    assert cut_off(aws) == {}, "nobody lost anything, not even the one that was taken back"

    assert operator.scan("--regions", "eu-west-1").code == 0
    (held,) = [h for h in operator.plan()["held"] if h["resource"] == old]
    assert "failed-gate" in [r["rule"] for r in held["reasons"]], "it is not tried again"
    verified = operator("verify", operator.run(), "-o", "json")
    assert verified.code == 0, str(verified)
    undone = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert undone.code == 0, str(undone)
    assert aws_view(CELLS)[CELL]["instances"] == before


def test_a_host_that_no_tag_gives_away_can_be_named(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET)
    operator.settings('[hop_bump]\nresources = ["dock*"]\n')
    operator.prepared()
    assert operator.apply().code == 1, "old-node is taken back"
    assert options_of("docker", aws) == [("required", 2)]
    assert cut_off(aws) == {}


def test_it_can_be_switched_off(operator: Operator, simulated_aws: Any) -> None:
    simulated_aws(FLEET)
    operator.settings("[hop_bump]\nenabled = false\n")
    plan = operator.prepared()
    assert plan["waves"] == []
    assert len(plan["held"]) == 4


def test_a_cycle_too_short_to_see_anything_is_refused(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(FLEET)
    operator.settings("[hop_bump]\ncycle_seconds = 60\n")
    refused = operator("plan")
    assert refused.code == 2
    assert "hop_bump.cycle_seconds is 60" in refused.err


def now(aws: Any) -> datetime:
    return datetime.fromisoformat(aws.control("clock")["now"])


def test_the_wait_survives_a_restart_of_the_tool_and_is_not_begun_again(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    began = now(aws)
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    # Some hours into the cycle: the first steps of waiting are ten minutes, twenty, forty, …
    trap.set(victim, 9, "between", only='"advance_seconds"')
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    waited = (now(aws) - began).total_seconds()
    assert 3600 < waited < DAY / 2
    assert options_of("node", aws) == [("optional", 2), ("optional", 2)]
    resumed = operator.resume(operator.run())
    assert resumed.code == 1, str(resumed)
    assert options_of("node", aws) == [("required", 2), ("required", 2)]
    # A day of cycle, two soaks of a day (canary and rest), and no second cycle.
    assert 3 * DAY < (now(aws) - began).total_seconds() < 3.5 * DAY
    assert cut_off(aws) == {}
    # Raised, raised, raised, one taken back, required twice: nothing was done twice.
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == 6


def test_silence_without_data_is_no_silence(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 5, "between", only='"advance_seconds"')
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    first, second = sorted(instances(aws, "node"))
    # It sleeps through half of its cycle, in which nothing can be heard of it.
    client("ec2").stop_instances(InstanceIds=[first])
    aws.control("clock", {"advance_seconds": DAY / 2})
    client("ec2").start_instances(InstanceIds=[first])
    resumed = operator.resume(operator.run())
    assert resumed.code == 1, str(resumed)
    assert gate_of(resumed, first)["state"] == "failed"
    assert "no data is no silence" in gate_of(resumed, first)["detail"]
    assert gate_of(resumed, second)["state"] == "passed"
    assert options_of("node", aws) == [("optional", 1), ("required", 2)]


def test_a_metric_that_cannot_be_read_stops_the_run_with_tokens_still_optional(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    # The checks of the batches find nothing to ask for; the fault meets the cycle's first looks.
    aws.control("faults", [{"operation": "GetMetricData", "fault": "denied"}])
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert {t for t, _ in options_of("node", aws)} == {"optional"}
    aws.control("faults", [])
    resumed = operator.resume(stopped.json["run"])
    assert resumed.code == 1, str(resumed)
    assert options_of("node", aws) == [("required", 2), ("required", 2)]
    assert cut_off(aws) == {}


def test_a_plan_half_applied_by_another_run_is_no_drift(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    trap = Trap(aws)
    victim = Killable(operator.arguments("apply", str(operator.plan_file), "--yes"), tmp_path)
    trap.set(victim, 5, "between", only='"advance_seconds"')
    assert victim.wait() == -signal.SIGKILL
    trap.open()
    assert options_of("node", aws) == [("optional", 2), ("optional", 2)]
    again = operator.apply()
    assert again.code == 1, str(again)
    assert options_of("node", aws) == [("required", 2), ("required", 2)]


def test_a_dry_run_shows_both_steps_and_changes_nothing(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    before = aws_view(CELLS)
    dry = operator.apply("--dry-run")
    assert dry.code == 0, str(dry)
    assert set(states_of(dry).values()) == {"applied"}
    assert aws_view(CELLS) == before
    assert calls_of(aws, "ModifyInstanceMetadataOptions") == 0
