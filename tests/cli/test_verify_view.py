"""What `verify` tells a person: what was looked at, what is not known, and how to go on."""

import json
from pathlib import Path

import pytest

from cli.conftest import FLEET, Imdsctl, StartAws
from cli.test_exit_codes import post
from imdsctl.simulator.server import SimulatedAws


def test_every_change_is_accounted_for_and_the_next_wave_is_named(
    simulated_aws: StartAws, imdsctl: Imdsctl
) -> None:
    simulated_aws(FLEET.replace('version = "1"', 'version = "$Default"'))
    imdsctl("scan", "--regions", "eu-west-1")
    imdsctl("plan", "-f", "plan.json")
    assert "finished: 3 applied" in imdsctl("apply", "plan.json", "--wave=-1", "--yes").out
    said = imdsctl("verify")
    assert said.code == 0
    assert "2 changes looked at again, 1 more by what was built on them" in said.out
    assert "next: imdsctl apply plan.json --wave 1 " in said.err
    assert imdsctl("apply", "plan.json", "--yes").code == 0
    assert "next: imdsctl scan" in imdsctl("verify").err


def test_a_metric_that_was_not_read_is_no_reason_to_roll_back(
    planned: SimulatedAws, imdsctl: Imdsctl
) -> None:
    assert imdsctl("apply", "plan.json", "--yes").code == 0
    post(planned, "faults", b'[{"operation": "GetMetricData", "times": 999, "fault": "denied"}]')
    said = imdsctl("verify")
    assert said.code == 3
    assert "  ? i-" in said.out
    assert "✗" not in said.out
    assert "next: imdsctl permissions verify" in said.err
    assert "rollback" not in said.err


@pytest.mark.usefixtures("planned")
def test_what_is_true_of_several_hosts_is_said_once(imdsctl: Imdsctl) -> None:
    assert imdsctl("apply", "plan.json", "--yes").code == 0
    said = imdsctl("verify", "--hosts", "all")
    assert said.out.count("no container found") == 1
    hosts = said.out.count("  ✓ i-")
    assert f"on {hosts} of them: containers not looked at: no container found" in said.out


@pytest.mark.usefixtures("planned")
def test_what_was_so_already_is_counted(imdsctl: Imdsctl) -> None:
    imdsctl("scan")
    imdsctl("plan", "-f", "wide.json")
    assert imdsctl("apply", "wide.json", "--wave=-1", "--yes").code == 0
    again = imdsctl("apply", "wide.json", "--wave=-1", "--yes")
    assert again.err.count("account-defaults") == 0
    freeze = json.loads(Path("wide.json").read_text())["waves"][0]["changes"]
    assert f"{len(freeze)}/{len(freeze)}" in again.err


@pytest.mark.usefixtures("aws")
def test_a_one_way_change_is_always_told(imdsctl: Imdsctl) -> None:
    imdsctl("scan")
    imdsctl("plan", "-f", "plan.json")
    assert imdsctl("apply", "plan.json", "--wave=-1", "--yes").code == 0
    imdsctl("scan")
    imdsctl("plan", "--enforce", "-f", "last.json")
    name = "111111111111/us-east-1"
    said = imdsctl("apply", "last.json", "--wave", 3, "--yes", "--allow-irreversible", name)
    assert said.code == 0
    assert f"✓ account-enforcement {name}" in said.err


def test_a_change_that_aws_does_not_allow_points_at_the_permissions(
    planned: SimulatedAws, imdsctl: Imdsctl
) -> None:
    fault = b'[{"operation": "ModifyInstanceMetadataOptions", "times": 9, "fault": "denied"}]'
    post(planned, "faults", fault)
    said = imdsctl("apply", "plan.json", "--yes")
    assert said.code == 4
    assert "next: imdsctl permissions apply" in said.err
    assert "imdsctl explain" not in said.err
    assert "--resume" in said.err
