"""The seal: any change of a plan shows, and a plan reads back as it was written."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from planner_fleet import OLD, OPEN, V1, Fleet, planned

from imdsctl.model.plan import Plan


def a_plan() -> Plan:
    fleet = Fleet()
    fleet.account_default(OPEN)
    fleet.template("web", V1)
    fleet.group("shop", "web:$Default", launched=OLD)
    fleet.instance("i-pet", name="pet")
    fleet.instance("i-loud", called=9)
    return planned(fleet)


def leaves(document: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, *path, key)
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from leaves(value, *path, index)
    else:
        yield path


def altered(document: Any, path: tuple[Any, ...]) -> Any:
    """The document with one value changed to another of its kind, and how."""
    changed = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    value = place[path[-1]]
    if isinstance(value, bool):
        place[path[-1]] = not value
    elif isinstance(value, int):
        place[path[-1]] = value + 1
    elif path[-1] in ("created_at", "scanned_at"):
        place[path[-1]] = value.replace("2026", "2027")
    elif path[-1] in ("kind", "status"):
        place[path[-1]] = {"kind": "account-defaults", "status": "exempt"}[path[-1]]
        if value == place[path[-1]]:
            place[path[-1]] = {"kind": "instance-options", "status": "ready"}[path[-1]]
    else:
        place[path[-1]] = f"{value}x"
    return changed


def test_a_plan_is_sealed_with_the_digest_of_its_content() -> None:
    plan = a_plan()
    assert len(plan.digest) == 64
    assert plan.content_digest() == plan.digest


def test_a_plan_reads_back_as_it_was_written() -> None:
    plan = a_plan()
    back = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert back == plan
    assert back.content_digest() == plan.digest


def test_the_seal_survives_another_layout_of_the_same_json() -> None:
    plan = a_plan()
    document = json.loads(msgspec.json.encode(plan))
    pretty = json.dumps(document, indent=4, sort_keys=True)
    assert msgspec.json.decode(pretty, type=Plan).content_digest() == plan.digest


@pytest.mark.parametrize("part", ["waves", "held", "rest"])
def test_whatever_is_altered_breaks_the_seal(part: str) -> None:
    plan = a_plan()
    document = json.loads(msgspec.json.encode(plan))
    paths = [
        path
        for path in leaves(document)
        if path != ("digest",) and (path[0] if path[0] in ("waves", "held") else "rest") == part
    ]
    assert len(paths) >= 5
    for path in paths:
        forged = msgspec.convert(altered(document, path), Plan)
        assert forged.content_digest() != plan.digest, path


def test_a_change_that_is_taken_out_or_moved_breaks_the_seal() -> None:
    plan = a_plan()
    for wave in range(len(plan.waves)):
        document = json.loads(msgspec.json.encode(plan))
        document["waves"][wave]["changes"].pop()
        assert msgspec.convert(document, Plan).content_digest() != plan.digest
    turned = msgspec.structs.replace(plan, waves=plan.waves[::-1])
    assert turned.content_digest() != plan.digest
