"""The pytest plugin: the fixture `imds`, and the markers `imds` and `v2_only`.

@pytest.mark.v2_only
def test_the_program_speaks_imdsv2(imds):
    run_my_program()            # AWS SDKs find the service through the environment

@pytest.mark.imds(http_tokens="required", hop_limit=2, values={"tags": {"Name": "web"}})
def test_it_starts_where_v2_is_required(imds): ...
"""

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from imdsctl.testing.imds import Imds

_SHOWN = 10
_RUNNING = pytest.StashKey["Imds"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line(
        "markers", "imds(**arguments): how the imds fixture's service is, as imdsctl.testing.Imds"
    )
    config.addinivalue_line(
        "markers", "v2_only: fails the test if anything called its metadata service with IMDSv1"
    )


@pytest.fixture
def imds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Imds]":
    """A metadata service that AWS SDKs in this test (and its subprocesses) find and use."""
    from imdsctl.testing.imds import SHADOWING, Imds  # noqa: PLC0415 - only where it is used

    marker = request.node.get_closest_marker("imds")
    with Imds(**(marker.kwargs if marker else {})) as service:
        for name in SHADOWING:
            monkeypatch.delenv(name, raising=False)
        # Profiles on this machine must not answer in the service's place.
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, os.devnull)
        for name, text in service.environment().items():
            monkeypatch.setenv(name, text)
        request.node.stash[_RUNNING] = service
        yield service


@pytest.fixture(autouse=True)
def _imds_where_marked(request: pytest.FixtureRequest) -> None:
    """A test that is marked `v2_only` has the service, also if it does not name it."""
    if request.node.get_closest_marker("v2_only"):
        request.getfixturevalue("imds")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a `v2_only` test that passed, if IMDSv1 was called."""
    result = yield
    service = item.stash.get(_RUNNING, None)
    if service is not None and item.get_closest_marker("v2_only") and service.v1_calls:
        calls = [call for call in service.requests if call.version == "v1"]
        lines = [f"  {call.method} {call.path}  {call.user_agent}".rstrip() for call in calls]
        more = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        shown = "\n".join([*lines[:_SHOWN], *more])
        pytest.fail(f"{service.v1_calls} calls over IMDSv1:\n{shown}", pytrace=False)
    return result
