"""The live rehearsal against the real kernel: one cgroup is refused v1, nobody else notices."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_bpf.instances import Unit, World
from imdsctl.host import cgroups
from imdsctl.host.bpf.elf import BpfObject, ProgramSpec
from imdsctl.host.bpf.loader import Loaded, attached
from imdsctl.imds.pages import error_page
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.rehearse.live import LEASE, LiveRehearsal, live

pytestmark = pytest.mark.usefixtures("_kernel")

V4 = "http://169.254.169.254"
V6 = "http://[fd00:ec2::254]"
ITEM = "/latest/meta-data/instance-id"
TTL = "X-aws-ec2-metadata-token-ttl-seconds: 60"
BOTO = """
from botocore.utils import InstanceMetadataFetcher
found = InstanceMetadataFetcher(timeout=1, num_attempts=1).retrieve_iam_role_credentials()
print(sorted(found))
"""
RESIDENT = ["sleep", "60"]


class Rehearsing:
    """A rehearsal in a thread of this process, from its start to its report."""

    def __init__(self, **arguments: Any) -> None:
        self._started = threading.Event()
        self.stop = threading.Event()
        self._result: LiveRehearsal | None = None
        self._error: BaseException | None = None
        self._arguments = arguments
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        until = time.monotonic() + 10
        while not self._started.wait(0.02):
            if self._error is not None:
                raise self._error
            assert time.monotonic() < until, "the rehearsal did not start"

    def _run(self) -> None:
        try:
            self._result = live(started=self._started.set, stop=self.stop, **self._arguments)
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            self._error = error

    def report(self) -> LiveRehearsal:
        self._thread.join(30)
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result


@contextlib.contextmanager
def rehearsing(unit: Unit, network: int, seconds: float = 30) -> Iterator[Rehearsing]:
    """A unit with something running in it, rehearsed until the block ends."""
    settle(unit, network)
    one = Rehearsing(cgroup=unit.name, seconds=seconds)
    try:
        yield one
    finally:
        one.stop.set()
        one.report()


def settle(unit: Unit, network: int) -> int:
    """Let something run in a unit and a network; the process id, once it is there."""
    process = unit.start(*RESIDENT, network=network)
    until = time.monotonic() + 5
    # The shell has become `sleep`, in its network, before anyone looks where that is.
    while _comm(process.pid) != "sleep" and time.monotonic() < until:
        time.sleep(0.01)
    return process.pid


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def curl(*more: str) -> list[str]:
    return ["curl", "-s", "-m", "5", "-w", "\n%{http_code}", *more]


def status(ran: subprocess.CompletedProcess[str]) -> str:
    return ran.stdout.rpartition("\n")[2]


def wait_for(unit: Unit, world: World, expected: str) -> None:
    """Ask without a token from inside until the answer is `expected`."""
    until = time.monotonic() + 10
    while (found := status(unit.run(*curl(V4 + ITEM), network=world.network))) != expected:
        assert time.monotonic() < until, f"it stayed at {found}"
        time.sleep(0.05)


def test_v1_is_refused_to_the_unit_and_to_nobody_else(unit: Unit, world: World) -> None:
    with rehearsing(unit, world.network) as one:
        inside = unit.run(*curl(V4 + ITEM), network=world.network)
        outside = world.run(*curl(V4 + ITEM))
    report = one.report()
    assert inside.stdout == error_page(401).decode() + "\n401"
    assert outside.stdout == "i-1234567890abcdef0\n200"
    (seen,) = report.requests
    assert (seen.version, seen.status, seen.method, seen.path) == ("v1", 401, "GET", ITEM)
    assert (seen.comm, seen.exe, seen.dst) == ("curl", "/usr/bin/curl", "169.254.169.254")
    assert report.finding.verdict == "v1-only"
    assert report.finding.breaks
    assert (report.ended, report.namespaces, report.passed_by, report.cut) == (
        "interrupted",
        1,
        0,
        0,
    )
    # The refused request never reached the service; the one from outside did.
    assert [json.loads(line)["version"] for line in world.requests()[-1:]] == ["v1"]


def test_a_v2_client_gets_its_credentials_through_the_proxy_and_is_ready(
    unit: Unit, world: World
) -> None:
    before = len(world.requests())
    with rehearsing(unit, world.network) as one:
        ran = unit.run(sys.executable, "-c", BOTO, network=world.network)
    report = one.report()
    assert "secret_key" in ran.stdout, ran.stderr
    assert report.finding.verdict == "ready"
    assert not report.finding.breaks
    assert [seen.version for seen in report.requests] == ["token", "v2", "v2"]
    assert [seen.status for seen in report.requests] == [200, 200, 200]
    assert len({seen.pid for seen in report.requests}) == 1
    reached = [json.loads(line)["version"] for line in world.requests()[before:]]
    assert reached == ["token", "v2", "v2"]


def test_ipv6_and_ipv4_mapped_addresses_are_refused_and_clients_see_the_services_address(
    unit: Unit, world: World
) -> None:
    script = (
        "import socket\n"
        "for address in ('fd00:ec2::254', '::ffff:169.254.169.254', '169.254.169.254'):\n"
        "    with socket.create_connection((address, 80), timeout=5) as one:\n"
        "        print(one.getpeername()[:2])\n"
        "        one.sendall(b'GET / HTTP/1.1\\r\\nHost: imds\\r\\n\\r\\n')\n"
        "        print(one.recv(12).decode())\n"
    )
    with rehearsing(unit, world.network) as one:
        ran = unit.run(sys.executable, "-c", script, network=world.network)
    assert ran.stdout.splitlines() == [
        "('fd00:ec2::254', 80)",
        "HTTP/1.1 401",
        "('::ffff:169.254.169.254', 80)",
        "HTTP/1.1 401",
        "('169.254.169.254', 80)",
        "HTTP/1.1 401",
    ]
    expected = ["fd00:ec2::254", "169.254.169.254", "169.254.169.254"]
    assert [seen.dst for seen in one.report().requests] == expected
    assert all(seen.pid is not None for seen in one.report().requests)


def test_the_hop_limit_stays_what_it_is(unit: Unit, container: World) -> None:
    """The token's answer dies on the way to a container, with the proxy between as without."""
    with rehearsing(unit, container.network) as one:
        ran = unit.run(sys.executable, "-c", BOTO, network=container.network)
    report = one.report()
    assert ran.stdout == "[]\n", ran.stderr
    assert report.finding.verdict == "hop-limit"
    token = next(seen for seen in report.requests if seen.version == "token")
    assert (token.status, token.arrived) == (None, False)
    assert {seen.status for seen in report.requests if seen.version == "v1"} == {401}


