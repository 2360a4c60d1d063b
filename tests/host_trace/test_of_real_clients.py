"""Real clients, old and new: the trace sees what the metadata service saw, and says what it means.

What each asks in each world is recorded in tests/real_clients/clients.toml.
"""

import json
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from host_bpf.instances import Unit

from host_trace.tracers import Tracer

sys.path.insert(0, str(Path(__file__).parents[1] / "real_clients"))

from client_runs import as_recorded, why_no_world
from client_shelf import Client, clients

SCRIPT = Path(__file__).with_name("client_traced.py")


def expected(client: Client, world: str) -> str:
    """What the table of the real clients says of one in a world."""
    if client.kind == "v1 only":
        return "v1-only"
    if client.kind == "v1 first":
        # What it would have asked next is not known of one that gave up at once.
        goes_on = any(one.startswith("PUT") for one in client.seen[world]["asked"])
        return "v1-first" if goes_on else "v1-only"
    if world == "optional":
        return "v2"
    if world == "hop-limit-1":
        # Also where it never falls back: it got nothing, for the same reason.
        return "hop-limit"
    return "fallback" if client.kind == "v2, falls back to v1" else "v2"


def folded(lines: list[dict[str, Any]]) -> tuple[str, ...]:
    """As clients.toml writes down what was asked."""

    def word(line: dict[str, Any]) -> str:
        if line["version"] != "token":
            return f"{line['version']} {line['status']}"
        return f"PUT {line['status'] or 'unanswered'}"

    runs = [(what, len(list(same))) for what, same in groupby(lines, word)]
    return tuple(f"{what} ×{times}" if times > 1 else what for what, times in runs)


def cases() -> list[object]:
    """Every client where v1 is allowed; elsewhere one of each behaviour, since some wait long."""
    every = [(client, "optional") for client in clients()]
    for world, alike in (("hop-limit-1", ("botocore", "ec2-metadata")), ("disabled", ())):
        one_of_each = {one.name if one.name in alike else one.kind: one for one in clients()}
        every += [(client, world) for client in one_of_each.values()]
    return [pytest.param(client, world, id=f"{client.id} {world}") for client, world in every]


@pytest.mark.parametrize(("client", "world"), cases())
def test_a_real_client_gets_the_conclusion_that_is_known_of_it(
    client: Client, world: str, tracer: Callable[..., Tracer], unit: Unit
) -> None:
    if why := why_no_world() or client.missing():
        pytest.skip(f"{client.id}: {why}")
    trace = tracer("--cgroup", unit.name)
    command = (sys.executable, SCRIPT, client.name, client.version, world)
    ran = unit.run(*command, timeout=client.patience + 60)
    assert ran.returncode == 0, ran.stderr
    observed = json.loads(ran.stdout)
    summary = trace.end()

    seen = sorted(trace.lines, key=lambda line: line["ts"])
    asked = client.seen[world]["asked"]
    assert as_recorded(asked, folded(seen)), (asked, folded(seen), observed["asked"])
    assert [line["path"] for line in seen] == observed["paths"]
    assert summary["lost"]["total"] == 0
    found = {one["conclusion"] for one in summary["programs"]}
    assert found == {expected(client, world)}, summary["programs"]
