"""Manifests and locks as they are in the wild, and what lint finds in them."""

import sys

import pytest
from corpora import CORPUS, expected, linted, score

AREA = CORPUS / "dependencies"


def test_everything_that_is_too_old_is_found_and_nothing_else() -> None:
    result = score(AREA)
    sys.stdout.write(f"{result}\n")
    assert result.missed == []
    assert result.false == []
    assert result.found >= 50


def test_every_file_is_read_and_none_is_forgotten() -> None:
    report = linted(AREA)
    assert report.not_read == []
    assert report.others == 0
    there = {str(p.relative_to(AREA)) for p in AREA.rglob("*") if p.is_file()}
    assert there - {"expected.toml"} == set(expected(AREA))
    assert report.files == len(there) - 1 >= 25


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("worker/requirements.txt", 3, "boto3 1.9.250 never asks for a token"),
        ("ranges/requirements.in", 1, "boto3 1.9 is allowed here"),
        ("ranges/requirements.in", 4, "every ec2_metadata that is allowed here (up to 2)"),
        ("ranges/requirements.in", 5, "in every version"),
        ("php/composer.json", 5, "(3.90.0 to 3.91)"),
        ("go-replaced/go.mod", 6, "aws-sdk-go v1.19.1"),
    ],
)
def test_a_finding_says_what_is_there_and_the_least_version(
    name: str, line: int, says: str
) -> None:
    rows = linted(AREA).findings
    (one,) = [
        r for r in rows if r.finding.path.endswith(f"/{name}") and r.finding.place.line == line
    ]
    assert says in one.finding.message
    assert any(c.isdigit() for c in one.finding.fix) or "no longer maintained" in one.finding.fix


def test_what_only_may_be_too_old_is_a_warning_of_less_confidence() -> None:
    rows = {
        (one.finding.path.rpartition("dependencies/")[2], one.finding.place.line): one.finding
        for one in linted(AREA).findings
    }
    exact, open_end = rows["worker/requirements.txt", 3], rows["ranges/requirements.in", 1]
    assert (exact.severity, exact.confidence) == ("error", "high")
    assert (open_end.severity, open_end.confidence) == ("warning", "medium")
