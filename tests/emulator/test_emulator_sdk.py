"""botocore's own client against the emulator, in every mode."""

from typing import Any

import pytest
from botocore.exceptions import MetadataRetrievalError
from botocore.utils import InstanceMetadataFetcher
from emulator_client import (
    Client,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)


def fetched(client: Client, **config: Any) -> dict[str, Any]:
    fetcher = InstanceMetadataFetcher(
        timeout=1,
        num_attempts=1,
        base_url=client.emulator.url,
        env={},
        config={"ec2_metadata_service_endpoint": client.emulator.url, **config},
    )
    found: dict[str, Any] = fetcher.retrieve_iam_role_credentials()
    return found


def spoken(client: Client) -> list[tuple[str, int | None]]:
    return [(call.version, call.status) for call in client.emulator.calls.list()]


@pytest.mark.parametrize("http_tokens", ["optional", "required"])
def test_it_gets_credentials_over_v2(emulator: StartEmulator, http_tokens: str) -> None:
    client = emulator({"http_tokens": http_tokens}, values={"iam": {"role": "web"}})
    found = fetched(client)
    assert found["role_name"] == "web"
    assert found["access_key"].startswith("ASIAFAKE")
    assert spoken(client) == [("token", 200), ("v2", 200), ("v2", 200)]


def test_it_gets_none_where_the_service_is_off(emulator: StartEmulator) -> None:
    client = emulator({"http_endpoint": "disabled"})
    assert fetched(client) == {}
    assert spoken(client)[0] == ("token", 403)


def test_it_falls_back_to_v1_where_the_token_gets_no_answer(emulator: StartEmulator) -> None:
    # What a container one hop too far sees.
    client = emulator({"http_tokens": "optional"}, faults=("timeout:1:token",))
    assert fetched(client)["access_key"].startswith("ASIAFAKE")
    assert {version for version, _ in spoken(client)} == {"token", "v1"}
    client.emulator.set_options(http_tokens="required")
    assert fetched(client) == {}


def test_it_gives_up_where_v1_is_switched_off_for_it(emulator: StartEmulator) -> None:
    client = emulator(faults=("timeout:1:token",))
    with pytest.raises(MetadataRetrievalError, match="IMDSv1 has been disabled"):
        fetched(client, ec2_metadata_v1_disabled=True)
    assert client.emulator.calls.count("v1") == 0