def test_every_request_is_attributed_to_the_process_that_sent_it(unit: Unit, world: World) -> None:
    """23 clients, four at a time: as many requests, each with the right process."""
    calls = 23
    script = f"seq {calls} | xargs -P 4 -I N sh -c 'echo $$; exec curl -s -o /dev/null -A c-N {V4}'"
    with rehearsing(unit, world.network) as one:
        ran = unit.run("sh", "-c", script, network=world.network)
    requests = one.report().requests
    assert sorted(ran.stdout.split()) == sorted(str(seen.pid) for seen in requests)
    assert {seen.user_agent for seen in requests} == {f"c-{n + 1}" for n in range(calls)}
    assert {seen.comm for seen in requests} == {"curl"}


def test_other_ports_addresses_and_udp_are_untouched(unit: Unit, world: World) -> None:
    script = (
        "import socket\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    with socket.create_connection(server.getsockname()) as one:\n"
        "        print(one.getpeername() == server.getsockname())\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:\n"
        "    one.connect(('169.254.169.254', 80))\n"
        "    print(one.getpeername(), one.getsockname()[0])\n"
        "with socket.socket() as one:\n"
        "    try:\n"
        "        one.connect(('169.254.169.254', 81))\n"
        "    except ConnectionRefusedError:\n"
        "        print('refused')\n"
    )
    with rehearsing(unit, world.network) as one:
        ran = unit.run(sys.executable, "-c", script, network=world.network)
    assert ran.stdout.splitlines() == [
        "True",
        "('169.254.169.254', 80) 172.31.16.10",  # from the interface, not from loopback
        "refused",
    ]
    report = one.report()
    assert (report.requests, report.passed_by) == ((), 0)
    assert report.finding.verdict == "nothing-called"


def test_a_socket_bound_to_a_device_is_left_alone_and_counted(unit: Unit, world: World) -> None:
    with rehearsing(unit, world.network) as one:
        ran = unit.run(*curl("--interface", "if!eth0", V4 + ITEM), network=world.network)
    assert status(ran) == "200"
    assert one.report().passed_by == 1
    assert "1 connects were bound to a network device" in one.report().limits


