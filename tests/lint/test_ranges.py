"""What a constraint on a version allows, in each package manager's grammar."""

from collections.abc import Callable

import pytest

from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._ranges import Range


def gem(text: str) -> Range:
    return _ranges.gem(text.split(", "))


@pytest.mark.parametrize(
    ("grammar", "text", "lowest", "highest"),
    [
        (_ranges.pep440, ">=1.9,<2", "1.9", "2"),
        (_ranges.pep440, "<2,>=1.9,!=1.9.5", "1.9", "2"),
        (_ranges.pep440, "~=1.9.0", "1.9.0", "1.10"),
        (_ranges.pep440, "~=1.9", "1.9", "2"),
        (_ranges.pep440, "==1.9.*", "1.9", "1.10"),
        (_ranges.pep440, "!=1.9", "", ""),
        (_ranges.pep440, "", "", ""),
        (_ranges.poetry, "^1.9", "1.9", "2"),
        (_ranges.poetry, "^0.3.1", "0.3.1", "0.4"),
        (_ranges.poetry, "~1.9.3", "1.9.3", "1.10"),
        (_ranges.poetry, "~1", "1", "2"),
        (_ranges.poetry, "*", "", ""),
        (_ranges.npm, "^2.437.0", "2.437.0", "3"),
        (_ranges.npm, "~2.4", "2.4", "2.5"),
        (_ranges.npm, "2.x", "2", "3"),
        (_ranges.npm, "2", "2", "3"),
        (_ranges.npm, "1.2 - 2.3", "1.2", "2.3"),
        (_ranges.npm, ">=2.1 <3 || ^4.0.0", "2.1", "5"),
        (_ranges.npm, "latest", "", ""),
        (_ranges.npm, "git+https://example.com/x.git#v1.0.0", "", ""),
        (_ranges.npm, "npm:aws-sdk@^2.1.0", "2.1.0", "3"),
        (_ranges.composer, "~3.90.0", "3.90.0", "3.91"),
        (_ranges.composer, "~3.90", "3.90", "4"),
        (_ranges.composer, "^3.0|^4.0", "3.0", "5"),
        (_ranges.composer, "3.*@dev", "3", "4"),
        (_ranges.composer, "dev-master", "", ""),
        (gem, "~> 2.10", "2.10", "3"),
        (gem, "~> 2.10.1", "2.10.1", "2.11"),
        (gem, ">= 2, < 3", "2", "3"),
        (_ranges.maven, "[1.11,1.12)", "1.11", "1.12"),
        (_ranges.maven, "[1.11,)", "1.11", ""),
        (_ranges.maven, "LATEST", "", ""),
        (_ranges.gradle, "1.11.+", "1.11", "1.12"),
        (_ranges.gradle, "+", "", ""),
        (_ranges.gradle, "[1.0,2.0[", "1.0", "2.0"),
        (_ranges.nuget, "3.3.*", "3.3", "3.4"),
    ],
)
def test_a_range_has_a_lowest_and_a_highest_version(
    grammar: Callable[[str], Range], text: str, lowest: str, highest: str
) -> None:
    assert grammar(text) == Range(lowest, highest, exact=False)


@pytest.mark.parametrize(
    ("grammar", "text", "version"),
    [
        (_ranges.pep440, "==1.9.250", "1.9.250"),
        (_ranges.pep440, "===1.9.250", "1.9.250"),
        (_ranges.npm, "2.437.0", "2.437.0"),
        (_ranges.npm, "=v2.437.0", "2.437.0"),
        (_ranges.composer, "v3.90.1", "3.90.1"),
        (gem, "= 2.10.1", "2.10.1"),
        (gem, "2.10.1", "2.10.1"),
        (_ranges.maven, "1.11.500", "1.11.500"),
        (_ranges.maven, "[1.11.500]", "1.11.500"),
        (_ranges.gradle, "1.11.500!!", "1.11.500"),
        # NuGet restores the lowest version that is allowed.
        (_ranges.nuget, "3.3.31", "3.3.31"),
        (_ranges.nuget, "[3.3.31,4.0)", "3.3.31"),
    ],
)
def test_a_pin_is_one_version(grammar: Callable[[str], Range], text: str, version: str) -> None:
    assert grammar(text) == Range(version, version, exact=True)
