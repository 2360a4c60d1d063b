"""What the table says of packages as an inventory lists them, on systems that it names."""

import pytest

from imdsctl.software.installed import agent, agent_beginnings, ecosystem_of, installed, named
from imdsctl.software.table import SOFTWARE


@pytest.mark.parametrize(
    ("system", "ecosystem"),
    [
        ("Ubuntu 22.04", "deb"),
        ("Debian GNU/Linux 11", "deb"),
        ("ubuntu", "deb"),
        ("Amazon Linux 2", "rpm"),
        ("Red Hat Enterprise Linux Server 7.9", "rpm"),
        ("SLES 15", "rpm"),
        ("Microsoft Windows Server 2022 Datacenter 10.0.20348", None),
        ("macOS 14", None),
    ],
)
def test_a_system_says_whose_packages_it_has(system: str, ecosystem: str | None) -> None:
    assert ecosystem_of(system) == ecosystem


def test_versions_are_compared_as_the_system_does() -> None:
    old = installed("Ubuntu 18.04", "awscli", "1:1.14.44-1ubuntu1")
    assert old is not None
    assert (old.bad, old.version) == (True, "1:1.14.44-1ubuntu1")
    new = installed("Amazon Linux 2", "awscli", "1.18.147")
    assert new is not None
    assert not new.bad
    assert installed("Ubuntu 18.04", "AWSCLI", "1.14.44-1ubuntu1") is not None, "case is folded"


@pytest.mark.parametrize("version", ["", "unknown", "-", "latest"])
def test_what_is_no_version_says_nothing(version: str) -> None:
    assert installed("Ubuntu 18.04", "awscli", version) is None
    assert installed("Amazon Linux 2", "awscli", version) is None
    assert agent(version) is None


def test_windows_programs_say_nothing() -> None:
    assert installed("Microsoft Windows Server 2019", "awscli", "1.14.44") is None


@pytest.mark.parametrize(
    ("system", "version", "bad"),
    [
        ("Amazon Linux 2", "19.3", False),
        ("Amazon Linux", "22.2.2", False),
        ("Amazon Linux 2", "18.5", True),
        ("Amazon Linux AMI 2018.03", "19.3", True),
        ("CentOS Linux 7.9.2009", "19.3", True),
    ],
)
def test_amazon_linux_added_v2_to_its_cloud_init(*, system: str, version: str, bad: bool) -> None:
    match = installed(system, "cloud-init", version)
    assert bool(match and match.bad) == bad


def test_every_agent_that_is_too_old_begins_as_inventories_are_asked() -> None:
    (known,) = [one for one in SOFTWARE if one.id == "amazon-ssm-agent"]
    ends = [one.below for one in known.ranges if one.below]
    assert ends == ["2.3.814.0", "3.0.431.0"]
    for version in ("1.2.245.0", "2.0.0.0", "2.3.612.0", "2.3.1644.0", "3.0.0.0", "3.0.430.9"):
        match = agent(version)
        assert match is not None
        assert match.bad
        assert version.startswith(agent_beginnings())
    for version in ("3.0.431.0", "3.1.0.0", "3.3.2299.0", "4.0.0.0", "10.2.0.0", "20.0.0.0"):
        match = agent(version)
        assert match is None or not match.bad
    assert not "10.2.0.0".startswith(agent_beginnings())


def test_names_of_packages_and_of_nothing_else_are_known() -> None:
    assert named("awscli")
    assert named("AWScli")
    assert not named("openssl")
    assert not named("@aws-sdk/credential-provider-imds")
