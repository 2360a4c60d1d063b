"""The policies of `imdsctl permissions`, held against the calls that the commands really make."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from policy_judges import ALLOW_ALL, findings, needs_evaluator, needs_linter, results, simulation
from real_hosts import need_hosts
from whole_run import OWN, SMALL_FLEET, Answer, Operator, client, states_of

from imdsctl.aws.model import CHANGE, READ
from imdsctl.cli.app import COMMANDS as REGISTERED
from imdsctl.guard.permissions import (
    CHANGING,
    COMMANDS,
    EXTRAS,
    OFFLINE,
    READING,
    actions_of,
    policy_of,
)

NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}
"""AWS answers this one to everybody (STS API Reference, GetCallerIdentity)."""

_TROUBLE = {
    "autoscaling:CancelInstanceRefresh",
    "autoscaling:RollbackInstanceRefresh",
    "elasticbeanstalk:AbortEnvironmentUpdate",
}
ONLY_IN_TROUBLE = {
    "apply": _TROUBLE | {"eks:ListUpdates"},
    "rollback": _TROUBLE,
    "verify": {"eks:DescribeUpdate", "eks:ListUpdates"},
}
"""Calls for a replacement that fails, or that is still under way."""

OWNED = """
[[account.region.auto_scaling_group]]
name = "awseb-shop"
launch_template = "edge"
version = "1"
size = 2
replaced_per_day = 1
beanstalk_environment = "shop-prod"
disable_imdsv1 = false
[[account.region.auto_scaling_group]]
name = "tasks"
launch_template = "web"
version = "1"
size = 2
replaced_per_day = 1
ecs_cluster = "main"

"""
"""Groups that other services own, for the calls that are made for those alone."""

ME = f"arn:aws:iam::{OWN}:role/imdsctl"

FAILING = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "edge"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.auto_scaling_group]]
name = "edge"
launch_template = "edge"
version = "1"
size = 3
callers = [
  { program = "edge", behaviour = "v2" },
  { program = "billing", behaviour = "v1-only", when = "boot", vital = false },
]
[[account.region.launch_template]]
name = "nodes"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.auto_scaling_group]]
name = "eks-nodes"
launch_template = "nodes"
eks_nodegroup = "nodes"
callers = [
  { program = "kubelet", behaviour = "v2" },
  { program = "billing", behaviour = "v1-only", when = "boot", vital = false },
]
"""
"""Two groups whose instances call v1 only while they boot, which no health check minds."""


NODES = """
[[account.region.launch_template]]
name = "nodes"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.auto_scaling_group]]
name = "eks-nodes"
launch_template = "nodes"
version = "1"
size = 2
replaced_per_day = 1
eks_nodegroup = "nodes"
callers = [{ program = "kubelet", behaviour = "v2", container = "host" }]
"""
"""A managed node group in the last region of the small fleet."""


HOST = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "box"
launched_days_ago = 60
booted_days_ago = 5
options = { http_tokens = "optional" }
"""


def service_of(operation: str) -> str:
    """The service of an operation; no two of ours have the same name."""
    (service,) = {
        service
        for operations in (READ, CHANGE)
        for service, names in operations.items()
        if operation in names
    }
    return service


class Recorder:
    """Which actions each command asked of the simulated AWS."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.seen: dict[str, set[str]] = {}
        self._before = self._counts()

    def _counts(self) -> Counter[str]:
        rows = self.aws.control("calls")["calls"]
        return Counter({r["operation"]: 0 for r in rows}) + Counter(
            [r["operation"] for r in rows for _ in range(r["count"])]
        )

    def after(self, command: str, answer: Answer) -> Answer:
        now = self._counts()
        made = {f"{service_of(o)}:{o}" for o in now - self._before}
        self.seen.setdefault(command, set()).update(made)
        self._before = now
        return answer


def allowed(command: str, *, via_ssm: bool = False) -> set[str]:
    """The actions that a command's policy allows, without what no command calls."""
    policy = policy_of(command, READ, CHANGE, role_name="imdsctl-read", via_ssm=via_ssm)
    return {a for s in policy["Statement"] for a in s["Action"]} - set(EXTRAS)


