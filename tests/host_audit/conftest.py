"""Two roots, filled by the real package managers once for all tests."""

import pytest

from host_audit.managers import Filled, fill


@pytest.fixture(scope="session")
def old_root(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return fill(tmp_path_factory.mktemp("old"), old=True)


@pytest.fixture(scope="session")
def new_root(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return fill(tmp_path_factory.mktemp("new"), old=False)
