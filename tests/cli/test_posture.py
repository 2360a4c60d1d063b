"""What `scan` and `status` say of what could not be read, and whom they name."""

import pytest

from cli.conftest import FLEET, Imdsctl, StartAws
from cli.test_exit_codes import MakeClient, post
from imdsctl.simulator.server import SimulatedAws

FAULT = b'[{"operation": "DescribeInstances", "times": 999, "fault": "denied"}]'


def test_regions_that_were_refused_alike_are_one_line(aws: SimulatedAws, imdsctl: Imdsctl) -> None:
    post(aws, "faults", FAULT)
    said = imdsctl("scan")
    assert said.code == 3
    told = [line for line in said.out.splitlines() if "access denied" in line]
    assert len(told) == 1
    assert "111111111111, 17 regions (" in told[0]
    assert "and 14 more): access denied: ec2:DescribeInstances" in told[0]


def test_nothing_seen_is_not_nothing_there(aws: SimulatedAws, imdsctl: Imdsctl) -> None:
    post(aws, "faults", FAULT)
    for command in ("scan", "status"):
        said = imdsctl(command)
        assert "0 instances " in said.out
        assert "17 regions not read" in said.out
        assert "next: imdsctl permissions scan" in said.err
        assert "imdsctl plan" not in said.err


def test_refused_metrics_are_named_as_iam_names_them(aws: SimulatedAws, imdsctl: Imdsctl) -> None:
    post(aws, "faults", b'[{"operation": "GetMetricData", "times": 999, "fault": "denied"}]')
    said = imdsctl("scan")
    assert "access denied: cloudwatch:GetMetricData" in said.out


@pytest.mark.usefixtures("aws")
def test_who_calls_most_is_somebody_who_still_can(imdsctl: Imdsctl, boto: MakeClient) -> None:
    said = imdsctl("scan")
    (line,) = [x for x in said.err.splitlines() if "it calls v1 most" in x]
    caller = next(word for word in line.split() if word.startswith("i-"))
    boto("ec2").modify_instance_metadata_options(InstanceId=caller, HttpTokens="required")
    assert "it calls v1 most" not in imdsctl("scan").err


def test_status_and_report_count_the_same_launch_paths(
    simulated_aws: StartAws, imdsctl: Imdsctl
) -> None:
    """A node group's own template is launched by EKS alone, and is no path beside the group's."""
    own = """
[[account.region.launch_template]]
name = "nodes"
[[account.region.launch_template.version]]
options = { http_tokens = "optional" }

[[account.region.auto_scaling_group]]
name = "eks-workers"
launch_template = "nodes"
version = "1"
size = 1
eks_nodegroup = "workers"
eks_custom_template = true

[[account.region.auto_scaling_group]]"""
    simulated_aws(FLEET.replace("\n[[account.region.auto_scaling_group]]", own, 1))
    told = imdsctl("scan", "--regions", "eu-west-1", "-o", "json").json()["launch_paths"]
    headline = imdsctl("report", "-o", "json").json()["headline"]
    assert told == {"total": headline["paths"], "v1_allowed": headline["paths_v1"]}
