"""Tracers, a cgroup of its own for each test, and instances' networks with metadata services."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host_bpf.conftest import _why_not
from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer
from imdsctl.host import cgroups

_numbers = itertools.count()
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def _kernel() -> None:
    reason = _why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def unit(_kernel: None) -> Iterator[Unit]:
    """A cgroup of its own, with a service's name."""
    path = cgroups.mount() / f"imdsctl-traced-{os.getpid()}-{next(_numbers)}.service"
    path.mkdir()
    one = Unit(path)
    yield one
    one.remove()


@pytest.fixture
def tracer(_kernel: None) -> Iterator[Callable[..., Tracer]]:
    """Starts traces; those that still run when the test is over are ended."""
    running: list[Tracer] = []

    def start(*arguments: str | Path, command: list[str] | None = None) -> Tracer:
        running.append(Tracer(*arguments, command=command))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture(scope="module")
def world(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An instance that allows v1: both addresses, its own network namespace."""
    one = World(tmp_path_factory.mktemp("world"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def worlds(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """Three of them."""
    several = [World(tmp_path_factory.mktemp(f"world{number}")) for number in range(3)]
    yield several
    for one in several:
        one.close()


@pytest.fixture(scope="module")
def container(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A container on an instance with hop limit 1."""
    one = World(tmp_path_factory.mktemp("container"), "container")
    yield one
    one.close()


@pytest.fixture(scope="session")
def imds_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in C, compiled here."""
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    built = tmp_path_factory.mktemp("c") / "imds_c"
    subprocess.run([compiler, "-O1", "-o", built, HERE / "imds_c.c"], check=True)
    return built
