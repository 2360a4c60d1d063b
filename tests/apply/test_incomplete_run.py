"""A run that came to its end without having done everything: nobody takes it for a success."""

from typing import Any

import pytest
from whole_run import Operator, aws_view, changes_of, instances, one_region, states_of

FLEET = one_region(
    """\
[[account.region.instance]]
name = "sandbox"
count = 6
options = { http_tokens = "optional" }
launched_days_ago = 26
booted_days_ago = 5
tags = { env = "dev" }
callers = [{ program = "shell", behaviour = "v2" }]
""",
)
HERE = "111111111111 eu-west-1"
CELLS = (("111111111111", "eu-west-1"),)
MODIFY = "ModifyInstanceMetadataOptions"
DENIED = [{"operation": MODIFY, "after": 2, "times": 1, "fault": "denied"}]
"""The canaries' two calls get through, and the first of the others does not."""


def tokens() -> list[str]:
    found = aws_view(CELLS)[HERE]["instances"].values()
    return sorted(options["HttpTokens"] for _, options in found)


def failed_one(answer: Any) -> str:
    (failed,) = [c for c in answer.json["changes"] if c["state"] == "failed"]
    return str(failed["resource"])


@pytest.mark.parametrize("via", ["ec2", "ssm"])
def test_one_change_that_failed_is_no_success_and_a_resumed_run_goes_on_with_it(
    operator: Operator, simulated_aws: Any, via: str
) -> None:
    aws = simulated_aws(FLEET)
    plan = operator.prepared()
    aws.control("faults", DENIED)
    first = operator.apply("--via", via)
    assert first.code == 4, str(first)
    assert first.json["state"] == "incomplete"
    assert sorted(states_of(first).values()) == ["applied"] * 5 + ["failed"]
    assert tokens() == ["optional"] + ["required"] * 5

    one = operator("runs", first.json["run"])
    assert "incomplete" in one.out
    assert f"1 not done: {failed_one(first)}" in " ".join(one.out.split())
    assert f"imdsctl apply --resume {first.json['run']}" in one.err
    assert operator("runs", "-o", "json").json["runs"][0]["state"] == "incomplete"

    aws.control("faults", [])
    again = operator.resume(first.json["run"])
    assert again.code == 0, str(again)
    assert again.json["state"] == "finished"
    assert set(states_of(again).values()) == {"applied"}
    assert len(changes_of(plan)) == 6
    assert tokens() == ["required"] * 6


def test_the_last_lines_name_what_failed_and_what_to_do_and_a_new_plan_can_do_it(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    aws.control("faults", DENIED)
    first = operator("apply", str(operator.plan_file), "--yes")
    assert first.code == 4
    aws.control("faults", [])
    (left,) = [
        i
        for i, one in instances(aws, "sandbox").items()
        if one["options"]["http_tokens"] != "required"
    ]
    told = " ".join(first.out.split())
    assert f"incomplete: 1 not done: {left}: " in told
    assert "UnauthorizedOperation" in told[told.index("incomplete: ") :], "and why, at the very end"
    run = operator.run()
    assert f"next: imdsctl apply --resume {run}" in " ".join(first.err.split())
    assert f"imdsctl explain {left}" in first.err

    assert operator.scan("--regions", "eu-west-1").code == 0
    (only,) = changes_of(operator.plan())
    assert only["resource"] == left
    assert operator.apply().code == 0
    assert tokens() == ["required"] * 6


def test_too_many_that_fail_still_stop_the_wave(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    aws.control("faults", [{**DENIED[0], "times": 3}])
    stopped = operator.apply()
    assert stopped.code == 4, str(stopped)
    assert stopped.json["state"] == "stopped"


@pytest.mark.parametrize("via", ["ec2", "ssm"])
def test_a_rollback_that_could_not_restore_one_says_so_in_the_runs_and_can_be_repeated(
    operator: Operator, simulated_aws: Any, via: str
) -> None:
    aws = simulated_aws(FLEET)
    operator.prepared()
    assert operator.apply().code == 0
    run = operator.run()
    aws.control("faults", [{"operation": MODIFY, "after": 2, "times": 1, "fault": "denied"}])
    back = operator("rollback", run, "--yes", "--via", via, "-o", "json")
    assert back.code == 4, str(back)
    assert back.json["state"] == "incomplete"
    assert tokens() == ["optional"] * 5 + ["required"]
    assert "rollback: 1 not done: i-" in " ".join(operator("runs", run).out.split())

    aws.control("faults", [])
    again = operator("rollback", run, "--yes", "-o", "json")
    assert again.code == 0, str(again)
    assert again.json["state"] == "rolled-back"
    assert tokens() == ["optional"] * 6
