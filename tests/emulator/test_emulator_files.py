"""Files that an emulator starts from."""

import json
from pathlib import Path
from typing import Any

import pytest
from emulator_client import (
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

from imdsctl.emulator.files import FileError, Loaded, load
from imdsctl.emulator.tomltext import to_toml

MAC = "0e:49:61:0f:c3:77"


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / ("file.json" if not isinstance(content, str) else "file.toml")
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def started(emulator: StartEmulator, loaded: Loaded) -> Any:
    return emulator(loaded.options, values=loaded.values)


def test_a_toml_file_gives_options_values_and_settings(
    tmp_path: Path, emulator: StartEmulator
) -> None:
    loaded = load(
        written(
            tmp_path,
            """
            [options]
            http_tokens = "required"
            http_put_response_hop_limit = 2
            [values]
            instance_id = "i-0aaaaaaaaaaaaaaaa"
            availability_zone = "eu-west-1b"
            iam = { role = "web" }
            [values.paths]
            "meta-data/my/own" = "item"
            [server]
            latency_ms = 5
            faults = ["503:0.1"]
            """,
        )
    )
    assert loaded.server == {"latency_ms": 5, "faults": ["503:0.1"]}
    client = started(emulator, loaded)
    assert client.get("/latest/meta-data/instance-id").status == 401
    assert client.get_v2("/latest/meta-data/placement/region").body == "eu-west-1"
    assert client.get_v2("/latest/meta-data/my/own").body == "item"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[valeus]\nx = 1\n", "there is no key 'valeus'; did you mean values?"),
        ('[values]\nintance_id = "i-1"\n', "[values] no value is called intance_id; did you mean"),
        ('[options]\nhttp_tokens = "yes"\n', "[options] http_tokens is 'yes'"),
        ("[server]\nlatency = 1\n", "[server] there is no key 'latency'; did you mean"),
        ('[server]\nport = "80"\n', "[server] port is '80', which is no int"),
        ("[server]\nport = true\n", "[server] port is True"),
        ("[server]\nfaults = [1]\n", "[server] faults is [1]"),
        ("values = 3\n", "values is a table"),
        ("[values\n", "is no valid TOML"),
        ({"values": {"spot": {"action": "explode"}}}, "explode"),
        ({"metadata": {"values": {"ami-ids": "x"}}}, "metadata.values.ami-ids; did you mean"),
        ({"metadata": {"vals": {}}}, "there is no setting metadata.vals"),
        ({"imdsv2": True, "sopt": {}}, "there is no setting sopt; did you mean spot?"),
        ({"spot": {"action": "explode"}}, "explode"),
        ({"spot": {"time": "soon"}}, "'soon' is no time"),
        ({"mock-delay-sec": "5"}, "mock-delay-sec is a whole number"),
        ({"metadata": []}, ""),
        ({"imdsv2": True, "metadata": ["x"]}, "metadata is an object"),
        ({"metadata": {"paths": {"mac": "/2020-01-01/mac"}}}, "is a path below /latest/"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(tmp_path: Path, content: Any, said: str) -> None:
    path = written(tmp_path, content)
    if not said:  # an empty table is no mistake
        load(path)
        return
    with pytest.raises(FileError) as refused:
        load(path)
    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="could not be read: No such file"):
        load(tmp_path / "nothing.toml")


def test_the_mocks_configuration_is_served(tmp_path: Path, emulator: StartEmulator) -> None:
    loaded = load(
        written(
            tmp_path,
            {
                "imdsv2": True,
                "server": {"hostname": "127.0.0.1", "port": "1550"},
                "metadata": {
                    "paths": {"mac-device-number": "/latest/meta-data/elsewhere/device-number"},
                    "values": {
                        "mac": MAC,
                        "public-ipv4": "54.92.157.77",
                        "placement-region": "eu-west-1",
                        "mac-subnet-id": "subnet-1",
                        "security-groups": "one\ntwo",
                        "tags-instance-name": "web",
                        "iam-security-credentials-role": "my-role",
                        "iam-security-credentials": {"AccessKeyId": "12345678901"},
                        "public-key": "ssh-rsa AAAA test",
                    },
                },
                "dynamic": {"values": {"fws-instance-monitoring": "enabled"}},
                "userdata": {"values": {"userdata": "1234,john,reboot,true"}},
                "spot": {"action": "stop", "time": "2030-01-07T01:03:47Z"},
                "events": {"code": "instance-stop"},
                "mock-ip-count": 3,
            },
        )
    )
    assert loaded.options["http_tokens"] == "required"
    assert loaded.server == {"host": "127.0.0.1", "port": 1550}
    assert any("mock-ip-count has no effect" in note for note in loaded.notes)
    client = started(emulator, loaded)
    macs = f"/latest/meta-data/network/interfaces/macs/{MAC}"
    expected = {
        "/latest/meta-data/mac": MAC,
        "/latest/meta-data/public-ipv4": "54.92.157.77",
        "/latest/meta-data/placement/availability-zone": "eu-west-1a",
        f"{macs}/subnet-id": "subnet-1",
        "/latest/meta-data/elsewhere/device-number": "0",
        "/latest/meta-data/security-groups": "one\ntwo",
        "/latest/meta-data/tags/instance/Name": "web",
        "/latest/meta-data/iam/security-credentials/": "my-role",
        "/latest/meta-data/public-keys/0/openssh-key": "ssh-rsa AAAA test",
        "/latest/dynamic/fws/instance-monitoring": "enabled",
        "/latest/user-data": "1234,john,reboot,true",
    }
    assert {path: client.get_v2(path).body for path in expected} == expected
    assert client.get_v2(f"{macs}/device-number").status == 404
    credentials = client.get_v2("/latest/meta-data/iam/security-credentials/my-role").body
    assert json.loads(credentials)["AccessKeyId"] == "12345678901"
    action = client.get_v2("/latest/meta-data/spot/instance-action").body
    assert json.loads(action) == {"action": "stop", "time": "2030-01-07T01:03:47Z"}
    events = json.loads(client.get_v2("/latest/meta-data/events/maintenance/scheduled").body)
    assert [event["Code"] for event in events] == ["instance-stop"]


def test_the_example_of_the_mocks_own_manual_is_served(
    tmp_path: Path, emulator: StartEmulator
) -> None:
    associations = f"/latest/meta-data/network/interfaces/macs/{MAC}/ipv4-associations"
    loaded = load(
        written(
            tmp_path,
            {
                "metadata": {
                    "paths": {"ipv4-associations": f"{associations}/192.0.2.54"},
                    "values": {"mac": MAC, "public-ipv4": "54.92.157.77"},
                },
                "spot-itn": {"instance-action": "terminate", "time": "2020-01-07T01:03:47Z"},
            },
        )
    )
    client = started(emulator, loaded)
    assert client.get(f"{associations}/192.0.2.54").body == "10.0.0.25"
    assert client.get("/latest/meta-data/public-ipv4").body == "54.92.157.77"
    assert "2020-01-07T01:03:47Z" in client.get("/latest/meta-data/spot/instance-action").body


def test_the_mocks_delays_are_kept(tmp_path: Path) -> None:
    loaded = load(
        written(
            tmp_path,
            {
                "mock-delay-sec": 30,
                "rebalance-delay-sec": 10,
                "asg-termination-delay-sec": 20,
                "spot-itn": {"instance-action": "hibernate"},
            },
        )
    )
    assert loaded.options["http_tokens"] == "optional"
    assert loaded.values["spot"] == {
        "action": "hibernate",
        "visible_from": "+30s",
        "time": "+150s",
    }
    assert loaded.values["rebalance"] == {"notice_time": "+10s"}
    assert loaded.values["autoscaling"]["target_lifecycle_state"] == [
        {"from": 0, "state": "InService"},
        {"from": "+20s", "state": "Terminated"},
    ]


def test_toml_that_is_written_reads_back() -> None:
    import tomllib  # noqa: PLC0415 - only here

    document = {
        "values": {
            "plain": "text",
            'odd "key"': 'quote " backslash \\ newline \n tab \t del \x7f é 🚀',
            "number": 3,
            "flag": True,
            "list": ["a", {"b": 1}],
            "empty": {},
            "paths": {"meta-data/ami-id": "ami-1"},
        }
    }
    assert tomllib.loads(to_toml(document)) == document
