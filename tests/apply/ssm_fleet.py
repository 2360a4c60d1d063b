"""Fleets of instances alone, and what became of them, for runs by Systems Manager Automation."""

from pathlib import Path
from typing import Any

import msgspec
from whole_run import EVERYWHERE, OTHER, OWN, Answer, Operator, account, client, region

from imdsctl.model.plan import Plan
from imdsctl.simulator.server import SimulatedAws

CONFIGURE = "AWSSupport-ConfigureEC2Metadata"
ENFORCE = "AWSConfigRemediation-EnforceEC2InstanceIMDSv2"
ROLE = "AWS-SystemsManager-AutomationExecutionRole"

APPS = """
[[account.region.instance]]
name = "app"
count = %d
booted_days_ago = 3
tags = { env = "dev" }
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
callers = [{ program = "shop", behaviour = "v2" }]
"""
OFF = """
[[account.region.instance]]
name = "off"
tags = { env = "dev" }
options = { http_endpoint = "disabled", http_tokens = "optional" }
"""


HEAD = "start = 2026-11-11T09:00:00Z\nhistory_days = 14\n"
ONE = HEAD + account(OWN, region("eu-west-1", APPS % 1))
MANY = HEAD + account(OWN, region("eu-west-1", APPS % 6, OFF))
SEVERAL = (
    HEAD
    + account(OWN, region("eu-west-1", APPS % 3), region("eu-central-1", APPS % 2))
    + account(OTHER, region("eu-west-1", APPS % 2), region("eu-central-1", APPS % 2))
)
CELLS = [(OWN, "eu-west-1"), (OWN, "eu-central-1"), (OTHER, "eu-west-1"), (OTHER, "eu-central-1")]


def small_batches(folder: Path) -> Operator:
    """An operator whose first wave has one canary and ten instances at a time."""
    operator = Operator(folder)
    operator.settings("[waves.disposable]\ncanaries = 1\nbatch = 10\nsoak_seconds = 900\n")
    return operator


def prepared(operator: Operator, *, everywhere: bool = False) -> list[Any]:
    """Scan and plan; the changes of the plan."""
    plan = operator.prepared(*(EVERYWHERE if everywhere else ()))
    changes = [c for w in plan["waves"] for c in w["changes"]]
    assert {c["kind"] for c in changes} == {"instance-options"}
    return changes


def handmade(operator: Operator, changes: list[dict[str, Any]], **wave: Any) -> None:
    """Write a sealed plan of one wave in which all changes are made at once."""
    made = msgspec.convert(
        {
            "created_at": "2026-11-11T09:00:00Z",
            "scanned_at": "2026-11-11T09:00:00Z",
            "caller": OWN,
            "instances": len(changes),
            "role_name": "imdsctl-read",
            "held": [],
            "waves": [{"number": 0, "name": "first", "changes": changes, **wave}],
        },
        Plan,
    )
    operator.plan_file.write_bytes(msgspec.json.encode(made.sealed()))


def change_of(instance: dict[str, Any], where: tuple[str, str], **after: Any) -> dict[str, Any]:
    shown = instance["MetadataOptions"]
    before = {
        "http_tokens": shown["HttpTokens"],
        "http_put_response_hop_limit": shown["HttpPutResponseHopLimit"],
        "http_endpoint": shown["HttpEndpoint"],
        "http_protocol_ipv6": shown["HttpProtocolIpv6"],
        "instance_metadata_tags": shown["InstanceMetadataTags"],
    }
    return {
        "id": f"options/{instance['InstanceId']}",
        "kind": "instance-options",
        "resource": instance["InstanceId"],
        "account": where[0],
        "region": where[1],
        "before": before,
        "after": {**before, **after},
        "inverse": before,
        "reason": "a test",
    }


def living(name: str = "app*", where: tuple[str, str] = CELLS[0]) -> list[dict[str, Any]]:
    found = client("ec2", where[1], where[0]).describe_instances(
        Filters=[{"Name": "tag:Name", "Values": [name]}]
    )
    return [i for r in found["Reservations"] for i in r["Instances"]]


def tokens(where: tuple[str, str] = CELLS[0]) -> list[str]:
    return [i["MetadataOptions"]["HttpTokens"] for i in living(where=where)]


def executions(where: tuple[str, str] = CELLS[0], *, children: bool = False) -> list[Any]:
    ssm = client("ssm", where[1], where[0])
    found = [
        ssm.get_automation_execution(AutomationExecutionId=row["AutomationExecutionId"])
        for page in ssm.get_paginator("describe_automation_executions").paginate()
        for row in page["AutomationExecutionMetadataList"]
        if children or "ParentAutomationExecutionId" not in row
    ]
    return [one["AutomationExecution"] for one in found][::-1]


def details(answer: Answer) -> dict[str, str]:
    return {c["resource"]: c["detail"] for c in answer.json["changes"]}


def changed_once(aws: SimulatedAws, instances: list[str], times: int = 2) -> None:
    for instance in instances:
        assert len(aws.world.lives[instance].options) == times, f"{instance}: changed once"
