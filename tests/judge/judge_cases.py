"""Reads a case file: what is given, as the judge is given it, with quiet defaults for the rest.

A case says only what matters to it. What it leaves out describes a running instance on IMDSv1
that was watched for two weeks, with data in every hour and without a call.
"""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imdsctl.judge.facts import Finding, InstanceFacts, PathFacts, Siblings
from imdsctl.model.cell import FailedGate
from imdsctl.model.evidence import Calls, Environment, Instance, Recorded, Software, Trace
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.policy import Exemption, Mended, Policy
from imdsctl.model.verdict import Reason, Verdict

HERE = Path(__file__).parent
ACCOUNT, REGION = "111111111111", "eu-west-1"
NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
OPTIONS = {
    "http_tokens": "optional",
    "http_put_response_hop_limit": 2,
    "http_endpoint": "enabled",
    "http_protocol_ipv6": "disabled",
    "instance_metadata_tags": "disabled",
    "state": "applied",
}
INSTANCE_ID = "i-0a"


def cases(folder: str) -> Iterator[Any]:
    """Every case of every file in a folder, with the name of the rule that it is for."""
    for path in sorted((HERE / folder).glob("*.toml")):
        for case in tomllib.loads(path.read_text())["case"]:
            yield pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")


def recorded(kind: str, evidence_id: str, item: Any) -> Recorded[Any]:
    return Recorded(id=evidence_id, kind=kind, source="ec2", observed_at=NOW, item=item)


def instance_facts(given: dict[str, Any]) -> InstanceFacts:
    """What a rule for instances is given."""
    instance = an_instance(given.get("instance", {}))
    calls = given.get("calls", {})
    exemption, gate = given.get("exemption"), given.get("failed_gate")
    return InstanceFacts(
        record=recorded("instance", "e1", instance),
        now=given.get("now", NOW),
        policy=msgspec.convert(given.get("policy", {}), Policy),
        calls=None if calls == "not read" else recorded("calls", "e2", the_calls(calls, instance)),
        calls_unreadable=given.get("calls_unreadable"),
        siblings=siblings(given["siblings"]) if "siblings" in given else None,
        paths=tuple(launch_path(path) for path in given.get("paths", ())),
        exemption=msgspec.convert(exemption, Exemption) if exemption else None,
        failed_gate=FailedGate(**gate) if gate else None,
        mended=msgspec.convert(given["mended"], Mended) if "mended" in given else None,
        trace=recorded("traces", "e3", a_trace(given["trace"])) if "trace" in given else None,
        software=recorded("software", "e4", the_software(given["software"]))
        if "software" in given
        else None,
    )


def the_software(given: dict[str, Any]) -> Software:
    """What Systems Manager lists on Ubuntu, with an agent of today unless the case says otherwise.

    Packages are texts with a name and a version; a question mark after them says that the version
    is not sure.
    """
    packages = [
        {"name": name, "version": version.rstrip("?"), "sure": not version.endswith("?")}
        for name, _, version in (text.partition(" ") for text in given.get("packages", ()))
    ]
    standard = {"agent_version": "3.3.1142.0", "status": "Active", "platform": "Ubuntu 22.04"}
    place = {"id": INSTANCE_ID, "account": ACCOUNT, "region": REGION}
    return msgspec.convert({**place, **standard, **given, "packages": packages}, Software)


def a_trace(given: dict[str, Any]) -> Trace:
    """A trace of the last eight days that lost nothing; programs are as the case says."""
    programs = [{"confidence": "high", "fix": "mend it", **p} for p in given.get("programs", ())]
    return msgspec.convert(
        {
            "id": INSTANCE_ID,
            "account": ACCOUNT,
            "region": REGION,
            "tracer": "imdsctl",
            "start": NOW - timedelta(days=8),
            "end": NOW,
            "v1": sum(p.get("v1", 0) for p in programs),
            **given,
            "programs": programs,
        },
        Trace,
    )