@pytest.fixture(params=["in-place", "refresh"])
def recorded(request: pytest.FixtureRequest, operator: Operator, simulated_aws: Any) -> Recorder:
    """A whole migration and its way back, in two accounts, with every command's calls recorded."""
    other_account = '[[account]]\nid = "222222222222"'
    fleet = SMALL_FLEET.replace(other_account, OWNED + other_account)
    aws = simulated_aws(fleet + NODES)
    spare = client("ec2", "eu-central-1").register_image(Name="spare", RootDeviceName="/dev/xvda")
    recorder = Recorder(aws)
    operator.settings(f'[plan]\nexisting = "{request.param}"\n')
    assert recorder.after("scan", operator.scan_all()).code == 0
    for offline in (("status",), ("plan", "-f", str(operator.plan_file)), ("check",)):
        recorder.after(offline[0], operator(*offline))
    assert recorder.after("apply", operator.apply()).code == 0
    run = operator.run()
    assert recorder.after("verify", operator("verify", run)).code == 0
    recorder.after("guard", operator("guard", "preflight"))
    assert recorder.after("rollback", operator("rollback", run, "--yes")).code == 0
    _through_the_one_way_doors(operator, recorder, spare["ImageId"])
    return recorder


def _through_the_one_way_doors(operator: Operator, recorder: Recorder, image: str) -> None:
    """Enforcement where nothing runs, and an image that nobody launches."""
    doors = (image, f"{OWN}/eu-central-1")
    assert recorder.after("scan", operator.scan_all()).code == 0
    operator.plan("--enforce", "--only", *doors)
    applied = operator.apply("--allow-irreversible", *doors)
    assert recorder.after("apply one way", applied).code == 0
    assert set(states_of(applied).values()) == {"applied"}
    assert recorder.after("verify", operator("verify")).code == 0
    back = operator("rollback", "--yes", "-o", "json")
    assert recorder.after("rollback one way", back).code == 1, "the image stays as it is"


def test_no_policy_is_too_short_or_too_long(recorded: Recorder) -> None:
    for command in (*READING, *CHANGING):
        made = recorded.seen[command] - NEEDS_NO_PERMISSION
        assert made - allowed(command) == set(), f"{command}: the policy is too short"
        spare = allowed(command) - made - ONLY_IN_TROUBLE.get(command, set())
        assert spare == set(), f"{command}: the policy is too long"
    for command in set(recorded.seen) & set(OFFLINE):
        assert recorded.seen[command] == set()


def test_the_one_way_doors_take_a_policy_of_their_own(recorded: Recorder) -> None:
    made = {c: recorded.seen[f"{c} one way"] - NEEDS_NO_PERMISSION for c in CHANGING}
    for command in CHANGING:
        assert made[command] <= allowed(command) | allowed("enforce")
    # The account default is in both, each time for other members (see the conditions).
    assert made["apply"] - allowed("apply") == {"ec2:ModifyImageAttribute", "ec2:DescribeImages"}
    # The doors of the test are in the own account.
    assert allowed("enforce") - {"sts:AssumeRole"} <= made["apply"]
    assert "ec2:ModifyImageAttribute" not in allowed("change")


def test_what_fails_is_taken_back_within_the_policy(operator: Operator, simulated_aws: Any) -> None:
    recorder = Recorder(simulated_aws(FAILING))
    recorder.after("scan", operator.scan("--regions", "eu-west-1"))
    operator.plan()
    assert recorder.after("apply", operator.apply()).code == 4
    assert "autoscaling:RollbackInstanceRefresh" in recorder.seen["apply"]
    assert recorder.seen["apply"] - NEEDS_NO_PERMISSION <= allowed("apply")


def test_a_look_at_hosts_needs_its_own_policy_beside_that_of_verify(
    operator: Operator, simulated_aws: Any
) -> None:
    need_hosts()
    recorder = Recorder(simulated_aws(HOST))
    recorder.after("scan", operator.scan("--regions", "eu-west-1"))
    operator.plan()
    recorder.after("apply", operator.apply())
    recorder.after("verify", operator("verify"))
    beside = actions_of("verify-host", READ, CHANGE)
    assert not recorder.seen["verify"] & beside
    assert recorder.after("verify-host", operator("verify", "--host")).code == 0
    made = recorder.seen["verify-host"] - NEEDS_NO_PERMISSION
    assert made - allowed("verify") == beside
    statements = policy_of("verify-host", READ, CHANGE)["Statement"]
    (send,) = [s for s in statements if "ssm:SendCommand" in s["Action"]]
    assert send["Action"] == ["ssm:SendCommand"]
    assert send["Resource"] == [
        "arn:aws:ssm:*:*:document/AWS-RunShellScript",
        "arn:aws:ec2:*:*:instance/*",
    ]