def test_no_token_or_credential_is_in_the_report(unit: Unit, world: World) -> None:
    script = (
        f"T=$(curl -s -X PUT -H '{TTL}' {V4}/latest/api/token); echo $T;"
        f' exec curl -s -H "X-aws-ec2-metadata-token: $T"'
        f" {V4}/latest/meta-data/iam/security-credentials/imdsctl-fake-role"
    )
    with rehearsing(unit, world.network) as one:
        ran = unit.run("sh", "-c", script, network=world.network)
    token, _, rest = ran.stdout.partition("\n")
    credentials = json.loads(rest)
    text = repr(one.report())
    assert [seen.status for seen in one.report().requests] == [200, 200]
    for secret in (token, credentials["SecretAccessKey"], credentials["Token"]):
        assert len(secret) > 20
        assert secret not in text


CHILD = """
import sys
from imdsctl.rehearse.live import live
report = live(cgroup=sys.argv[1], seconds=60, started=lambda: print("on", flush=True))
print(report.ended, len(report.requests), report.finding.verdict, flush=True)
"""


@contextlib.contextmanager
def own_process(unit: Unit, network: int) -> Iterator[subprocess.Popen[str]]:
    """A rehearsal in a process of its own, started."""
    settle(unit, network)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, unit.name], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "on\n"
            yield process
        finally:
            process.kill()


def test_killed_it_leaves_nothing_and_the_unit_reaches_the_real_service(
    unit: Unit, world: World
) -> None:
    with own_process(unit, world.network) as process:
        assert status(unit.run(*curl(V4 + ITEM), network=world.network)) == "401"
        assert len(attached(unit.path)) == 5
        process.kill()
        process.wait(10)
        assert attached(unit.path) == {}
        assert status(unit.run(*curl(V4 + ITEM), network=world.network)) == "200"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_early_with_a_report(
    ending: signal.Signals, unit: Unit, world: World
) -> None:
    with own_process(unit, world.network) as process:
        unit.run(*curl(V4 + ITEM), network=world.network)
        process.send_signal(ending)
        rest, _ = process.communicate(timeout=10)
        assert (rest, process.returncode) == ("interrupted 1 v1-only\n", 0)
        assert attached(unit.path) == {}


def test_a_stalled_proxy_is_bypassed_once_its_lease_is_over(unit: Unit, world: World) -> None:
    with own_process(unit, world.network) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE + 0.2)
        assert status(unit.run(*curl(V4 + ITEM), network=world.network)) == "200"
        process.send_signal(signal.SIGCONT)
        wait_for(unit, world, "401")


def test_a_restarted_unit_is_followed(unit: Unit, world: World) -> None:
    with rehearsing(unit, world.network) as one:
        unit.remove()
        unit.path.mkdir()
        settle(unit, world.network)
        wait_for(unit, world, "401")
    assert one.report().restarts == 1
    assert any("restarted 1 times" in limit for limit in one.report().limits)


def test_a_network_that_appears_later_is_covered_too(
    unit: Unit, world: World, container: World
) -> None:
    with rehearsing(unit, world.network) as one:
        settle(unit, container.network)
        wait_for(unit, container, "401")
        assert status(unit.run(*curl(V4 + ITEM), network=world.network)) == "401"
    assert one.report().namespaces == 2


def test_what_is_under_way_at_the_end_still_gets_its_answer(unit: Unit, slow: World) -> None:
    with rehearsing(unit, slow.network, 1) as one:
        ran = unit.run(
            *curl("-X", "PUT", "-H", TTL, f"{V4}/latest/api/token"), network=slow.network
        )
    assert status(ran) == "200"
    assert len(ran.stdout) > 50
    assert (one.report().ended, one.report().cut) == ("time", 0)


def test_a_unit_that_may_not_reach_loopback_is_let_go(unit: Unit, world: World) -> None:
    """As with systemd's IPAddressDeny=: all that the unit sends is dropped."""
    drop = ProgramSpec("drop", "cgroup_skb/egress", b"\xb7\0\0\0\0\0\0\0\x95" + bytes(7), ())
    with contextlib.closing(Loaded(BpfObject({"drop": drop}, {}, "Apache-2.0"))) as loaded:
        link = loaded.attach("drop", unit.path)
        with rehearsing(unit, world.network) as one:
            unit.run(*curl("-m", "1", V4 + ITEM), network=world.network)
            report = one.report()
        link.close()
    assert report.ended == "withdrawn"
    assert report.seconds < 10
    assert "connections of curl did not reach the proxy" in report.limits[0]
    assert attached(unit.path) == {}


