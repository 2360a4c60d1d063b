"""What goes to hosts: one file for any Python from 3.9, a systemd unit, a DaemonSet."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_bpf.instances import Unit, World

from host_trace.tracers import Tracer
from imdsctl.host.__main__ import main
from imdsctl.host.trace.command import parser

PACKAGING = Path(__file__).parents[2] / "packaging"
UNIT = PACKAGING / "imdsctl-host-trace.service"
ITEM = "/latest/meta-data/instance-id"
MODES = {
    "3.9": ("3.9",),
    "newest": tuple(f"3.{minor}" for minor in range(20, 11, -1)),
}


def interpreter(versions: tuple[str, ...]) -> str | None:
    """The first of these Pythons that is here."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in versions:
        kept = sorted(root.glob(f"versions/{version}.*/bin/python"))
        if kept:
            return str(kept[-1])
        found = shutil.which(f"python{version}")
        if found and subprocess.run([found, "-V"], capture_output=True, check=False).stdout:
            return found
    return None


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("host") / "imdsctl-host.pyz"
    subprocess.run([sys.executable, PACKAGING / "build_host.py", built], check=True)
    return built


@pytest.mark.parametrize("which", list(MODES))
def test_the_one_file_traces_on_this_python(
    which: str,
    pyz: Path,
    tracer: Callable[..., Tracer],
    unit: Unit,
    world: World,
    imds_c: Path,
    tmp_path: Path,
) -> None:
    python = interpreter(MODES[which])
    if python is None:
        pytest.skip(f"no Python {' or '.join(MODES[which])} here")
    log = tmp_path / "log"
    command = [python, "-I", "-S", "-W", "error", str(pyz), "trace"]
    trace = tracer("--cgroup", unit.name, "--file", log, "--rotate-size", "1K", command=command)
    unit.run(imds_c, "4", "v1", ITEM, network=world.network)
    unit.run(imds_c, "6", "v2", ITEM, network=world.network)
    summary = trace.end()
    assert [line["version"] for line in trace.lines] == ["v1", "v2"]
    assert {line["exe"] for line in trace.lines} == {str(imds_c)}
    assert summary["programs"][0]["conclusion"] == "v1-only"
    assert trace.process.returncode == 1
    assert len(trace.said) == 1, "one line says what is seen here"
    assert trace.said[0].startswith("tracing by bpf: ")


@pytest.mark.parametrize("which", list(MODES))
def test_the_one_file_has_its_commands_on_this_python(which: str, pyz: Path) -> None:
    python = interpreter(MODES[which])
    if python is None:
        pytest.skip(f"no Python {' or '.join(MODES[which])} here")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        start = [python or "", "-I", "-S", "-W", "error", str(pyz)]
        return subprocess.run([*start, *words], capture_output=True, text=True, check=False)

    usage = run("--help")
    assert (usage.returncode, usage.stderr) == (0, "")
    commands = re.findall(r"^  (\w+) ", usage.stdout, re.MULTILINE)
    assert {"probe", "audit", "trace"} <= set(commands)
    for command in commands:
        assert run(command, "--help").returncode == 0, command
    assert run().returncode == 2
    assert run("nonsense").returncode == 2
    assert "no such command: nonsense" in run("nonsense").stderr
    bad = run("trace", "--for", "soon")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "'soon' is no duration" in bad.stderr


@pytest.mark.parametrize("which", list(MODES))
def test_the_one_file_audits_a_tree(which: str, pyz: Path, tmp_path: Path) -> None:
    python = interpreter(MODES[which])
    if python is None:
        pytest.skip(f"no Python {' or '.join(MODES[which])} here")
    info = tmp_path / "site-packages" / "botocore-1.12.253.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: botocore\nVersion: 1.12.253\n")
    command = [python, "-I", "-S", "-W", "error", str(pyz), "audit", "--root", str(tmp_path)]
    audited = subprocess.run(command, capture_output=True, text=True, check=False)
    assert audited.returncode == 1, audited.stderr
    (finding,) = json.loads(audited.stdout)["findings"]
    assert (finding["name"], finding["version"]) == ("botocore", "1.12.253")


