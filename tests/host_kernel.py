"""Fixtures of tests that load kernel programs: cgroups of their own, instances' networks."""

import itertools
import os
import subprocess
from collections.abc import Iterator

import pytest
from host_bpf.instances import Unit, World

from imdsctl.host import cgroups
from imdsctl.host.bpf import syscalls

_numbers = itertools.count()


def _why_not() -> str | None:
    if os.geteuid() != 0:
        return "loading kernel programs needs root"
    try:
        folder = cgroups.mount() / f"imdsctl-probe-{os.getpid()}"
        folder.mkdir()
        folder.rmdir()
        os.close(syscalls.map_create(2, 4, 8, 1, 0, "probe"))
        subprocess.run(["unshare", "-n", "true"], check=True, capture_output=True)
    except (OSError, LookupError, subprocess.CalledProcessError) as error:
        return f"no BPF, cgroup v2 or network namespaces here: {error}"
    return None


@pytest.fixture(scope="session")
def _kernel() -> None:
    reason = _why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def unit(_kernel: None) -> Iterator[Unit]:
    """A cgroup of its own, with a service's name."""
    path = cgroups.mount() / f"imdsctl-test-{os.getpid()}-{next(_numbers)}.service"
    path.mkdir()
    one = Unit(path)
    yield one
    one.remove()


@pytest.fixture(scope="module")
def world(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An instance that allows v1: both addresses, its own network namespace."""
    one = World(tmp_path_factory.mktemp("world"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def container(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A container on an instance with hop limit 1."""
    one = World(tmp_path_factory.mktemp("container"), "container")
    yield one
    one.close()


@pytest.fixture(scope="module")
def slow(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An instance whose metadata service takes 1.5 s to answer."""
    one = World(tmp_path_factory.mktemp("slow"), "slow")
    yield one
    one.close()
