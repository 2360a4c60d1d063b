"""Tracers, several instances' networks, a client in C; the rest is of every test of the kernel."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host_bpf.instances import World
from host_kernel import _kernel, container, unit, world

from host_trace.tracers import Tracer

__all__ = ["_kernel", "container", "unit", "world"]
HERE = Path(__file__).parent


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
def worlds(_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """Three of them."""
    several = [World(tmp_path_factory.mktemp(f"world{number}")) for number in range(3)]
    yield several
    for one in several:
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
