"""The object file: what is in it, what is refused, and that it is its source's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from imdsctl.host.bpf import elf
from imdsctl.host.bpf.loader import ATTACH
from imdsctl.host.bpf.redirect import CALLER, COUNTERS, FLOW, OBJECT
from imdsctl.host.trace.kernel import COUNTERS as COUNTED
from imdsctl.host.trace.kernel import OFFSETS, WHO, kernel_object

# The flags of `make bpf`.
FLAGS = ["-target", "bpfel", "-mcpu=v2", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-fno-ident"]
COMPILER = "Debian clang version 14."


def clang() -> str:
    found = shutil.which("clang")
    if found is None:
        pytest.skip("no clang here")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if COMPILER not in version.stdout:
        pytest.skip(f"another clang than the object's: {version.stdout.splitlines()[0]}")
    return found


def compiled(source: str, folder: Path) -> bytes:
    (folder / "test.bpf.c").write_text(f'#include "{OBJECT.parent}/kernel.h"\n{source}')
    subprocess.run(
        [clang(), *FLAGS, "-c", "test.bpf.c", "-o", "test.bpf.o"], cwd=folder, check=True
    )
    return (folder / "test.bpf.o").read_bytes()


@pytest.mark.parametrize("built", sorted(OBJECT.parent.glob("*.bpf.o")), ids=lambda one: one.name)
def test_an_object_is_what_its_source_compiles_to(built: Path, tmp_path: Path) -> None:
    source = built.with_suffix(".c")
    # In the source's folder, because the object holds the file's name as it was given.
    subprocess.run(
        [clang(), *FLAGS, "-c", source.name, "-o", tmp_path / "new.o"],
        cwd=source.parent,
        check=True,
    )
    assert (tmp_path / "new.o").read_bytes() == built.read_bytes()


def test_every_program_is_found_with_its_attach_point() -> None:
    programs = elf.read(OBJECT.read_bytes()).programs
    assert {one.name: one.section for one in programs.values()} == {
        "live_connect4": "cgroup/connect4",
        "live_connect6": "cgroup/connect6",
        "live_established": "sockops",
        "live_getpeername4": "cgroup/getpeername4",
        "live_getpeername6": "cgroup/getpeername6",
        "learn_netns": "cgroup/connect4",
    }
    assert all(one.section in ATTACH for one in programs.values())
    # Two share a section, and each has what is its own.
    used = {name: {one for _, one in program.references} for name, program in programs.items()}
    assert used["learn_netns"] == {"learned"}
    assert "learned" not in used["live_connect4"]


def test_the_maps_have_the_sizes_that_python_reads_and_writes() -> None:
    maps = elf.read(OBJECT.read_bytes()).maps
    assert maps["callers"].value_size == CALLER.size == maps["flows"].value_size
    assert maps["flows"].key_size == FLOW.size
    assert maps["counters"].max_entries == len(COUNTERS)


def test_the_host_traces_programs_have_their_attach_points_and_sizes() -> None:
    found = kernel_object()
    assert {one.name: one.section for one in found.programs.values()} == {
        "rich_connect4": "cgroup/connect4",
        "rich_connect6": "cgroup/connect6",
        "plain_connect4": "cgroup/connect4",
        "plain_connect6": "cgroup/connect6",
        "bare_connect4": "cgroup/connect4",
        "bare_connect6": "cgroup/connect6",
        "trace_egress": "cgroup_skb/egress",
        "trace_ingress": "cgroup_skb/ingress",
    }
    assert found.maps["owners"].value_size == WHO.size
    assert found.maps["offsets"].value_size == 4 * len(OFFSETS)
    assert found.maps["counters"].max_entries == COUNTED


def test_an_object_that_ends_too_early_is_refused_wherever_it_ends() -> None:
    data = OBJECT.read_bytes()
    whole = elf.read(data)
    read = 0
    for length in range(0, len(data), 37):
        try:
            assert elf.read(data[:length]) != whole
            read += 1
        except elf.BadObjectError:
            continue
    assert read == 0


def test_another_machines_file_is_refused_by_its_machine() -> None:
    data = bytearray(OBJECT.read_bytes())
    data[18:20] = (62).to_bytes(2, "little")
    with pytest.raises(elf.BadObjectError, match="for machine 62, not for BPF"):
        elf.read(bytes(data))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "int seen;\nSEC('sockops') int run(void *c) { return c && ++seen; }",
            r"sockops refers to .*only maps",
        ),
        (
            (
                "__attribute__((noinline)) int other(int a) { return a * 3; }\n"
                "SEC('sockops') int run(int *c) { return other(*c); }"
            ),
            "have to be inlined",
        ),
        ("SEC('maps') long what = 3;", "something else than maps"),
    ],
)
def test_what_the_loader_does_not_know_is_refused_by_name(
    source: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(elf.BadObjectError, match=why):
        elf.read(compiled(source.replace("'", '"'), tmp_path))
