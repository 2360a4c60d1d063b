"""What every test may ask for: a running simulated AWS, and clients for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from imdsctl.simulator import fleetfile
from imdsctl.simulator.server import SimulatedAws

if TYPE_CHECKING:
    from whole_run import Operator

StartAws = Callable[..., SimulatedAws]
MakeClient = Callable[..., Any]


@pytest.fixture
def simulated_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartAws]:
    """Starts a simulated AWS on the text of a fleet file, and points the environment at it."""
    with ExitStack() as stack:

        def start(fleet: str | None = None) -> SimulatedAws:
            parsed = fleetfile.parse(fleet, "fleet.toml") if fleet is not None else None
            aws = stack.enter_context(SimulatedAws(parsed))
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOPERATOROPERATOR")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            monkeypatch.setenv("IMDSCTL_CLOCK", "simulated")
            return aws

        yield start


@pytest.fixture
def boto() -> MakeClient:
    """Makes a boto3 client of a service, in a region and an account of the running fleet.

    An account other than the caller's own is reached by AssumeRole. The client does not retry.
    """

    def client(
        service: str,
        region: str = "eu-west-1",
        account: str | None = None,
        role: str = "imdsctl-read",
        **config: Any,
    ) -> Any:
        session = boto3.Session()
        if account is not None:
            answer = session.client("sts", region_name=region).assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="test"
            )
            keys = answer["Credentials"]
            session = boto3.Session(
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
            )
        settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 20, **config}
        return session.client(service, region_name=region, config=Config(**settings))

    return client


@pytest.fixture
def operator(tmp_path: Path) -> "Operator":
    """Somebody at the command line, with a store, a settings file and a plan in one folder."""
    from whole_run import Operator  # noqa: PLC0415 - the whole command line, for those who ask

    return Operator(tmp_path)