def test_connections_that_were_open_before_are_counted_and_stay(unit: Unit, world: World) -> None:
    script = (
        "import socket, sys\n"
        "with socket.create_connection(('169.254.169.254', 80)) as one:\n"
        "    print('open', flush=True); sys.stdin.readline()\n"
        "    one.sendall(b'GET /latest/meta-data/ami-id HTTP/1.0\\r\\n\\r\\n')\n"
        "    print(one.recv(12))\n"
    )
    client = subprocess.Popen(
        unit.command(sys.executable, "-c", script, network=world.network),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "open\n"
    one = Rehearsing(cgroup=unit.name, seconds=1)
    answer, _ = client.communicate("\n", timeout=10)
    assert answer.endswith(" 200'\n")
    assert one.report().open_before == 1
    assert one.report().requests == ()


@pytest.mark.parametrize(
    ("arguments", "error", "what"),
    [
        ({"unit": "no-such-thing"}, RefusedError, "no-such-thing.service is not running"),
        ({"cgroup": "/no/such"}, RefusedError, "there is no cgroup /no/such"),
        ({"cgroup": "/../../etc"}, RefusedError, "there is no cgroup"),
        ({"pid": 4_194_999}, RefusedError, "there is no process 4194999"),
        ({}, UsageError, "one of --unit NAME"),
        ({"unit": "a", "pid": 1}, UsageError, "one of --unit NAME"),
        ({"unit": "a", "seconds": 0}, UsageError, "more than 0 seconds"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_with_the_reason(
    arguments: dict[str, Any], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        live(**arguments)


def test_a_unit_is_found_by_its_name_and_a_process_by_its_id(unit: Unit, world: World) -> None:
    pid = settle(unit, world.network)
    name = unit.path.name
    assert live(seconds=0.1, unit=name).cgroup == unit.name
    assert live(seconds=0.1, unit=name.removesuffix(".service")).cgroup == unit.name
    assert live(seconds=0.1, pid=pid).cgroup == unit.name


def test_a_process_in_the_root_cgroup_is_known_by_its_network_alone(
    world: World, container: World
) -> None:
    """As containers are where cgroup v1 is in use; the proxy is in that cgroup itself, then."""
    one = Rehearsing(pid=world.network, seconds=30)
    try:
        assert status(world.run(*curl(V4 + ITEM))) == "401"
        asked = world.run(*curl("-X", "PUT", "-H", TTL, f"{V4}/latest/api/token"))
        assert status(asked) == "200"
        assert status(container.run(*curl(V4 + ITEM))) == "200"
    finally:
        one.stop.set()
        report = one.report()
    assert (report.cgroup, report.namespaces, report.passed_by) == ("/", 1, 0)
    assert [(seen.version, seen.status) for seen in report.requests] == [
        ("v1", 401),
        ("token", 200),
    ]


def test_a_process_that_nothing_tells_apart_from_the_machine_is_refused() -> None:
    if cgroups.own().name != "/":
        pytest.skip("the tests are in a cgroup of their own here")
    with pytest.raises(RefusedError, match="in the root of the cgroup v2 tree"):
        live(pid=os.getpid())


def test_two_units_of_one_name_are_told_apart_by_path(unit: Unit) -> None:
    twin = Unit(unit.path / unit.path.name)
    twin.path.mkdir()
    for one in (unit, twin):
        settle(one, os.getpid())
    try:
        with pytest.raises(RefusedError, match="several units are called"):
            live(unit=unit.path.name)
    finally:
        twin.remove()


def test_without_root_it_is_refused_with_what_to_do_instead() -> None:
    script = (
        "from imdsctl.rehearse.live import live\n"
        "from imdsctl.model.diagnostics import RefusedError\n"
        "import os; os.setuid(65534)\n"
        "try:\n    live(unit='x')\n"
        "except RefusedError as error:\n    print(int(error.exit_code), error.diagnostic)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("5 ")
    assert "needs root" in ran.stdout
    assert "imdsctl rehearse -- CMD" in ran.stdout


def test_the_command_line_reports_it_and_ends_with_1_where_the_unit_would_break(
    unit: Unit, world: World
) -> None:
    settle(unit, world.network)
    command = [sys.executable, "-m", "imdsctl", "rehearse", "--live", "--unit", unit.path.name]
    with subprocess.Popen(
        [*command, "--for", "60", "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "IMDSv1 is refused" in process.stderr.readline()
        unit.run(*curl(V4 + ITEM), network=world.network)
        process.send_signal(signal.SIGINT)
        report = json.loads(process.communicate(timeout=15)[0])
    assert process.returncode == 1
    assert report["schema"] == "imdsctl/rehearse-live/v1"
    assert report["finding"]["verdict"] == "v1-only"
    assert report["cgroup"] == unit.name
