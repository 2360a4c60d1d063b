"""User data that AWS holds, over the simulated AWS: looked at, and never kept."""

import gzip
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commanded import Lint

from imdsctl.lint import engine
from imdsctl.lint.facts import Fact, Request
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source
from imdsctl.lint.userdata import unpacked

StartAws = Callable[..., Any]
SECRET = "hunter2hunter2hunter2"
SCRIPT = f"""#!/bin/bash
export DB_PASSWORD={SECRET}
REGION=$(curl -s http://169.254.169.254/latest/meta-data/placement/region) # token={SECRET}
"""
FLEET = f"""
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.launch_template]]
name = "web"
default = 1
[[account.region.launch_template.version]]
user_data = '''{SCRIPT}'''
[[account.region.launch_template.version]]
user_data = '''#!/bin/sh
echo no call here
'''
[[account.region.instance]]
name = "box"
user_data = '''{SCRIPT}'''
[[account.region.instance]]
name = "plain"
[[account]]
id = "222222222222"
[[account.region]]
name = "us-east-1"
[[account.region.instance]]
name = "far"
user_data = '''{SCRIPT}'''
"""


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


_CALL = "http://169.254.169.254/"


@pytest.fixture
def finds_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of user data and a rule that say no more than where a call stands.

    What the real ones say of such a call is their own tests' matter.
    """

    def read(source: Source) -> Iterator[Fact]:
        at = source.text.find(_CALL)
        if at >= 0:
            yield Request(place=source.place(at, at + len(_CALL)), client="curl")

    def check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
        for fact in facts:
            if isinstance(fact, Request):
                yield Said(place=fact.place, message="a call", fix="send a token")

    rule = Rule(
        title="A call",
        why="It is one.",
        severity="error",
        check=check,
        bad=(Example(name="x.sh", text=_CALL, lines=(1,)),),
    )
    readers = {**every_reader(), "user-data": (read,)}
    monkeypatch.setattr(engine, "every_reader", lambda: readers)
    monkeypatch.setattr(engine, "every_rule", lambda: {**every_rule(), "tokenless-call": rule})


@pytest.fixture
def client(simulated_aws: StartAws, boto: Callable[..., Any]) -> Any:
    simulated_aws(FLEET)
    return boto("ec2")


def instance(client: Any, name: str) -> str:
    rows = client.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
    return str(rows["Reservations"][0]["Instances"][0]["InstanceId"])


def template(client: Any) -> str:
    return str(client.describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"])


@pytest.mark.usefixtures("finds_calls")
def test_the_user_data_of_an_instance_is_linted_and_nothing_is_stored(
    lint: Lint, client: Any
) -> None:
    box = instance(client, "box")
    said = lint("--user-data", box, "-o", "json")
    assert said.code == 1
    rows = said.json["findings"]
    assert {(row["path"], row["line"]) for row in rows} == {(box, 3)}
    assert SECRET not in said.out + said.err
    assert list(lint.folder.iterdir()) == []
    table = lint("--user-data", box)
    assert "placement/region" in table.out
    assert SECRET not in table.out + table.err


@pytest.mark.usefixtures("finds_calls")
def test_a_template_is_linted_in_its_default_version_or_the_one_named(
    lint: Lint, client: Any
) -> None:
    lt = template(client)
    assert {p for p, *_ in lint.found("--user-data", lt)} == {f"{lt}:$Default"}
    assert lint("--user-data", f"{lt}:1").code == 1
    assert lint("--user-data", f"{lt}:2").code == 0
    assert lint("--user-data", f"{lt}:$Latest").code == 0


@pytest.mark.usefixtures("finds_calls")
def test_files_and_what_aws_holds_together(lint: Lint, client: Any) -> None:
    lint.write("requirements.txt", "boto3==1.9.250\n")
    box = instance(client, "box")
    assert {p for p, *_ in lint.found(".", "--user-data", box)} == {"requirements.txt", box}


def test_without_user_data_it_says_so(lint: Lint, client: Any) -> None:
    said = lint("--user-data", instance(client, "plain"))
    assert said.code == 0
    assert "it has no user data" in said.out


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("what", ["i-0123456789abcdef0", "lt-0123456789abcdef0"])
def test_what_is_not_there_is_not_read(lint: Lint, what: str) -> None:
    said = lint("--user-data", what)
    assert said.code == 3
    assert "not read" in said.out
    assert "NotFound" in said.out


@pytest.mark.usefixtures("finds_calls", "client")
def test_in_another_account_and_region(lint: Lint, boto: Callable[..., Any]) -> None:
    far = instance(boto("ec2", "us-east-1", "222222222222"), "far")
    where = ("--account", "222222222222", "--region", "us-east-1", "--role-name", "imdsctl-read")
    assert {p for p, *_ in lint.found("--user-data", far, *where)} == {far}
    assert lint("--user-data", far).code == 3


@pytest.mark.usefixtures("finds_calls")
def test_packed_user_data_is_unpacked_as_cloud_init_does(lint: Lint, client: Any) -> None:
    image = client.register_image(Name="golden", RootDeviceName="/dev/xvda")["ImageId"]
    answer = client.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, UserData=gzip.compress(SCRIPT.encode())
    )
    packed = answer["Instances"][0]["InstanceId"]
    assert [line for _, line, _ in lint.found("--user-data", packed)] == [3]


def test_what_unpacks_to_more_than_a_text_is_not_read() -> None:
    assert unpacked(gzip.compress(b"x" * 3_000_000)) is None
    assert unpacked(gzip.compress(b"#!/bin/sh\n")[:-9]) is None
    assert unpacked(b"\x00\x01") is None


def test_without_credentials_it_says_so(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(lint.folder / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(lint.folder / "none"))
    said = lint("--user-data", "i-0123456789abcdef0")
    assert said.code == 6
