"""How much CPU time and memory a scan of 20,000 instances takes, against a plain boto3 paginator.

    python bench/scan_inventory.py [--instances N] [--days N] [--command NAME=COMMAND …]

The simulated AWS runs in a process of its own; each contender is a process of its own as well,
measured from its start to its end by the kernel (user and system time, peak resident memory).
`--command` adds any command line, which finds the simulated AWS through AWS_ENDPOINT_URL:

    python bench/scan_inventory.py --command 'scan=imdsctl scan --regions eu-west-1 --db {tmp}/a.db'
"""

# ruff: noqa: PLC0415 - each contender imports only what it measures

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ACCOUNT, REGION = "111111111111", "eu-west-1"

FLEET = """
history_days = {days}
[[account]]
id = "{account}"
[[account.region]]
name = "{region}"
[[account.region.image]]
name = "golden"
[[account.region.instance]]
name = "quiet"
count = {quiet}
image = "golden"
options = {{ http_tokens = "optional" }}
tags = {{ env = "prod", team = "platform", cost-centre = "4711", tier = "1", backup = "daily" }}
[[account.region.instance]]
name = "calling"
count = {calling}
image = "golden"
options = {{ http_tokens = "optional" }}
tags = {{ env = "prod", team = "platform", cost-centre = "4711", tier = "1", backup = "daily" }}
callers = [{{ program = "app", behaviour = "v1-only", when = "steady", per_hour = 6 }}]
"""


def serve(fleet_file: str) -> None:
    """The simulated AWS, until stdin closes; prints its address."""
    from imdsctl.simulator import fleetfile
    from imdsctl.simulator.server import SimulatedAws

    fleet = fleetfile.parse(Path(fleet_file).read_text(encoding="utf-8"), fleet_file)
    with SimulatedAws(fleet) as aws:
        print(aws.url, flush=True)
        sys.stdin.read()


def plain_boto3(_: int) -> int:
    import boto3

    pages = boto3.client("ec2", region_name=REGION).get_paginator("describe_instances")
    return sum(
        len(reservation["Instances"])
        for page in pages.paginate(PaginationConfig={"PageSize": 1000})
        for reservation in page["Reservations"]
    )


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
    if not called:
        raise SystemExit("no calls were seen, so nothing was measured")
    return seen


CONTENDERS: dict[str, Callable[[int], int]] = {
    "boto3": plain_boto3,
    "inventory": inventory,
    "inventory+calls": inventory_and_calls,
}


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


def compare(instances: int, days: int, extra: list[str]) -> None:
    this = [sys.executable, str(Path(__file__).resolve())]
    with tempfile.TemporaryDirectory() as tmp:
        calling = max(1, instances // 10)
        fleet = Path(tmp) / "fleet.toml"
        fleet.write_text(
            FLEET.format(
                days=days,
                account=ACCOUNT,
                region=REGION,
                quiet=instances - calling,
                calling=calling,
            ),
            encoding="utf-8",
        )
        server = subprocess.Popen(
            [*this, "--serve", str(fleet)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
            commands = {
                name: [*this, "--contend", name, "--instances", str(instances), "--days", str(days)]
                for name in CONTENDERS
            }
            for given in extra:
                name, _, line = given.partition("=")
                commands[name] = shlex.split(line.replace("{tmp}", tmp))
            results = {name: measure(line, environment) for name, line in commands.items()}
        finally:
            server.communicate(timeout=60)
    show(instances, results)


def show(instances: int, results: dict[str, Measured]) -> None:
    base = results["boto3"]
    print(f"{instances:,} instances; CPU time and memory of the whole process")
    print(f"{'':18}{'CPU s':>8}{'wall s':>8}{'inst./CPU s':>13}{'ratio':>8}{'peak MB':>9}")
    for name, result in results.items():
        print(
            f"{name:18}{result.cpu:8.2f}{result.wall:8.1f}{instances / result.cpu:13,.0f}"
            f"{base.cpu / result.cpu:8.2f}{result.peak_mb:9.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=14)
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
    else:
        compare(arguments.instances, arguments.days, arguments.command)


if __name__ == "__main__":
    main()
