"""What the tests of whole runs share: the command line, a small fleet, and a look at AWS's side."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

from imdsctl.cli import main
from imdsctl.simulator.server import SimulatedAws

OWN, OTHER = "111111111111", "222222222222"
CELLS = (
    (OWN, "eu-west-1"),
    (OWN, "eu-central-1"),
    (OTHER, "eu-west-1"),
    (OTHER, "eu-central-1"),
)
EVERYWHERE = (
    *("--accounts", OTHER, "--role-name", "imdsctl-read"),
    *("--regions", ",".join(sorted({region for _, region in CELLS}))),
)
"""The words of a scan of all of them."""

SMALL_FLEET = """
start = 2026-11-11T09:00:00Z
history_days = 14

[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
defaults = { instance_metadata_tags = "disabled" }
[[account.region.image]]
name = "golden"

[[account.region.launch_template]]
name = "web"
default = 2
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "required", http_put_response_hop_limit = 2 }

[[account.region.launch_template]]
name = "api"
[[account.region.launch_template.version]]
image = "golden"
options = { instance_metadata_tags = "enabled" }

[[account.region.launch_template]]
name = "edge"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }

[[account.region.launch_configuration]]
name = "mailer-2019"
image = "golden"
options = { http_tokens = "optional" }

[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 4
replaced_per_day = 1
callers = [{ program = "shop", behaviour = "v2" }]

[[account.region.auto_scaling_group]]
name = "api"
launch_template = "api"
size = 4
replaced_per_day = 1
callers = [{ program = "api", behaviour = "v2" }]

[[account.region.auto_scaling_group]]
name = "edge"
launch_template = "edge"
size = 2
callers = [{ program = "edge", behaviour = "v2" }]

[[account.region.auto_scaling_group]]
name = "mailer"
launch_configuration = "mailer-2019"
size = 2
replaced_per_day = 0.5
callers = [{ program = "mailer", behaviour = "v2" }]

[[account.region.instance]]
name = "sandbox"
count = 4
image = "golden"
launched_days_ago = 90
booted_days_ago = 5
tags = { env = "dev" }
callers = [{ program = "shell", behaviour = "v2" }]

[[account.region.instance]]
name = "ledger"
image = "golden"
options.http_put_response_hop_limit = 3
options.http_protocol_ipv6 = "enabled"
options.instance_metadata_tags = "enabled"
launched_days_ago = 300
booted_days_ago = 5
tags = { env = "prod", tier = "0" }
callers = [{ program = "ledger", behaviour = "v2-strict", container = "overlay" }]

[[account.region.instance]]
name = "vault"
image = "golden"
options = { http_endpoint = "disabled", http_put_response_hop_limit = 3 }
launched_days_ago = 300
tags = { env = "prod" }

[[account.region.instance]]
name = "legacy"
image = "golden"
launched_days_ago = 300
booted_days_ago = 5
tags = { env = "dev" }
callers = [{ program = "old-sdk", behaviour = "v1-only" }]

[[account.region.instance]]
name = "parked"
image = "golden"
state = "stopped"
launched_days_ago = 300
stopped_days_ago = 60

[[account]]
id = "222222222222"
[[account.region]]
name = "eu-central-1"
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "jobs"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }
[[account.region.auto_scaling_group]]
name = "jobs"
launch_template = "jobs"
version = "$Latest"
size = 3
replaced_per_day = 1
callers = [{ program = "jobs", behaviour = "v2" }]
[[account.region.instance]]
name = "worker"
count = 3
image = "golden"
launched_days_ago = 60
booted_days_ago = 4
tags = { env = "test" }
callers = [{ program = "worker", behaviour = "v1-first" }, { program = "agent", behaviour = "v2" }]
[[account.region.instance]]
name = "runner"
count = 3
image = "golden"
launched_days_ago = 60
booted_days_ago = 4
tags = { env = "test" }
callers = [{ program = "runner", behaviour = "v2" }]
"""
"""Two accounts, two dozen instances; everything that a plan can change is in it once."""


def region(name: str, *resources: str, settled: bool = True) -> str:
    """A region of a fleet file.

    Where its account defaults are settled, a plan is about what is launched alone.
    """
    defaults = 'defaults = { http_tokens = "required", http_put_response_hop_limit = 2 }\n'
    return f'[[account.region]]\nname = "{name}"\n{defaults if settled else ""}' + "".join(
        resources
    )


def account(number: str, *regions: str, more: str = "") -> str:
    """An account of a fleet file."""
    return f'[[account]]\nid = "{number}"\n{more}\n' + "".join(regions)


def one_region(*resources: str, start: str = "2026-11-11T09:00:00Z", settled: bool = True) -> str:
    """A fleet file of one account in eu-west-1."""
    return f"start = {start}\n" + account(OWN, region("eu-west-1", *resources, settled=settled))


@dataclass(frozen=True)
class Answer:
    """What one command left: its exit code and its two streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Operator:
    """Somebody at the command line, with a store, a settings file and a plan in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = folder / "imdsctl.db"
        self.plan_file = folder / "plan.json"
        self._config = folder / "imdsctl.toml"
        self._config.touch()

    def settings(self, text: str) -> None:
        self._config.write_text(text)

    def arguments(self, *words: str) -> list[str]:
        return [*words, "--db", str(self.db), "--config", str(self._config), "--no-color"]

    def __call__(self, *words: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(self.arguments(*words))
        return Answer(code, out.getvalue(), err.getvalue())

    def scan(self, *words: str) -> Answer:
        return self("scan", "-o", "json", *words)

    def scan_all(self) -> Answer:
        return self.scan(*EVERYWHERE)

    def plan(self, *words: str) -> Any:
        answer = self("plan", "-f", str(self.plan_file), "-o", "json", *words)
        assert answer.code == 0, str(answer)
        return answer.json

    def prepared(self, *words: str) -> Any:
        """A scan of eu-west-1, or of what the words say, and its plan."""
        scanned = self.scan(*(words or ("--regions", "eu-west-1")))
        assert scanned.code == 0, str(scanned)
        return self.plan()

    def apply(self, *words: str) -> Answer:
        return self("apply", str(self.plan_file), "--yes", "-o", "json", *words)

    def resume(self, run: str) -> Answer:
        return self("apply", "--resume", run, "--yes", "-o", "json")

    def run(self) -> str:
        """The newest run's name."""
        runs: list[dict[str, str]] = self("runs", "-o", "json").json["runs"]
        return runs[0]["run"]


