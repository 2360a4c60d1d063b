"""The control endpoint."""

import http.client
import json
from typing import Any

import pytest
from emulator_client import (
    INSTANCE_ID,
    TOKEN_HEADER,
    Client,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)


class Control:
    def __init__(self, client: Client) -> None:
        assert client.emulator.control_port is not None
        self.port = client.emulator.control_port

    def call(
        self, method: str, page: str, body: Any = None, **headers: str
    ) -> tuple[int, str, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        text = body if isinstance(body, (str, type(None))) else json.dumps(body)
        connection.request(method, f"/_imdsctl/{page}", body=text, headers=headers)
        answer = connection.getresponse()
        read = answer.read().decode()
        connection.close()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, read, json.loads(read) if is_json and read else {}


@pytest.fixture
def pair(emulator: StartEmulator) -> tuple[Client, Control]:
    client = emulator(control_port=0)
    return client, Control(client)


def test_options_are_shown_and_switched_live(pair: tuple[Client, Control]) -> None:
    client, control = pair
    assert client.get(INSTANCE_ID).status == 200
    status, _, answer = control.call("POST", "options", {"http_tokens": "required"})
    assert status == 200
    assert answer["schema"] == "imdsctl/emulator-options/v1"
    assert control.call("GET", "options")[2]["http_tokens"] == "required"
    assert client.get(INSTANCE_ID).status == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"http_tokens": "maybe"}, "http_tokens is 'maybe'"),
        ({"http_token": "required"}, "http_token"),
        ({"http_put_response_hop_limit": 65}, "1 to 64"),
        ({"http_protocol_ipv6": "enabled"}, "--ipv6"),
        ("not json", "no JSON"),
        ("[]", "no JSON object"),
    ],
)
def test_wrong_options_are_refused_and_change_nothing(
    pair: tuple[Client, Control], body: Any, said: str
) -> None:
    _, control = pair
    before = control.call("GET", "options")[2]
    status, _, answer = control.call("POST", "options", body)
    assert status == 400
    assert said in answer["error"]
    assert control.call("GET", "options")[2] == before


def test_metrics_count_as_cloudwatch_does(pair: tuple[Client, Control]) -> None:
    client, control = pair
    client.get(INSTANCE_ID)
    client.get(INSTANCE_ID)
    client.get_v2(INSTANCE_ID)
    client.emulator.set_options(http_tokens="required")
    client.get(INSTANCE_ID)
    text = control.call("GET", "metrics")[1]
    label = 'instance_id="i-1234567890abcdef0"'
    assert f"\nMetadataNoToken{{{label}}} 2\n" in text
    assert f"\nMetadataNoTokenRejected{{{label}}} 1\n" in text
    total = "imdsctl_imds_requests_total"
    assert f'{total}{{{label},version="v2",status="200"}} 1\n' in text
    assert f'{total}{{{label},version="token",status="200"}} 1\n' in text
    assert f'{total}{{{label},version="v1",status="401"}} 1\n' in text


def test_requests_are_listed_without_anything_secret(pair: tuple[Client, Control]) -> None:
    client, control = pair
    token = client.token()
    headers = {TOKEN_HEADER: token, "User-Agent": "my-app/1.0"}
    client.get("/latest/meta-data/iam/security-credentials/imdsctl-fake-role?x=1", headers)
    _, text, answer = control.call("GET", "requests")
    assert answer["counts"]["v2"] == answer["counts"]["token"] == 1
    last = answer["requests"][-1]
    assert last["path"] == "/latest/meta-data/iam/security-credentials/imdsctl-fake-role"
    assert (last["version"], last["status"], last["user_agent"]) == ("v2", 200, "my-app/1.0")
    assert token not in text
    assert "ASIAFAKE" not in text
    assert control.call("DELETE", "requests")[2]["requests"] == []


def test_behaviour_changes_live(pair: tuple[Client, Control]) -> None:
    client, control = pair
    answer = control.call("POST", "behaviour", {"faults": ["503:1"], "packets_per_second": True})[2]
    assert answer["faults"] == ["503:1"]
    assert answer["packets_per_second"] == 1024
    assert client.get(INSTANCE_ID).status == 503
    control.call("POST", "behaviour", {"faults": [], "packets_per_second": None})
    assert client.get(INSTANCE_ID).status == 200
    for wrong in ({"faults": "503:1"}, {"latency_ms": True}, {"latency_ms": -1}, {"speed": 1}):
        assert control.call("POST", "behaviour", wrong)[0] == 400


def test_values_change_live(pair: tuple[Client, Control]) -> None:
    client, control = pair
    path = "/latest/meta-data/spot/instance-action"
    assert client.get(path).status == 404
    control.call("POST", "values", {"spot": {"action": "stop", "time": "+60s"}})
    assert json.loads(client.get(path).body)["action"] == "stop"
    assert control.call("POST", "values", {"spto": {}})[0] == 400
    assert control.call("POST", "values", {"instance_id": "i-2"})[0] == 400


def test_it_is_not_for_browsers_and_not_on_the_services_address(
    pair: tuple[Client, Control],
) -> None:
    client, control = pair
    assert control.call("GET", "options", Origin="http://evil.example")[0] == 403
    assert control.call("GET", "options", Host="evil.example")[0] == 403
    assert client.get("/_imdsctl/options").status == 404


def test_what_is_not_there_is_said(pair: tuple[Client, Control]) -> None:
    _, control = pair
    status, _, answer = control.call("GET", "nothing")
    assert status == 404
    assert "/_imdsctl/metrics" in answer["error"]
    assert control.call("DELETE", "options")[0] == 405