def test_the_same_sources_give_the_same_file(pyz: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    subprocess.run([sys.executable, PACKAGING / "build_host.py", again], check=True)
    assert again.read_bytes() == pyz.read_bytes()


def words_of_unit() -> list[str]:
    (line,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", UNIT.read_text(), re.MULTILINE)
    return shlex.split(line.replace("\\\n", " "))


def test_the_units_command_line_is_one() -> None:
    words = words_of_unit()
    given = parser().parse_args(words[words.index("trace") + 1 :])
    assert given.since_boot
    assert (given.rotate_size, given.keep) == (20 << 20, 8)


def test_systemd_takes_the_unit() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    ran = subprocess.run(
        ["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False
    )
    # It also looks at what else is installed here, which is not ours.
    assert UNIT.name not in ran.stderr


def container() -> dict[str, Any]:
    document = yaml.safe_load((PACKAGING / "daemonset.yaml").read_text())
    assert document["kind"] == "DaemonSet"
    spec = document["spec"]["template"]["spec"]
    assert spec["hostPID"]
    assert document["spec"]["selector"]["matchLabels"].items() <= (
        document["spec"]["template"]["metadata"]["labels"].items()
    )
    (one,) = spec["containers"]
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in one["volumeMounts"]} == volumes
    return dict(one)


def test_the_daemonsets_command_line_is_one() -> None:
    words = container()["command"]
    given = parser().parse_args(words[words.index("trace") + 1 :])
    assert given.json
    assert given.host_root == Path("/host")


def limited(capabilities: list[str]) -> list[str]:
    """What to start so that root has only these."""
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv here")
    kept = ",".join(["-all", *(f"+{one.lower().removeprefix('cap_')}" for one in capabilities)])
    tried = ["setpriv", f"--bounding-set={kept}"]
    ran = subprocess.run([*tried, "true"], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"setpriv: {ran.stderr.strip()}")
    return tried


@pytest.mark.parametrize("whose", ["daemonset", "unit"])
def test_the_privileges_that_are_asked_for_are_enough(
    whose: str, pyz: Path, tracer: Callable[..., Tracer], unit: Unit, world: World, imds_c: Path
) -> None:
    if whose == "daemonset":
        security = container()["securityContext"]
        assert not security["privileged"]
        assert security["capabilities"]["drop"] == ["ALL"]
        capabilities = security["capabilities"]["add"]
    else:
        (line,) = re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.MULTILINE)
        capabilities = line.split()
    command = [*limited(capabilities), sys.executable, "-I", "-S", str(pyz), "trace"]
    trace = tracer("--cgroup", unit.name, command=command)
    unit.run(imds_c, "4", "v1", ITEM, network=world.network)
    trace.end()
    (line,) = trace.lines
    assert trace.start["method"] == "bpf"
    # Nothing is missing: the kernel's memory was read, too.
    assert not [limit for limit in trace.start["limits"] if "program and arguments" in limit]
    assert (line["exe"], line["cmdline"]) == (str(imds_c), f"{imds_c} 4 v1 {ITEM}")
    assert line["ancestors"][0]["exe"]


@pytest.mark.parametrize("missing", ["BPF", "PERFMON", "NET_ADMIN"])
def test_with_less_it_says_so_or_sees_less(
    missing: str, pyz: Path, tracer: Callable[..., Tracer], unit: Unit
) -> None:
    capabilities = [one for one in ("BPF", "PERFMON", "NET_ADMIN") if one != missing]
    command = [*limited(capabilities), sys.executable, "-I", "-S", str(pyz), "trace"]
    if missing == "PERFMON":
        trace = tracer("--cgroup", unit.name, command=command)
        trace.end()
        assert any("CAP_PERFMON" in limit for limit in trace.start["limits"])
        return
    ran = subprocess.run([*command, "--for", "1s"], capture_output=True, text=True, check=False)
    assert ran.returncode == 5
    assert "CAP_BPF" in ran.stderr
    assert ran.stdout == ""


def test_where_only_packets_may_be_looked_at_that_is_done(
    pyz: Path, tracer: Callable[..., Tracer]
) -> None:
    command = [*limited(["NET_RAW"]), sys.executable, "-I", "-S", str(pyz), "trace"]
    trace = tracer(command=command)
    trace.end()
    assert trace.start["method"] == "packet"
    assert any(line.startswith("bpf: the kernel does not allow") for line in trace.said)


BAD_WORDS = (
    (["trace", "--keep", "-1"], "argument --keep: '-1': how many old logs are kept"),
    (["trace", "--for", "soon"], "argument --for: 'soon' is no duration"),
    (["probe", "--timeout", "-1"], "argument --timeout: '-1': seconds are a number above 0"),
    (["probe", "--endpoint", "http://127.0.0.1:x"], "is no address; write it as http://169.254"),
    (["probe", "--endpoint", "nonsense"], "is no address; write it as http://169.254"),
    (["audit", "--root", "/nope"], "--root: /nope is no folder"),
)


@pytest.mark.parametrize(("given", "said"), BAD_WORDS)
def test_what_makes_no_sense_is_refused_in_one_line(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2
    *usage, last = capsys.readouterr().err.splitlines()
    assert said in last
    assert usage[0].startswith(f"usage: imdsctl-host.pyz {given[0]} ")


def test_a_failure_has_no_exit_code_that_means_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fails(_: list[str]) -> int:
        raise ValueError("what nobody thought of")

    monkeypatch.setattr("imdsctl.host.audit.main", fails)
    assert main(["audit"]) == 70
    assert "what nobody thought of" in capsys.readouterr().err
    old = interpreter(("3.8", "3.7", "3.6"))
    if old is not None:
        built = str(tmp_path / "x.pyz")
        words = [sys.executable, str(PACKAGING / "build_host.py"), built]
        subprocess.run(words, check=True, capture_output=True)
        done = subprocess.run([old, built, "audit"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (5, "")
        assert "needs Python 3.9 or newer, this is 3." in done.stderr
