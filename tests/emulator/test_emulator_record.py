"""Recording an instance (an emulator stands in for it) and serving what was recorded."""

import tomllib
from pathlib import Path

import pytest
from emulator_client import (
    Client,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

from imdsctl.emulator.files import load
from imdsctl.emulator.record import Reader, RecordError, record
from imdsctl.emulator.tomltext import to_toml

KEY = "ssh-rsa AAAAB3Nza test"
REAL = {
    "instance_id": "i-0fedcba9876543210",
    "availability_zone": "eu-central-1c",
    "account_id": "111122223333",
    "iam": {"role": "production-role", "given": {"SecretAccessKey": "very-secret"}},
    "public_keys": {"my-key": KEY},
    "tags": {"Name": "web", "team": "platform"},
    "user_data": "#!/bin/sh\nexport PASSWORD=hunter2\n",
    "spot": {"action": "stop", "time": "+60s"},
    "ipv6": "2001:db8::7",
    "paths": {"meta-data/odd/item": 'with "quotes" and é'},
}
SECRETS = ("/iam/", "/identity-credentials/", "/instance-identity/", "public-keys", "user-data")


@pytest.fixture
def instance(emulator: StartEmulator) -> Client:
    return emulator({"http_tokens": "required", "instance_metadata_tags": "enabled"}, values=REAL)


def everything(client: Client, path: str = "/latest/") -> dict[str, str]:
    """Every item a client can reach, by path."""
    found: dict[str, str] = {}
    for name in client.get_v2(path).body.splitlines():
        below = f"{path}{name}"
        if path == "/latest/" and name != "user-data":
            below += "/"
        if path.endswith("/public-keys/"):
            below = below.split("=")[0] + "/"
        if below.endswith("/"):
            found.update(everything(client, below))
        else:
            found[below] = client.get_v2(below).body
    return found


def test_what_is_recorded_is_served_as_it_was(
    instance: Client, emulator: StartEmulator, tmp_path: Path
) -> None:
    path = tmp_path / "values.toml"
    path.write_text(to_toml(record(Reader(instance.emulator.url))))
    loaded = load(path)
    again = emulator(loaded.options, values=loaded.values)
    before, after = everything(instance), everything(again)
    plain = {
        name: text for name, text in before.items() if not any(part in name for part in SECRETS)
    }
    assert len(plain) > 40
    assert {name: after.get(name) for name in plain} == plain
    assert again.get_v2("/latest/meta-data/iam/security-credentials/").body == "production-role"
    document = "/latest/dynamic/instance-identity/document"
    assert after[document] == before[document]


def test_no_secret_is_recorded_and_v1_is_never_called(instance: Client) -> None:
    text = to_toml(record(Reader(instance.emulator.url)))
    for secret in ("very-secret", "hunter2", KEY, "ASIAFAKE"):
        assert secret not in text
    for name in ("pkcs7", "rsa2048", "signature"):
        real = instance.get_v2(f"/latest/dynamic/instance-identity/{name}").body
        assert real.splitlines()[1] not in text
    calls = instance.emulator.calls
    assert calls.count("v1") == 0
    fetched = [call.path for call in calls.list()]
    assert "/latest/meta-data/iam/security-credentials/production-role" not in fetched
    assert not any("ec2-instance" in path for path in fetched)


def test_keys_and_user_data_come_along_when_asked_for(instance: Client) -> None:
    document = record(Reader(instance.emulator.url), public_keys=True, user_data=True)
    values = document["values"]
    assert values["user_data"] == REAL["user_data"]
    assert values["paths"]["meta-data/public-keys/0=my-key/openssh-key"] == KEY
    assert tomllib.loads(to_toml(document)) == document


def test_binary_user_data_is_kept_byte_for_byte(emulator: StartEmulator) -> None:
    client = emulator(values={"user_data_base64": "H4sIAP8="})
    document = record(Reader(client.emulator.url), user_data=True)
    assert document["values"]["user_data_base64"] == "H4sIAP8="


def test_where_there_is_no_service_it_is_said(emulator: StartEmulator) -> None:
    client = emulator({"http_endpoint": "disabled"})
    with pytest.raises(RecordError, match="gave no session token: status 403"):
        record(Reader(client.emulator.url))
    with pytest.raises(RecordError, match="no metadata service answers"):
        Reader("http://127.0.0.1:1")
    with pytest.raises(RecordError, match="is no address"):
        Reader("https://127.0.0.1")