def path_facts(given: dict[str, Any]) -> PathFacts:
    """What a rule for launch paths is given."""
    members = given.get("members", {INSTANCE_ID: "ready"})
    return PathFacts(
        path=launch_path({"members": list(members), **given.get("path", {})}),
        siblings=siblings(given.get("siblings", {})),
        members={
            member: Verdict(
                resource=member,
                account=ACCOUNT,
                region=REGION,
                status=status,
                confidence="high",
                reasons=[Reason(rule="a-rule", summary="A word.")],
            )
            for member, status in members.items()
            if status != "not read"
        },
        unreadable=given.get("unreadable", {}),
        failed_gate=FailedGate(**given["failed_gate"]) if "failed_gate" in given else None,
        held_until=given.get("held_until", ""),
        template_of=given.get("template_of"),
        mended=msgspec.convert(given["mended"], Mended) if "mended" in given else None,
        environment=recorded("environments", "e8", an_environment(given["environment"]))
        if "environment" in given
        else None,
    )


def an_environment(given: dict[str, Any]) -> Environment:
    """An Elastic Beanstalk environment, Ready and Green unless the case says otherwise."""
    return msgspec.convert(
        {
            "name": "shop-prod",
            "environment_id": "e-1",
            "application": "shop",
            "account": ACCOUNT,
            "region": REGION,
            "status": "Ready",
            "health": "Green",
            **given,
        },
        Environment,
    )


def siblings(given: dict[str, Any]) -> Siblings:
    said: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return Siblings(**said)


def launch_path(given: dict[str, Any]) -> LaunchPath:
    effective = {**OPTIONS, **given.get("effective", {})}
    standard: dict[str, Any] = {
        "id": "web/web:1",
        "kind": "group",
        "account": ACCOUNT,
        "region": REGION,
        "explicit": {},
        "decided_by": "built-in",
        "name": "web",
        "group": "web",
        "evidence": ["e9"],
    }
    if "launch_configuration" not in given:
        standard |= {"template": "lt-1", "template_name": "web", "version": "1", "number": 1}
    said = {k: None if v == "none" else v for k, v in given.items()}
    return msgspec.convert({**standard, **said, "effective": effective}, LaunchPath)


def assert_finding(found: Finding | None, expect: dict[str, Any]) -> None:
    """The finding is what the case expects: silence, a caution, or a status with its words."""
    if expect.get("silent"):
        assert found is None
        return
    assert found is not None, "the rule is silent"
    assert found.status == (None if expect["status"] == "caution" else expect["status"])
    assert found.confidence == expect["confidence"]
    assert expect["summary"] in found.summary
    assert expect.get("fix", "") in found.fix
    assert expect.get("not_in_summary", "\0") not in found.summary
    assert found.leads == expect.get("leads", found.leads)


def an_instance(given: dict[str, Any]) -> Instance:
    standard = {
        "id": INSTANCE_ID,
        "account": ACCOUNT,
        "region": REGION,
        "state": "running",
        "launched_at": datetime(2026, 6, 1, tzinfo=UTC),
    }
    options = {**OPTIONS, **given.get("options", {})}
    return msgspec.convert({**standard, **given, "options": options}, Instance)


def the_calls(given: dict[str, Any], instance: Instance) -> Calls:
    end = given.get("window_end", NOW)
    start = given.get("window_start", end - timedelta(days=14))
    began = max(start, instance.launched_at)
    hours = given.get("hours_running", -((began - end) // timedelta(hours=1)))
    series: dict[str, Any] = {
        "hours_with_data": hours,
        "first_data": began.replace(minute=0),
        "last_data": end - timedelta(hours=1),
    }
    metrics: dict[str, Any] = {
        name: {**series, **given[name]}
        for name in ("v1", "rejected")
        if name in given and given[name] != "no data"
    }
    if "v1" not in given:
        metrics["v1"] = series
    return msgspec.convert(
        {
            "id": instance.id,
            "account": ACCOUNT,
            "region": REGION,
            "window_start": start,
            "window_end": end,
            "hours_running": hours,
            **metrics,
        },
        Calls,
    )