def changes_of(plan: Any, kind: str | None = None) -> list[Any]:
    """All changes of a plan in JSON, or those of one kind."""
    return [c for w in plan["waves"] for c in w["changes"] if kind in (None, c["kind"])]


def states_of(answer: Answer) -> dict[str, str]:
    """The state of every change that an answer tells of, by the change's id."""
    return {change["id"]: change["state"] for change in answer.json["changes"]}


# Reading the service models takes longer than all the calls of a test.
_LOADER = create_loader()


def client(service: str, region: str = "eu-west-1", account: str = OWN) -> Any:
    """A boto3 client of the running simulated AWS; in another account by AssumeRole."""
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    keys = {}
    if account != OWN:
        answer = client("sts", region).assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/imdsctl-read", RoleSessionName="test"
        )["Credentials"]
        keys = {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }
    settings = Config(retries={"total_max_attempts": 1}, read_timeout=20)
    return boto3.Session(botocore_session=session).client(
        service, region_name=region, config=settings, **keys
    )


def aws_view(cells: tuple[tuple[str, str], ...] = CELLS) -> dict[str, Any]:
    """All that a migration may touch, as boto3 describes it, without our code on the way."""
    view: dict[str, Any] = {}
    for account, region in cells:
        ec2, scaling = (client(service, region, account) for service in ("ec2", "autoscaling"))
        here: dict[str, Any] = {
            "instances": {
                i["InstanceId"]: (i["State"]["Name"], i.get("MetadataOptions"))
                for page in ec2.get_paginator("describe_instances").paginate()
                for r in page["Reservations"]
                for i in r["Instances"]
            },
            "templates": {
                t["LaunchTemplateName"]: (t["DefaultVersionNumber"], t["LatestVersionNumber"])
                for t in ec2.describe_launch_templates()["LaunchTemplates"]
            },
            "groups": {
                g["AutoScalingGroupName"]: {
                    key: g.get(key)
                    for key in (
                        "LaunchTemplate",
                        "LaunchConfigurationName",
                        "MixedInstancesPolicy",
                        "MinSize",
                        "MaxSize",
                        "DesiredCapacity",
                    )
                }
                for g in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
            },
            "configurations": [
                c["LaunchConfigurationName"]
                for c in scaling.describe_launch_configurations()["LaunchConfigurations"]
            ],
            "defaults": ec2.get_instance_metadata_defaults()["AccountLevel"],
        }
        here["versions"] = {
            name: {
                v["VersionNumber"]: (v.get("VersionDescription", ""), v["LaunchTemplateData"])
                for v in ec2.describe_launch_template_versions(LaunchTemplateName=name)[
                    "LaunchTemplateVersions"
                ]
            }
            for name in here["templates"]
        }
        view[f"{account} {region}"] = here
    return view


def calls_of(aws: SimulatedAws, *operations: str) -> int:
    """How many calls of these operations AWS has seen."""
    rows = aws.control("calls")["calls"]
    return sum(row["count"] for row in rows if row["operation"] in operations)


MUTATING = (
    "Create",
    "Modify",
    "Update",
    "Delete",
    "Start",
    "Stop",
    "Rollback",
    "Cancel",
    "Terminate",
    "Run",
    "Put",
    "Set",
)


def mutating_calls(aws: SimulatedAws) -> dict[str, int]:
    """The calls that change something, by operation."""
    found: dict[str, int] = {}
    for row in aws.control("calls")["calls"]:
        if row["operation"].startswith(MUTATING):
            found[row["operation"]] = found.get(row["operation"], 0) + row["count"]
    return found


def instances(aws: SimulatedAws, name: str = "") -> dict[str, Any]:
    """The simulated AWS's own truth about the instances with this name or in this group."""
    every: dict[str, Any] = aws.control("truth")["instances"]
    return {
        key: one
        for key, one in every.items()
        if not name or name in (one["name"], one["asg"], str(one["name"]).rsplit("-", 1)[0])
    }


def cut_off(aws: SimulatedAws) -> dict[str, Any]:
    """Who was cut off at any time, by instance."""
    return {key: one["cut_off"] for key, one in instances(aws).items() if one["cut_off"]}
