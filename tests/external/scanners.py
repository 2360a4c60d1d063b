"""Prowler and Cloud Custodian, run for real against the simulated AWS, and what they find.

`make scanners` installs each in an environment of its own; `IMDSCTL_JUDGES` names another folder.
"""

import json
import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path(os.environ.get("IMDSCTL_JUDGES", ROOT / ".judges")).absolute()
PROWLER: Final = FOLDER / "prowler" / "bin" / "prowler"
CUSTODIAN: Final = FOLDER / "c7n" / "bin" / "custodian"
POLICIES: Final = ROOT / "docs" / "custodian.yml"
EVERYTHING: Final = Path(__file__).with_name("everything.yml")

PROWLER_CHECKS: Final = (
    "ec2_instance_imdsv2_enabled",
    "ec2_launch_template_imdsv2_required",
    "ec2_instance_account_imdsv2_enabled",
    "autoscaling_group_launch_configuration_requires_imdsv2",
)
CUSTODIAN_POLICIES: Final = {
    "ec2-require-imdsv2": ("all-ec2", "InstanceId"),
    "launch-template-require-imdsv2": ("all-launch-template", "LaunchTemplateId"),
    "launch-config-require-imdsv2": ("all-launch-config", "LaunchConfigurationName"),
    "asg-require-imdsv2": ("all-asg", "AutoScalingGroupName"),
    "account-require-imdsv2": ("all-account", "account_id"),
}
"""Each policy, the one that lists all that it looks at, and the member that names a resource."""

_PATIENCE = 300


class Seen(NamedTuple):
    """One resource, asked by one control."""

    control: str
    account: str
    region: str
    resource: str


Found = dict[Seen, frozenset[str]]
"""What a tool says of each resource: `pass`, `fail`, or both at once."""


class Place(NamedTuple):
    """An account, the role that leads into it (empty for the caller's own), and its regions."""

    account: str
    role: str
    regions: tuple[str, ...]

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.role}"


def missing() -> str:
    """Which of the tools are not installed in the version that is compared with, empty if none."""
    absent = [
        f"{name} {version}"
        for tool, name, version in ((PROWLER, "prowler", "5.46.0"), (CUSTODIAN, "c7n", "0.9.53"))
        if not tool.exists()
        or not list(tool.parents[1].glob(f"lib/python*/site-packages/{name}-{version}.dist-info"))
    ]
    return f"{' and '.join(absent)} not in {FOLDER}: make scanners" if absent else ""


def prowler(places: Iterable[Place], url: str) -> Found:
    """What Prowler finds.

    A reading that fails is a line in its log and nothing else: here it stands under the control
    `errors`, so that nobody takes the rest for the whole.
    """
    found: dict[Seen, set[str]] = defaultdict(set)
    for place in places:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            role = ["--role", place.role_arn] if place.role else []
            words = [
                *("aws", "--no-banner", "--no-color", "--ignore-exit-code-3"),
                *("--region", *place.regions, "--check", *PROWLER_CHECKS),
                *("--output-formats", "json-ocsf", "--output-directory", folder),
                *("--output-filename", "found", "--log-level", "ERROR", "--log-file", str(log)),
            ]
            _run([PROWLER, *words, *role], url, Path(folder))
            report = Path(folder, "found.ocsf.json")
            findings = json.loads(report.read_text()) if report.exists() else []
            complaints = log.read_text() if log.exists() else ""
        for one in findings:
            resource = one["resources"][0]
            seen = Seen(
                one["metadata"]["event_code"],
                one["cloud"]["account"]["uid"],
                resource["region"],
                _name(resource["uid"]),
            )
            found[seen].add(one["status_code"].lower())
        for line in complaints.splitlines():
            message = json.loads(line)["message"]
            region = next((one for one in place.regions if one in message), "")
            found[Seen("errors", place.account, region, message)].add("fail")
    return {key: frozenset(statuses) for key, statuses in found.items()}


def custodian(places: Iterable[Place], url: str) -> Found:
    """What Cloud Custodian finds: what a policy matches fails, what else it sees passes.

    A policy that could not be executed stands under the control `errors`.
    """
    found: Found = {}
    for place in places:
        # One run a region: the account, which it takes for global, is asked in one of them alone.
        for region in place.regions:
            rows = _resources(place, region, url)
            for policy, (everything, member) in CUSTODIAN_POLICIES.items():
                if policy not in rows or everything not in rows:
                    failed = Seen("errors", place.account, region, f"{policy} was not executed")
                    found[failed] = frozenset({"fail"})
                    continue
                matched = {row[member] for row in rows[policy]}
                for row in rows[everything]:
                    name = f"{row[member]}/{region}" if member == "account_id" else row[member]
                    seen = Seen(f"custodian-{policy}", place.account, region, name)
                    found[seen] = frozenset({"fail" if row[member] in matched else "pass"})
    return found


def _resources(place: Place, region: str, url: str) -> Mapping[str, list[dict[str, Any]]]:
    """The resources that each policy matches, by the policy's name."""
    with tempfile.TemporaryDirectory() as folder:
        role = ["--assume", place.role_arn] if place.role else []
        words = ["run", "--region", region, "--output-dir", folder, "--cache-period", "0", *role]
        # It ends with 2 where a policy could not be executed, and goes on with the others.
        _run([CUSTODIAN, *words, POLICIES, EVERYTHING], url, Path(folder), fine=(0, 2))
        return {
            path.parent.name: json.loads(path.read_text())
            for path in Path(folder).glob("*/resources.json")
        }


def _name(uid: str) -> str:
    """The id or name in an ARN; of an account-wide thing, as imdsctl names it."""
    _, _, _, region, account, what = uid.split(":", 5)
    if what == "account":
        return f"{account}/{region}"
    return what.rpartition("/")[2]


def _run(
    command: Sequence[str | Path], url: str, home: Path, *, fine: tuple[int, ...] = (0,)
) -> None:
    """Run a tool that can reach the simulated AWS and nothing else."""
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        command,
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIAAUDITORAUDITOR00",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
            "NO_PROXY": "127.0.0.1,localhost",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    if done.returncode not in fine:
        said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}:\n{said}")
