"""The loader against the real kernel."""

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host_bpf.instances import Unit
from imdsctl.host.bpf import elf, syscalls
from imdsctl.host.bpf.elf import BpfObject, MapSpec, ProgramSpec
from imdsctl.host.bpf.loader import Loaded, attached
from imdsctl.host.bpf.redirect import Redirect
from imdsctl.host.bpf.syscalls import BpfError

pytestmark = pytest.mark.usefixtures("_kernel")

EXIT = b"\x95" + bytes(7)
ALLOW = b"\xb7\0\0\0\1\0\0\0" + EXIT  # r0 = 1; exit
HASH = MapSpec("pairs", 1, 4, 8, 16, 0)


def program(code: bytes) -> BpfObject:
    spec = ProgramSpec("tried", "cgroup/connect4", code, ())
    return BpfObject({"tried": spec}, {"pairs": HASH}, "Apache-2.0")


def test_a_program_that_the_verifier_refuses_is_refused_with_its_words() -> None:
    with pytest.raises(BpfError, match=r"(?s)load tried.*R0 !read_ok"):
        Loaded(program(EXIT))  # it returns what it never set


def test_a_map_keeps_and_lists_what_it_is_given() -> None:
    with contextlib.closing(Loaded(program(ALLOW))) as loaded:
        pairs = loaded.maps["pairs"]
        expected = {struct.pack("<I", n): struct.pack("<Q", n * n) for n in range(16)}
        for key, value in expected.items():
            pairs.put(key, value)
        assert dict(pairs.items()) == expected
        assert pairs.remove(b"\3\0\0\0") is True
        assert pairs.remove(b"\3\0\0\0") is False
        assert pairs.get(b"\3\0\0\0") is None
        assert len(dict(pairs.items())) == 15
        with pytest.raises(ValueError, match="a key of pairs has 4 bytes"):
            pairs.get(b"three")


def test_another_size_can_be_asked_for() -> None:
    with contextlib.closing(Loaded(program(ALLOW), max_entries={"pairs": 1})) as loaded:
        loaded.maps["pairs"].put(bytes(4), bytes(8))
        with pytest.raises(BpfError, match="map update"):
            loaded.maps["pairs"].put(b"\1\0\0\0", bytes(8))


def test_a_link_holds_its_program_at_the_cgroup_until_it_is_closed(unit: Unit) -> None:
    with contextlib.closing(Loaded(program(ALLOW))) as loaded:
        link = loaded.attach("tried", unit.path)
        assert attached(unit.path) == {"cgroup/connect4": loaded.ids()["prog"]}
        link.close()
        assert attached(unit.path) == {}


def test_a_folder_that_is_no_cgroup_is_refused_by_name(tmp_path: Path) -> None:
    with (
        contextlib.closing(Loaded(program(ALLOW))) as loaded,
        pytest.raises(OSError, match="is no cgroup of the v2 hierarchy"),
    ):
        loaded.attach("tried", tmp_path)


def test_a_map_that_cannot_be_made_leaves_no_descriptor_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    bad = MapSpec("bad", 9999, 4, 8, 16, 0)
    with pytest.raises(BpfError, match="map create bad"):
        Loaded(BpfObject({}, {"pairs": HASH, "bad": bad}, ""))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


HOLDER = """
import json, sys, time
from pathlib import Path
from imdsctl.host.bpf.loader import Loaded
from imdsctl.host.bpf.redirect import OBJECT
loaded = Loaded(OBJECT)
names = [name for name in loaded.object.programs if name != "learn_netns"]
links = [loaded.attach(name, Path(sys.argv[1])) for name in names]
print(json.dumps({**loaded.ids(), "link": [one.id for one in links]}), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_in_the_kernel_when_the_holder_dies(
    ending: signal.Signals, unit: Unit
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, unit.path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        held = json.loads(holder.stdout.readline())
        assert len(attached(unit.path)) == 5
        assert {kind: set(ids) <= set(syscalls.ids(kind)) for kind, ids in held.items()} == {
            "prog": True,
            "map": True,
            "link": True,
        }
        holder.send_signal(ending)
    assert attached(unit.path) == {}
    until = time.monotonic() + 5  # the kernel frees maps a moment later
    while time.monotonic() < until:
        left = {kind: set(ids) & set(syscalls.ids(kind)) for kind, ids in held.items()}
        if not any(left.values()):
            return
        time.sleep(0.05)
    pytest.fail(f"left behind: {left}")


def test_a_network_namespaces_number_can_be_learned_where_no_call_tells_it() -> None:
    with contextlib.closing(Redirect()) as redirect, socket.create_server(("127.0.0.1", 0)) as one:
        assert redirect.learn(one) == redirect.netns_of(one) != 0


@pytest.mark.parametrize("version", ["3.9.18", "3.13.0"])
def test_the_loader_works_on_the_oldest_and_the_newest_python(version: str, unit: Unit) -> None:
    python = Path.home() / ".pyenv/versions" / version / "bin/python"
    if not python.exists():
        pytest.skip(f"no Python {version} here")
    script = HOLDER.replace("time.sleep(60)", "print(sorted(sys.version_info[:2]))")
    source = Path(elf.__file__).parents[3]
    found = subprocess.run(
        [python, "-c", f"import sys; sys.path.insert(0, {str(source)!r})\n{script}", unit.path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert len(json.loads(found.stdout.splitlines()[0])["link"]) == 5
