"""Old and new AWS clients, for real: each asks the emulator just what is recorded of it.

What is not installed is skipped and named; `make clients` installs what can be had.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from client_runs import Observed, as_recorded, observe, why_no_world
from client_shelf import DOCUMENT, ELSEWHERE, WORLDS, Client, clients, document

AT_ONCE = 4
VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
EVERY = [(client, world) for client in clients() for world in [*WORLDS, "elsewhere"]]
Runs = dict[tuple[str, str], "Future[Observed]"]


def run(client: Client, world: str) -> Observed:
    if world == "elsewhere":
        return observe(client, "optional", **{VARIABLE: ELSEWHERE})
    return observe(client, world)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """All clients that were asked for, a few at once: they mostly wait."""
    if why_no_world():
        pytest.skip(why_no_world())
    pool = ThreadPoolExecutor(AT_ONCE)
    wanted: list[tuple[Client, str]] = []
    for item in request.session.items:
        if (
            isinstance(item, pytest.Function)
            and item.originalname == "test_it_does_what_is_recorded"
        ):
            drawn: dict[str, Any] = item.callspec.params
            wanted.append((drawn["client"], drawn["world"]))
    # The most patient first, so that nobody waits for them in the end.
    wanted.sort(key=lambda one: -one[0].patience)
    yield {
        (client.id, world): pool.submit(run, client, world)
        for client, world in wanted
        if not client.missing()
    }
    pool.shutdown(cancel_futures=True)


def agrees(client: Client, world: str, seen: Observed) -> bool:
    if world == "elsewhere":
        return client.heeds_endpoint == (not seen.asked)
    recorded = client.seen[world]
    return as_recorded(recorded["asked"], seen.asked) and seen.ends == recorded["ends"]


@pytest.mark.parametrize(
    ("client", "world"), EVERY, ids=[f"{client.id}-{world}" for client, world in EVERY]
)
def test_it_does_what_is_recorded(client: Client, world: str, runs: Runs) -> None:
    if why := client.missing():
        pytest.skip(f"{client.id}: {why}")
    seen = runs[client.id, world].result()
    if not agrees(client, world, seen):
        # A second without CPU time is a time-out to it: so once more.
        seen = run(client, world)
    if world == "elsewhere":
        assert client.heeds_endpoint == (not seen.asked), seen
        return
    recorded = client.seen[world]
    assert as_recorded(recorded["asked"], seen.asked), seen
    assert seen.ends == recorded["ends"], seen
    if world == "optional":
        assert any(client.asks in path for path in seen.paths), seen
    if world == "hop-limit-1":
        assert seen.unanswered == sum(path == "/latest/api/token" for path in seen.paths)


def test_the_table_in_the_docs_is_what_is_recorded() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert document(text) == text, "write it anew: python tests/real_clients/client_shelf.py"


@pytest.mark.parametrize("client", clients(), ids=lambda one: one.id)
def test_what_is_recorded_makes_sense(client: Client) -> None:
    assert client.seen["optional"]["ends"] == "got"
    assert client.seen["disabled"]["ends"] != "got"
    goes_on = client.seen["required"]["ends"] == "got"
    assert goes_on == client.kind.startswith("v2")
    falls_back = client.seen["hop-limit-1"]["ends"] == "got"
    assert falls_back == (client.kind != "v2, never falls back")
    assert not (client.kind == "v1 only" and client.heeds_endpoint)
