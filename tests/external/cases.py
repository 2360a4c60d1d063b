"""The cases in which the controls disagree: a fleet that has each of them once, and the table.

`python tests/external/cases.py` writes the tables of docs/controls.md anew.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from whole_run import OWN, Operator, client, instances

from imdsctl.judge.controls import controls
from imdsctl.simulator import fleetfile
from imdsctl.simulator.server import SimulatedAws

FLEET: Final = Path(__file__).with_name("disagree.toml")
PAGE: Final = Path(__file__).parents[2] / "docs" / "controls.md"
REGIONS: Final = ("eu-west-1", "us-east-1", "eu-central-1")

_INSTANCE = ("ec2_instance_imdsv2_enabled", "custodian-ec2-require-imdsv2", "ec2.8")
_TEMPLATE = (
    "ec2_launch_template_imdsv2_required",
    "custodian-launch-template-require-imdsv2",
    "ec2.170",
)
_CONFIGURATION = ("", "custodian-launch-config-require-imdsv2", "autoscaling.3")
_GROUP = (
    "autoscaling_group_launch_configuration_requires_imdsv2",
    "custodian-asg-require-imdsv2",
    "",
)
_DEFAULTS = ("ec2_instance_account_imdsv2_enabled", "custodian-account-require-imdsv2", "")
_SHOWN = {"": "–", "not-applicable": "–", "fail": "**fail**"}


class Case(NamedTuple):
    """One row: what it is, which resource of the fleet shows it, and who is asked about it."""

    text: str
    resource: str
    asked: tuple[str, str, str]
    region: str = "eu-west-1"


CASES: Final = (
    Case("enabled + required, hop limit 1", "v2-hop-1", _INSTANCE),
    Case("enabled + required, hop limit 3", "v2-hop-3", _INSTANCE),
    Case("enabled + optional, running", "v1-running", _INSTANCE),
    Case("enabled + optional, stopped", "v1-stopped", _INSTANCE),
    Case("disabled + optional", "off-optional", _INSTANCE),
    Case("disabled + required", "off-required", _INSTANCE),
    Case("terminated, with optional", "terminated", _INSTANCE),
    Case("required, but still `pending`", "pending", _INSTANCE),
    Case("template without options", "without-options", _TEMPLATE),
    Case(
        "template without options, on an image with ImdsSupport v2.0",
        "without-options-on-a-v2-image",
        _TEMPLATE,
    ),
    Case("template optional, endpoint left out", "optional-endpoint-left-out", _TEMPLATE),
    Case("template optional, endpoint enabled", "optional-endpoint-enabled", _TEMPLATE),
    Case("default version v1, another version v2", "default-v1-another-v2", _TEMPLATE),
    Case("default version v2, group pinned to v1", "default-v2-group-pinned-to-v1", _TEMPLATE),
    Case("… the group that is pinned", "pinned", _GROUP),
    Case("launch configuration optional, unattached", "unattached", _CONFIGURATION),
    Case(
        "group on a launch configuration with required, endpoint left out",
        "endpoint-left-out",
        _GROUP,
    ),
    Case(
        "group on a v2 launch configuration whose namesake in another region is v1",
        "two-regions",
        _GROUP,
    ),
    Case("account default not set, region with instances", f"{OWN}/eu-west-1", _DEFAULTS),
    Case(
        "account default not set, region without instances",
        f"{OWN}/eu-central-1",
        _DEFAULTS,
        "eu-central-1",
    ),
)


@contextmanager
def simulated() -> Iterator[SimulatedAws]:
    """The fleet, with what no fleet file can say: one is terminated, one's change is pending."""
    described = fleetfile.parse(FLEET.read_text(encoding="utf-8"), FLEET.name)
    with SimulatedAws(described) as aws:
        settings = {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": "AKIAOPERATOROPERATOR",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "IMDSCTL_CLOCK": "simulated",
        }
        with mock.patch.dict(os.environ, settings):
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
                os.environ.pop(name, None)
            ec2 = client("ec2")
            (terminated,), (pending,) = instances(aws, "terminated"), instances(aws, "pending")
            ec2.terminate_instances(InstanceIds=[terminated])
            # A stopped instance takes changed options with its next start; pending until then.
            ec2.modify_instance_metadata_options(InstanceId=pending, HttpTokens="required")
            yield aws


def scan(operator: Operator) -> None:
    """Reads the whole fleet."""
    answer = operator.scan("--regions", ",".join(REGIONS))
    assert answer.code == 0, str(answer)


def check(operator: Operator, *ids: str) -> Any:
    """What `imdsctl check` answers for these controls, as JSON."""
    answer = operator("check", "--benchmark", ",".join(ids), "-o", "json")
    assert answer.code in (0, 1), str(answer)
    return answer.json


def row(case: Case, results: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    """What each asked control says of a case, and in the end what is really so."""
    resource = names.get(case.resource, case.resource)
    about = {
        r["control"]: r
        for r in results
        if r["region"] == case.region and resource in (r["resource"], r["name"])
    }
    said = [about[id_]["status"] if id_ in about else "" for id_ in case.asked]
    (effective,) = {about[id_]["effective"] for id_ in case.asked if id_ in about}
    return [*said, effective]


def disagreements(aws: SimulatedAws, operator: Operator) -> dict[Case, list[str]]:
    """The row of each case; the store must hold a scan of the fleet."""
    results = check(operator, "all")["results"]
    names = {str(one["name"]): id_ for id_, one in instances(aws).items()}
    return {case: row(case, results, names) for case in CASES}


def controls_table() -> str:
    """Every control, from the code."""
    rows = [["control", "of", "resource", "severity", "fails when"]]
    for control in controls():
        ids = "<br>".join(f"`{id_}`" for id_ in control.names)
        makers = "<br>".join(control.names.values())
        rows.append([ids, makers, control.subject, control.severity, control.fails_when])
    return _table(rows)


def cases_table(found: dict[Case, list[str]]) -> str:
    """Every case with what each tool says of it."""
    rows = [["case", "Prowler", "Cloud Custodian", "Config, Security Hub, CIS", "effective"]]
    rows += [
        [case.text, *(_SHOWN.get(s, s) for s in said), effective]
        for case, (*said, effective) in found.items()
    ]
    return _table(rows)


def document(text: str, tables: dict[str, str]) -> str:
    """The page with its tables as they should be."""
    for name, table in tables.items():
        start, end = f"<!-- {name}: written by tests/external/cases.py -->", f"<!-- end: {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n{table}\n{end}{after}"
    return text


def _table(rows: list[list[str]]) -> str:
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    with simulated() as running, tempfile.TemporaryDirectory() as made:
        somebody = Operator(Path(made))
        scan(somebody)
        written = {
            "controls": controls_table(),
            "cases": cases_table(disagreements(running, somebody)),
        }
    PAGE.write_text(document(PAGE.read_text(encoding="utf-8"), written), encoding="utf-8")
