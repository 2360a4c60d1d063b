"""What the table says of versions, and that the table is the data file's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from imdsctl.cli.known_software import (
    SOURCE,
    TABLE,
    as_markdown,
    as_python,
    in_page,
    read,
)
from imdsctl.software import UnknownVersionError, known, software
from imdsctl.software.table import SOFTWARE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "host-audit.md"


def behaviour(ecosystem: str, name: str, version: str) -> str | None:
    match = known(ecosystem, name, version)
    return match and match.behaviour


@pytest.mark.parametrize(
    ("ecosystem", "name", "last_bad", "first_good"),
    [
        # EC2 User Guide, "Use a supported AWS SDK": below its minimum, and at it.
        ("pypi", "botocore", "1.13.23", "1.13.25"),
        ("pypi", "awscli", "1.16.287", "1.16.289"),
        ("pypi", "boto3", "1.9.253", "1.12.6"),
        ("npm", "aws-sdk", "2.574.0", "2.722.0"),
        ("maven", "com.amazonaws:aws-java-sdk-core", "1.11.677", "1.11.678"),
        ("maven", "software.amazon.awssdk:regions", "2.10.20", "2.10.21"),
        ("go", "github.com/aws/aws-sdk-go", "v1.25.37", "v1.25.38"),
        ("go", "github.com/aws/aws-sdk-go-v2", "v0.18.0", "v0.19.0"),
        ("rubygems", "aws-sdk-core", "3.78.0", "3.79.0"),
        ("rubygems", "aws-sdk-core", "2.11.400", "2.11.401"),
        ("composer", "aws/aws-sdk-php", "3.147.6", "3.147.7"),
        ("nuget", "AWSSDK.Core", "3.3.103.65", "3.3.103.66"),
        ("psmodule", "AWSPowerShell.NetCore", "3.3.603.0", "4.0.1.0"),
        ("deb", "libaws-cpp-sdk-core", "1.7.228-1", "1.7.229-1"),
        ("rpm", "amazon-ssm-agent", "2.3.809.0-1", "3.0.431.0-1"),
        ("deb", "datadog-agent", "1:7.63.2-1", "1:7.64.0-1"),
        ("rpm", "ec2-net-utils", "1.2-1.amzn2", "1.3-1.amzn2"),
        ("deb", "fluent-bit", "1.8.7", "1.8.8"),
        # Release notes of their makers.
        ("rubygems", "facter", "4.2.0", "4.2.1"),
        ("deb", "puppet-agent", "7.7.0-1buster", "7.8.0-1buster"),
        ("npm", "newrelic", "8.7.1", "8.8.0"),
        ("rubygems", "newrelic_rpm", "8.4.0", "8.5.0"),
        ("rpm", "amazon-efs-utils", "1.21-1.amzn2", "1.22-1.amzn2"),
    ],
)
def test_below_the_minimum_is_bad_and_at_it_is_not(
    ecosystem: str, name: str, last_bad: str, first_good: str
) -> None:
    bad, good = known(ecosystem, name, last_bad), known(ecosystem, name, first_good)
    assert bad is not None
    assert bad.bad
    assert bad.software.fix
    assert good is None or not good.bad


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "expected"),
    [
        ("pypi", "boto", "2.49.0", "v1-only"),
        ("rpm", "amazon-ssm-agent", "2.3.1319.0-1", "v1-first"),
        ("npm", "aws-sdk", "2.1692.0", "sticky-fallback"),
        ("deb", "datadog-agent", "1:7.50.0-1", "v1-by-default"),
        ("nuget", "AWSSDK.Core", "4.0.1", "no-fallback"),
        ("rubygems", "aws-sdk-core", "2.11.500", "sticky-fallback"),
        ("go", "github.com/aws/aws-sdk-go", "v1.25.38-0.20191119021931-daa7c04131f5", "v1-only"),
        ("pypi", "left-pad", "1.0", None),
        ("npm", "botocore", "1.0.0", None),
    ],
)
def test_the_behaviour_is_told(
    ecosystem: str, name: str, version: str, expected: str | None
) -> None:
    assert behaviour(ecosystem, name, version) == expected


def test_names_are_compared_as_the_ecosystem_compares_them() -> None:
    assert software("pypi", "EC2_Metadata") is software("pypi", "ec2-metadata") is not None
    assert software("nuget", "awssdk.core") is not None
    assert software("npm", "AWS-SDK") is None


def test_a_distributions_number_is_less_sure_than_the_makers_own() -> None:
    upstream, distribution = (
        known("pypi", "botocore", "1.12"),
        known("deb", "python3-botocore", "1.12"),
    )
    own = known("deb", "amazon-ssm-agent", "2.3.100.0")
    assert upstream
    assert distribution
    assert own
    assert (upstream.confidence, distribution.confidence, own.confidence) == (
        "high",
        "medium",
        "high",
    )


def test_a_version_that_cannot_be_compared_is_an_error_and_not_a_clean_bill() -> None:
    with pytest.raises(UnknownVersionError):
        known("pypi", "botocore", "unknown")
    with pytest.raises(UnknownVersionError):
        known("pypi", "boto", "unknown")


def test_the_table_and_the_page_are_what_the_data_file_makes() -> None:
    entries = read(SOURCE.read_text(encoding="utf-8"))
    assert entries == SOFTWARE
    hint = "run `make known-software`"
    assert TABLE.read_text(encoding="utf-8") == as_python(entries), hint
    page = PAGE.read_text(encoding="utf-8")
    assert in_page(page, as_markdown(entries)) == page, hint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('below = "1.13.24"', 'below = "soon"', "botocore: 'soon' is no"),
        ('id = "boto3"', 'id = "boto3"\nwhy = 1', "unknown field `why`"),
        ('{ from = "1.13.24", behaviour', '{ from = "1.13.20", behaviour', "overlap"),
        ("fallback", "falls-back", "not known"),
        ('through = "botocore"', 'through = "bottlecore"', "bottlecore"),
        ('pypi = ["boto3"]', 'pypi = ["botocore"]', "more than once: pypi botocore"),
        ('pypi = ["boto3"]', 'cpan = ["boto3"]', "boto3: needs ranges, and names in"),
    ],
)
def test_a_mistake_in_the_data_file_is_named(old: str, new: str, said: str) -> None:
    text = SOURCE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ValueError, match=re.escape(said)):
        read(text.replace(old, new))


def test_every_source_is_public_and_every_doubt_has_a_reason() -> None:
    for one in SOFTWARE:
        assert len(one.source) > 15, one.id
        for part in one.ranges:
            if part.confidence == "low" and part.behaviour == "v1-only":
                assert part.note or "not known" in one.source, one.id


def test_asking_reads_no_file_and_imports_nothing_beyond_the_standard_library() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from imdsctl.software import known\n"
        "known('pypi', 'botocore', '1.0')\n"
        "print(*sorted({n.split('.')[0] for n in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(ROOT / "src")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(done.stdout.split()) & {"json", "tomllib", "msgspec", "pathlib", "io"} == set()
