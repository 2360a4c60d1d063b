"""What `explain` says of a resource is what the plan does with it."""

from typing import Any

import pytest
from beanstalk_fleet import fleet as beanstalk
from whole_run import SMALL_FLEET, Operator, changes_of, one_region

SHARED = one_region(
    """\
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }
[[account.region.auto_scaling_group]]
name = "pinned"
launch_template = "web"
version = "1"
size = 2
replaced_per_day = 1
callers = [{ program = "shop", behaviour = "v2" }]
[[account.region.auto_scaling_group]]
name = "loud"
launch_template = "web"
version = "$Latest"
size = 2
callers = [{ program = "shop", behaviour = "v1-only" }]
""",
    settled=False,
)
# Elastic Beanstalk made a second version of the environment's own template.
OWN_DEFAULT = (
    beanstalk()
    .replace(
        "[[account.region.launch_configuration]]",
        """[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.launch_configuration]]""",
        1,
    )
    .replace('version = "1"\nsize', 'version = "2"\nsize')
)


def explained(operator: Operator, resource: str) -> dict[str, Any]:
    answer = operator("explain", resource, "-o", "json")
    assert answer.code == 0, str(answer)
    (found,) = [one for one in (answer.json, *answer.json["others"]) if one["resource"] == resource]
    return dict(found)


def test_the_default_version_of_an_environments_own_template(
    operator: Operator, simulated_aws: Any
) -> None:
    simulated_aws(OWN_DEFAULT)
    assert operator.scan("--regions", "eu-west-1").code == 0
    (held,) = [h for h in operator.plan()["held"] if h["resource"] == "awseb-shop:$Default"]
    said = explained(operator, "awseb-shop:$Default")["verdict"]
    assert said["status"] == held["status"] == "blocked"
    assert said["reasons"] == held["reasons"]
    table = operator("explain", "awseb-shop:$Default")
    assert "BLOCKED" in table.out
    assert "READY" not in table.out
    assert "Nothing to do, unless somebody launches from it by hand." in table.out


@pytest.mark.parametrize(
    ("fleet", "settings"),
    [
        (OWN_DEFAULT, ""),
        (beanstalk(), '[plan]\nunproven_boot = "hold"\n'),
        (SHARED, ""),
        (SMALL_FLEET, '[plan]\nmin_confidence = "medium"\n'),
        (SMALL_FLEET, '[plan]\nunproven_boot = "hold"\n'),
    ],
    ids=["own default", "environments held", "shared template", "surer", "unproven boot held"],
)
def test_explain_and_plan_agree_on_everything_that_either_names(
    operator: Operator, simulated_aws: Any, fleet: str, settings: str
) -> None:
    simulated_aws(fleet)
    operator.settings(settings)
    assert operator.scan("--regions", "eu-west-1").code == 0
    plan = operator.plan()
    held = [h for h in plan["held"] if not h["resource"].startswith("ami-")]
    assert held
    for one in held:
        said = explained(operator, one["resource"])["verdict"]
        assert said["status"] == one["status"], one
        rules = [reason["rule"] for reason in said["reasons"]]
        assert rules[: len(one["reasons"])] == [reason["rule"] for reason in one["reasons"]]
    for change in changes_of(plan, "instance-options"):
        assert explained(operator, change["resource"])["verdict"]["status"] == "ready"
