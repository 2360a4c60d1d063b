"""How much CPU time and memory a scan of 20,000 instances takes, against plain boto3.

    python bench/scan_inventory.py [--instances N] [--days N] [--rounds N] [--command NAME=COMMAND]

The simulated AWS runs in a process of its own; each contender is a process of its own as well,
measured from its start to its end by the kernel (user and system time, peak resident memory).
Every tenth instance calls IMDSv1, at a rate of its own. All contenders take turns, for several
rounds, and the best of each counts: on a busy machine that says most about the programs.
`--command` adds any command line, which finds the simulated AWS through AWS_ENDPOINT_URL.

Ends with one line that says whether the targets are met, and with exit code 1 if not.
"""

# ruff: noqa: PLC0415 - each contender imports only what it measures

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ACCOUNT, REGION = "111111111111", "eu-west-1"
SAMPLE = 10
"""boto3 reads the metrics of one instance in so many: all of them would take it minutes."""

TARGET_RATIO, TARGET_MB, TARGET_STATUS_SECONDS = 5.0, 200.0, 1.0

REGION_TOML = """
history_days = {days}
[[account]]
id = "{account}"
[[account.region]]
name = "{region}"
[[account.region.image]]
name = "golden"
"""
GROUP_TOML = """
[[account.region.instance]]
name = "{name}"
count = {count}
image = "golden"
options = {{ http_tokens = "optional" }}
tags = {{ env = "prod", team = "platform", cost-centre = "4711", tier = "1", backup = "daily" }}
"""
CALLER_TOML = """\
callers = [{{ program = "app", behaviour = "v1-only", when = "steady", per_hour = {rate} }}]
"""


def fleet(instances: int, days: int) -> str:
    """A fleet file: nine quiet instances, then one that calls, and so on."""
    parts = [REGION_TOML.format(days=days, account=ACCOUNT, region=REGION)]
    for number, start in enumerate(range(0, instances, SAMPLE)):
        if quiet := min(SAMPLE, instances - start) - 1:
            parts.append(GROUP_TOML.format(name=f"quiet-{number}", count=quiet))
        parts.append(GROUP_TOML.format(name=f"calling-{number}", count=1))
        parts.append(CALLER_TOML.format(rate=1 + number % 60))
    return "".join(parts)


def serve(fleet_file: str) -> None:
    """The simulated AWS, until stdin closes; prints its address."""
    from imdsctl.simulator import fleetfile
    from imdsctl.simulator.server import SimulatedAws

    parsed = fleetfile.parse(Path(fleet_file).read_text(encoding="utf-8"), fleet_file)
    with SimulatedAws(parsed) as aws:
        print(aws.url, flush=True)
        sys.stdin.read()


def _listed() -> Iterator[dict[str, Any]]:
    """All instances, as boto3's paginator gives them."""
    import boto3

    pages = boto3.client("ec2", region_name=REGION).get_paginator("describe_instances")
    for page in pages.paginate(PaginationConfig={"PageSize": 1000}):
        for reservation in page["Reservations"]:
            yield from reservation["Instances"]


def plain_boto3(_: int) -> int:
    return sum(1 for _instance in _listed())


def boto3_and_calls(days: int) -> int:
    """The paginator, and with another one the same hourly metric of every tenth instance."""
    from datetime import UTC, datetime, timedelta

    import boto3

    ids = [instance["InstanceId"] for instance in _listed()]
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    start = end - timedelta(days=days)
    pages = boto3.client("cloudwatch", region_name=REGION).get_paginator("get_metric_data")
    asked, at_once, points, called = ids[SAMPLE - 1 :: SAMPLE], 100_800 // (24 * days), 0, 0
    for first in range(0, len(asked), at_once):
        queries = [
            {
                "Id": f"q{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/EC2",
                        "MetricName": "MetadataNoToken",
                        "Dimensions": [{"Name": "InstanceId", "Value": instance}],
                    },
                    "Period": 3600,
                    "Stat": "Sum",
                },
            }
            for number, instance in enumerate(asked[first : first + at_once])
        ]
        for page in pages.paginate(MetricDataQueries=queries, StartTime=start, EndTime=end):
            for result in page["MetricDataResults"]:
                points += len(result["Values"])
                called += bool(sum(result["Values"]))
    if not called or points < len(asked) * 24 * (days - 1):
        raise SystemExit("calls are missing, so nothing was measured")
    return len(ids)


def inventory(_: int) -> int:
    from imdsctl.aws.clock import RealClock
    from imdsctl.aws.wiring import connect
    from imdsctl.model.evidence import Cell, Unreadable

    seen = 0
    for page in connect(role_name=None, clock=RealClock()).fleet.instances(Cell(ACCOUNT, REGION)):
        if isinstance(page, Unreadable):
            raise SystemExit(page.why)
        seen += len(page)
    return seen


def inventory_and_calls(days: int) -> int:
    from datetime import timedelta

    from imdsctl.aws.clock import RealClock
    from imdsctl.aws.wiring import connect
    from imdsctl.model.evidence import Cell, Unreadable
    from imdsctl.ports import Watched

    aws = connect(role_name=None, clock=RealClock())
    cell = Cell(ACCOUNT, REGION)
    watched: list[Watched] = []
    for page in aws.fleet.instances(cell):
        if isinstance(page, Unreadable):
            raise SystemExit(page.why)
        watched += [Watched(id=instance.id, since=instance.launched_at) for instance in page]
    end = aws.clock.now()
    seen = called = 0
    for calls in aws.metrics.calls(cell, watched, end - timedelta(days=days), end):
        if isinstance(calls, Unreadable):
            raise SystemExit(calls.why)
        seen += len(calls)
        called += sum(1 for item in calls if item.v1 and item.v1.total)
    if called != len(range(0, seen, SAMPLE)):
        raise SystemExit(f"{called} of {seen} instances were seen to call: not one in {SAMPLE}")
    return seen


