"""Who launches from a template by hand gets V2 only after the first plan, not after the second."""

from typing import Any

from whole_run import Operator, aws_view, changes_of, client, one_region

FLEET = one_region(
    """\
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 3
replaced_per_day = 1
callers = [{ program = "shop", behaviour = "v2" }]
""",
    settled=False,
)
CELLS = (("111111111111", "eu-west-1"),)


def test_the_first_plan_moves_a_default_that_all_groups_pin_by_number(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(FLEET)
    assert operator.scan("--regions", "eu-west-1").code == 0
    before = aws_view(CELLS)["111111111111 eu-west-1"]
    operator.plan()
    applied = operator.apply()
    assert applied.code == 0, str(applied)
    launched = client("ec2").run_instances(
        LaunchTemplate={"LaunchTemplateName": "web"}, MinCount=1, MaxCount=1
    )
    (mine,) = launched["Instances"]
    assert mine["MetadataOptions"]["HttpTokens"] == "required"

    client("ec2").terminate_instances(InstanceIds=[mine["InstanceId"]])
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert changes_of(operator.plan(), "launch-template-version") == []
    back = operator("rollback", operator.run(), "--yes", "-o", "json")
    assert back.code == 0, str(back)
    now = aws_view(CELLS)["111111111111 eu-west-1"]
    for what in ("templates", "versions", "groups", "defaults"):
        assert now[what] == before[what]
