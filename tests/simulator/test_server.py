"""The server: who calls, what is refused, and what a client sees on the wire."""

import http.client
import signal
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws

from imdsctl.simulator import fleetfile, server
from imdsctl.simulator.server import SimulatedAws

FLEET = """
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"

[[account.region]]
name = "eu-west-1"

[[account.region.instance]]
name = "own"

[[account.region]]
name = "eu-central-1"
denied = true

[[account]]
id = "222222222222"
role = "audit"

[[account.region]]
name = "eu-west-1"

[[account.region.instance]]
name = "other"
count = 2

[[account.region]]
name = "ap-southeast-3"
"""


def names(client: object) -> list[str]:
    answer = client.describe_instances()  # type: ignore[attr-defined]
    found = [i for r in answer["Reservations"] for i in r["Instances"]]
    return sorted(t["Value"] for i in found for t in i["Tags"] if t["Key"] == "Name")


def code(problem: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = problem.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_any_access_key_belongs_to_the_first_account(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    identity = boto("sts").get_caller_identity()
    assert identity["Account"] == "111111111111"
    assert identity["Arn"] == "arn:aws:iam::111111111111:user/operator"
    assert names(boto("ec2")) == ["own"]


def test_an_assumed_role_leads_into_its_account(simulated_aws: StartAws, boto: MakeClient) -> None:
    simulated_aws(FLEET)
    identity = boto("sts", account="222222222222", role="audit").get_caller_identity()
    assert identity["Account"] == "222222222222"
    assert identity["Arn"] == "arn:aws:sts::222222222222:assumed-role/audit/test"
    assert names(boto("ec2", account="222222222222", role="audit")) == ["other-1", "other-2"]


@pytest.mark.parametrize(
    ("account", "role"), [("222222222222", "imdsctl-read"), ("999999999999", "audit")]
)
def test_only_the_fleets_own_roles_can_be_assumed(
    simulated_aws: StartAws, boto: MakeClient, account: str, role: str
) -> None:
    simulated_aws(FLEET)
    with pytest.raises(ClientError) as problem:
        boto("ec2", account=account, role=role)
    assert code(problem) == ("AccessDenied", 403)
    assert f"arn:aws:iam::{account}:role/{role}" in str(problem.value)


def test_credentials_end_by_the_clients_own_clock(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    answer = boto("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/audit", RoleSessionName="test", DurationSeconds=900
    )
    left = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 880 < left.total_seconds() <= 900


def test_every_call_in_a_denied_region_is_refused(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    with pytest.raises(ClientError) as ec2:
        boto("ec2", "eu-central-1").describe_instances()
    with pytest.raises(ClientError) as scaling:
        boto("autoscaling", "eu-central-1").describe_auto_scaling_groups()
    with pytest.raises(ClientError) as metrics:
        boto("cloudwatch", "eu-central-1").list_metrics()
    assert code(ec2) == ("UnauthorizedOperation", 403)
    assert code(scaling) == ("AccessDenied", 403)
    assert code(metrics)[0] == "AccessDenied"
    assert boto("sts", "eu-central-1").get_caller_identity()["Account"] == "111111111111"
    assert names(boto("ec2", "eu-west-1")) == ["own"]


def test_regions_are_those_that_are_on_by_default_and_the_fleets(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    rows = boto("ec2").describe_regions()["Regions"]
    status = {row["RegionName"]: row["OptInStatus"] for row in rows}
    assert len(status) == 18
    assert status["us-east-1"] == "opt-in-not-required"
    assert status["ap-southeast-3"] == "opted-in"
    everything = boto("ec2").describe_regions(AllRegions=True)["Regions"]
    assert "af-south-1" in {row["RegionName"] for row in everything}
    with pytest.raises(ClientError) as problem:
        boto("ec2").describe_regions(RegionNames=["eu-nowhere-9"])
    assert code(problem)[0] == "InvalidParameterValue"


def test_a_connection_is_kept_alive(simulated_aws: StartAws) -> None:
    address = urlsplit(simulated_aws(FLEET).url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 0, timeout=10)
    connection.request("GET", "/_imdsctl/clock")
    assert connection.getresponse().read()
    local = connection.sock.getsockname()
    connection.request("GET", "/_imdsctl/clock")
    assert connection.getresponse().status == 200
    assert connection.sock.getsockname() == local
    connection.close()


def test_an_unsigned_call_is_refused(simulated_aws: StartAws) -> None:
    address = urlsplit(simulated_aws(FLEET).url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 0, timeout=10)
    connection.request(
        "POST",
        "/",
        "Action=DescribeInstances&Version=2016-11-15",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    answer = connection.getresponse()
    assert (answer.status, b"MissingAuthenticationToken" in answer.read()) == (403, True)
    connection.close()


def test_an_action_that_is_not_simulated_is_an_aws_error(
    simulated_aws: StartAws, boto: MakeClient
) -> None:
    simulated_aws(FLEET)
    with pytest.raises(ClientError) as problem:
        boto("ec2").describe_elastic_gpus()
    assert code(problem) == ("InvalidAction", 400)


def test_loopback_is_all_that_is_served() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        SimulatedAws(host="0.0.0.0")


def test_two_at_a_time_are_refused_and_the_next_starts_empty() -> None:
    with SimulatedAws(fleetfile.parse(FLEET, "fleet.toml")) as first:
        assert len(first.control("truth")["instances"]) == 3
        with pytest.raises(RuntimeError, match="another"), SimulatedAws():
            pass
    with SimulatedAws() as second:
        assert second.control("truth") == {"instances": {}}


def test_serving_ends_at_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler that serve() installs ends it; no signal is sent to the test run itself."""
    handlers: dict[int, object] = {}
    monkeypatch.setattr(signal, "signal", handlers.setdefault)
    urls: list[str] = []

    def ready(url: str) -> None:
        urls.append(url)
        handler = handlers[signal.SIGTERM]
        assert callable(handler)
        threading.Timer(0.05, handler, (15, None)).start()

    started = time.monotonic()
    server.serve(None, 0, ready)
    assert urls[0].startswith("http://127.0.0.1:")
    assert time.monotonic() - started < 10