CONTENDERS: dict[str, Callable[[int], int]] = {
    "boto3": plain_boto3,
    "boto3+calls": boto3_and_calls,
    "inventory": inventory,
    "inventory+calls": inventory_and_calls,
}
SCAN, STATUS = "imdsctl scan", "imdsctl status"


class Measured(NamedTuple):
    cpu: float
    peak_mb: float
    wall: float


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run a command to its end and return what the kernel counted for it and its children."""
    begin = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} ended with exit code {process.returncode}")
    # Linux counts the peak in KB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(cpu, usage.ru_maxrss / unit, time.monotonic() - begin)


def best(one: Measured, other: Measured) -> Measured:
    """The least time; but the most memory, which depends on nobody else."""
    return Measured(
        min(one.cpu, other.cpu), max(one.peak_mb, other.peak_mb), min(one.wall, other.wall)
    )


@contextmanager
def simulated_aws(instances: int, days: int, tmp: str) -> Iterator[dict[str, str]]:
    """Serve a fleet, and give the environment in which commands find it."""
    fleet_file = Path(tmp) / "fleet.toml"
    fleet_file.write_text(fleet(instances, days), encoding="utf-8")
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--serve", str(fleet_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip()
        if not url:
            raise SystemExit("the simulated AWS did not start")
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIAOPERATOROPERATOR",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        environment.pop("IMDSCTL_CLOCK", None)
        yield environment
    finally:
        server.communicate(timeout=60)


def compare(instances: int, days: int, rounds: int, extra: list[str]) -> bool:
    """Measure everything, print it, and return whether the targets are met."""
    results: dict[str, Measured] = {}
    with (
        tempfile.TemporaryDirectory() as tmp,
        simulated_aws(instances, days, tmp) as environment,
    ):
        for turn in range(rounds):
            for name, line in commands(instances, days, f"{tmp}/{turn}.db", tmp, extra).items():
                if name == "boto3+calls" and turn:
                    continue  # it takes the longest, and no target hangs on it
                measured = measure(line, environment)
                results[name] = best(results.get(name, measured), measured)
    show(instances, days, rounds, results)
    return verdict(results)


def commands(
    instances: int, days: int, store: str, tmp: str, extra: list[str]
) -> dict[str, list[str]]:
    """The command lines of one round, by name."""
    this = [sys.executable, str(Path(__file__).resolve())]
    size = ["--instances", str(instances), "--days", str(days)]
    found = {name: [*this, "--contend", name, *size] for name in CONTENDERS}
    imdsctl = [sys.executable, "-m", "imdsctl"]
    found[SCAN] = [*imdsctl, "scan", "--regions", REGION, "--days", str(days), "--db", store]
    found[STATUS] = [*imdsctl, "status", "--db", store]
    for given in extra:
        name, _, line = given.partition("=")
        found[name] = shlex.split(line.replace("{tmp}", tmp))
    return found


def show(instances: int, days: int, rounds: int, results: dict[str, Measured]) -> None:
    base = results["boto3"]
    print(f"{instances:,} instances, {days} days of hourly metrics, best of {rounds} rounds")
    print(f"{'':18}{'CPU s':>8}{'wall s':>8}{'inst./CPU s':>13}{'ratio':>8}{'peak MB':>9}")
    for name, result in results.items():
        print(
            f"{name:18}{result.cpu:8.2f}{result.wall:8.2f}{instances / result.cpu:13,.0f}"
            f"{base.cpu / result.cpu:8.2f}{result.peak_mb:9.0f}"
        )
    metrics = (results["boto3+calls"].cpu - base.cpu) * SAMPLE
    print(
        f"boto3+calls reads the metrics of one instance in {SAMPLE}; all of them would take it "
        f"about {base.cpu + metrics:.0f} s, {(base.cpu + metrics) / results[SCAN].cpu:.0f} × "
        f"{SCAN}"
    )


def verdict(results: dict[str, Measured]) -> bool:
    """Say whether the targets are met."""
    ratio, peak = results["boto3"].cpu / results[SCAN].cpu, results[SCAN].peak_mb
    seconds = results[STATUS].wall
    met = {
        f"{SCAN} {ratio:.2f} × the paginator's instances per CPU second "
        f"(at least {TARGET_RATIO:g})": ratio >= TARGET_RATIO,
        f"{peak:.0f} MB (at most {TARGET_MB:g})": peak <= TARGET_MB,
        f"{STATUS} {seconds:.2f} s (under {TARGET_STATUS_SECONDS:g})": (
            seconds < TARGET_STATUS_SECONDS
        ),
    }
    said = [what if held else f"MISSED: {what}" for what, held in met.items()]
    print(f"targets {'met' if all(met.values()) else 'NOT met'}: {'; '.join(said)}")
    return all(met.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--serve", metavar="FLEET", help=argparse.SUPPRESS)
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
    elif arguments.contend:
        seen = CONTENDERS[arguments.contend](arguments.days)
        if seen != arguments.instances:
            raise SystemExit(f"{arguments.contend} saw {seen} of {arguments.instances} instances")
    elif not compare(arguments.instances, arguments.days, arguments.rounds, arguments.command):
        sys.exit(1)


if __name__ == "__main__":
    main()