HELD = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
user_data = "echo"
[[account.region.instance]]
name = "box"
user_data = "echo"
"""
"""User data on an instance and in a template."""


def test_lint_calls_nothing_and_with_user_data_what_its_policy_allows(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    recorder = Recorder(simulated_aws(HELD))
    ec2 = client("ec2", "eu-west-1")
    template = ec2.describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"]
    (box,) = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    recorder.after("set-up", Answer(0, "", ""))
    (tmp_path / "requirements.txt").write_text("boto3==1.34.0\n")
    recorder.after("lint", operator("lint", str(tmp_path / "requirements.txt")))
    assert recorder.seen["lint"] == set()
    words = ("lint", "--user-data", box["InstanceId"], "--user-data", template)
    recorder.after("lint-user-data", operator(*words))
    made = recorder.seen["lint-user-data"] - NEEDS_NO_PERMISSION
    assert made == actions_of("lint-user-data", READ, CHANGE)
    assert not actions_of("read", READ, CHANGE) & {"ec2:DescribeInstanceAttribute"}


AUTOMATED = {"ssm:StartAutomationExecution", "ssm:GetAutomationExecution"} | {
    "ssm:DescribeAutomationExecutions"
}
"""What every run by Automation calls; it cancels an execution only when it is interrupted."""


def test_via_ssm_adds_what_automation_takes_and_no_more(
    operator: Operator, simulated_aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(simulated_aws(SMALL_FLEET))
    assert operator.scan_all().code == 0
    operator.plan()
    recorder.after("plan", operator("plan"))
    assert recorder.after("apply", operator.apply("--via", "ssm")).code == 0
    run = operator.run()
    back = operator("rollback", run, "--yes", "--via", "ssm")
    assert recorder.after("rollback", back).code == 0
    for command in CHANGING:
        assert recorder.seen[command] >= AUTOMATED
        made = recorder.seen[command] - NEEDS_NO_PERMISSION
        assert made - allowed(command, via_ssm=True) == set(), f"{command}: too short"
        added = allowed(command, via_ssm=True) - allowed(command)
        assert added - made == {"ssm:StopAutomationExecution"}, f"{command}: too long"

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("imdsctl.apply.runbooks.progress_of", interrupted)
    assert recorder.after("cancel", operator.apply("--via", "ssm")).code == 130
    assert "ssm:StopAutomationExecution" in recorder.seen["cancel"]


def test_the_addition_for_automation_is_narrow_and_asked_for(operator: Operator) -> None:
    plain = operator("permissions", "apply", "-o", "json").json
    answer = operator(
        *("permissions", "apply", "--via", "ssm", "-o", "json"),
        *("--automation-role", "runbooks", "--automation-role", "admin"),
    )
    added = [s for s in answer.json["Statement"] if s not in plain["Statement"]]
    actions = {a for s in added for a in s["Action"]}
    assert actions >= {"iam:PassRole", "ssm:StartAutomationExecution"}
    assert not any("ssm:" in a for s in plain["Statement"] for a in s["Action"])
    (passed,) = [s for s in added if s["Action"] == ["iam:PassRole"]]
    assert passed["Resource"] == [f"arn:aws:iam::*:role/{name}" for name in ("runbooks", "admin")]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}
    (started,) = [s for s in added if "ssm:StartAutomationExecution" in s["Action"]]
    assert (
        "arn:aws:ssm:*:*:automation-definition/AWSSupport-ConfigureEC2Metadata:*"
        in (started["Resource"])
    )
    assert "ec2:ModifyInstanceMetadataOptions" in answer.err
    for words in (("scan", "--via", "ssm"), ("apply", "--automation-role", "x"), ("--via", "ssm")):
        assert operator("permissions", *words).code == 2


def test_a_level_is_the_sum_of_its_commands() -> None:
    for level, commands in (("read", READING), ("change", (*READING, *CHANGING))):
        together = {a for c in commands for a in actions_of(c, READ, CHANGE)}
        assert actions_of(level, READ, CHANGE) == together


def test_reading_changes_nothing() -> None:
    changing = {f"{service}:{o}" for service, names in CHANGE.items() for o in names}
    assert not actions_of("read", READ, CHANGE) & (changing | set(EXTRAS))
    assert changing & actions_of("change", READ, CHANGE)


def test_changes_are_scoped_wherever_aws_can() -> None:
    # Of all these only the account default has no resource (Service Authorization Reference).
    for command in CHANGING:
        for statement in policy_of(command, READ, CHANGE)["Statement"]:
            changes = [
                a
                for a in statement["Action"]
                if not a.split(":")[1].startswith(("Describe", "Get", "List"))
            ]
            if statement["Resource"] == "*":
                assert changes in ([], ["ec2:ModifyInstanceMetadataDefaults"])


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_the_policy_alone_and_notes_are_on_stderr(command: str, operator: Operator) -> None:
    answer = operator("permissions", command, "-o", "json", "--role-name", "audit")
    assert answer.code == 0
    assert answer.json == policy_of(command, READ, CHANGE, role_name="audit")
    assert answer.json["Statement"][-1] == {
        "Effect": "Allow",
        "Action": ["sts:AssumeRole"],
        "Resource": "arn:aws:iam::*:role/audit",
    }


def test_all_of_them_at_once(operator: Operator) -> None:
    answer = operator("permissions", "-o", "json")
    assert answer.json["schema"] == "imdsctl/permissions/v1"
    assert set(answer.json["policies"]) == set(COMMANDS)
    table = operator("permissions")
    assert "ec2:ModifyInstanceMetadataOptions" in table.out
    assert "no AWS call" in table.out


def test_every_command_either_has_a_policy_or_calls_nothing() -> None:
    assert set(REGISTERED) - set(OFFLINE) == {*READING, *CHANGING}
    assert not set(OFFLINE) & set(COMMANDS)


def test_a_command_that_calls_nothing_needs_nothing(operator: Operator) -> None:
    answer = operator("permissions", "plan")
    assert answer.code == 0
    assert "no permission" in answer.out
    assert operator("permissions", "plan", "-o", "json").code == 2
    assert operator("permissions", "aply").code == 2


@needs_evaluator
def test_an_independent_evaluator_lets_every_call_through_and_no_other() -> None:
    resources = {
        "ec2:ModifyInstanceMetadataOptions": "arn:aws:ec2:eu-west-1:111111111111:instance/i-1",
        "ec2:ModifyInstanceMetadataDefaults": "*",
        "ec2:ModifyLaunchTemplate": "arn:aws:ec2:eu-west-1:111111111111:launch-template/lt-1",
        "autoscaling:UpdateAutoScalingGroup": (
            "arn:aws:autoscaling:eu-west-1:111111111111:autoScalingGroup:0:autoScalingGroupName/web"
        ),
        "iam:PassRole": "arn:aws:iam::111111111111:role/web",
        "ec2:ModifyImageAttribute": "arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0",
        "ec2:DescribeInstances": "*",
    }
    enforced = {"ec2:Attribute/HttpTokensEnforced": "enabled"}
    passed = {"iam:PassedToService": "ec2.amazonaws.com"}
    cases: list[tuple[str, str, dict[str, str], bool]] = [
        ("read", "ec2:DescribeInstances", {}, True),
        ("read", "ec2:ModifyInstanceMetadataOptions", {}, False),
        ("apply", "ec2:ModifyInstanceMetadataOptions", {}, True),
        ("apply", "ec2:ModifyLaunchTemplate", {}, True),
        ("apply", "autoscaling:UpdateAutoScalingGroup", {}, True),
        ("apply", "iam:PassRole", passed, True),
        ("apply", "iam:PassRole", {"iam:PassedToService": "lambda.amazonaws.com"}, False),
        ("change", "ec2:ModifyInstanceMetadataDefaults", {}, True),
        ("change", "ec2:ModifyInstanceMetadataDefaults", enforced, False),
        ("enforce", "ec2:ModifyInstanceMetadataDefaults", enforced, True),
        ("enforce", "ec2:ModifyInstanceMetadataDefaults", {}, False),
        ("enforce", "ec2:ModifyInstanceMetadataOptions", {}, False),
        ("enforce", "ec2:ModifyImageAttribute", {}, True),
        ("apply", "ec2:ModifyImageAttribute", {}, False),
    ]
    simulations = [
        simulation(
            action,
            resources[action],
            context,
            ME,
            identity=[policy_of(command, READ, CHANGE)],
            service_control=[ALLOW_ALL],
        )
        for command, action, context, _ in cases
    ]
    said = results(simulations)
    expected = ["Allowed" if fine else "ImplicitlyDenied" for *_, fine in cases]
    assert list(zip(cases, said, strict=True)) == list(zip(cases, expected, strict=True))


@needs_linter
def test_an_independent_linter_finds_nothing() -> None:
    policies = [policy_of(c, READ, CHANGE, role_name="audit") for c in COMMANDS]
    found = dict(zip(COMMANDS, findings(policies), strict=True))
    # It can be narrowed to capacity providers that one names; a scan asks which there are.
    listing = ["RESOURCE_STAR", ["ecs:DescribeCapacityProviders"]]
    scanning = [c for c in COMMANDS if "ecs:DescribeCapacityProviders" in allowed(c)]
    assert found == {c: [listing] if c in scanning else [] for c in COMMANDS}
    automated = policy_of("change", READ, CHANGE, via_ssm=True, automation_roles=["runbooks"])
    assert findings([automated]) == [[listing]]


def test_the_page_shows_what_the_command_prints(operator: Operator) -> None:
    page = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```json\n")[1:]]
    shown = [json.loads(block) for block in blocks]
    assert shown == [
        operator("permissions", level, "-o", "json").json
        for level in ("read", "verify-host", "lint-user-data", "enforce")
    ]
