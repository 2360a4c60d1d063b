"""What a person reads: the verdict first, then who, why and what to do."""

import pytest
from rehearsals import ITEM, why_impossible

from imdsctl.cli import main

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible() or "possible")


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IMDSCTL_CLOCK", "AWS_EC2_METADATA_DISABLED", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)


def test_the_verdict_the_caller_and_the_fix_are_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--", "curl", "-s", "-o", "/dev/null", ITEM]) == 1
    out, err = capfd.readouterr()
    assert "V1-ONLY" in out
    assert "✗ curl" in out
    assert "upgrade it to a version that speaks IMDSv2" in out
    assert "exited 0" in out
    assert "proves nothing: old clients carry on without credentials" in out
    assert "next: mend it" in err


def test_the_matrix_is_a_table(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--matrix", "--", "curl", "-s", ITEM]) == 1
    out, _ = capfd.readouterr()
    rows = [
        line.split()
        for line in out.splitlines()
        if line.split()[:1] in (["optional"], ["required"])
    ]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("optional", "1", "v1-only"),
        ("optional", "2", "v1-only"),
        ("required", "1", "v1-only"),
        ("required", "2", "v1-only"),
    ]
    assert [row[6] for row in rows] == ["0", "0", "1", "1"], "refused where tokens are required"
    assert "i-" not in out, "what the command prints does not mix with the table"


def test_a_silent_command_gets_hints(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOPERATOROPERATOR")
    assert main(["rehearse", "--", "true"]) == 3
    out, _ = capfd.readouterr()
    assert "NOTHING-CALLED" in out
    assert "SDKs use it and ask no IMDS" in out
    assert "AKIAOPERATOR" not in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rehearse"], "which command"),
        (["rehearse", "--hop-limit", "65", "--", "true"], "1 to 64"),
        (["rehearse", "--by-environment", "--container", "--", "true"], "builds no network"),
        (["rehearse", "--pid", "1", "--", "true"], "not both"),
        (["rehearse", "--values", "/nowhere.toml", "--", "true"], "/nowhere.toml"),
        (["rehearse", "--timeout", "0", "--", "true"], "timeout"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_run(
    words: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capfd.readouterr()
    assert says in err
    assert out == ""
