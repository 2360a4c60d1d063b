"""The formats of other tools, as those read them."""

import json
import re
from pathlib import Path

import pytest
from commanded import Lint
from lxml import etree

from imdsctl.lint.ignore import RULES
from imdsctl.lint.rulebook import every_rule

FILES = {
    "a/requirements.txt": "boto3==1.9.250\nec2-metadata>=1.0\n",
    "b/requirements.txt": "# imdsctl: ignore[old-sdk] gone\nboto3==1.34.0\n",
    "b/package.json": "{",
}


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


def written(lint: Lint) -> Lint:
    for name, text in FILES.items():
        lint.write(name, text)
    return lint


def test_sarif_has_every_rule_with_help_and_the_places(lint: Lint) -> None:
    said = written(lint)(".", "-o", "sarif")
    assert said.code == 1
    log = json.loads(said.out)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [*every_rule(), *RULES]
    assert all(rule["help"]["text"] and "Bad:" in rule["help"]["markdown"] for rule in rules)
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [
        ("old-sdk", "error"),
        ("old-sdk", "warning"),
        ("unused-ignore", "note"),
    ]
    first = run["results"][0]
    assert rules[first["ruleIndex"]]["id"] == "old-sdk"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a/requirements.txt"
    assert (place["region"]["startLine"], place["region"]["startColumn"]) == (1, 1)
    assert place["region"]["endColumn"] == len("boto3==1.9.250") + 1
    assert first["partialFingerprints"]["lint/v1"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "no JSON" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_junit_counts_what_it_has(lint: Lint) -> None:
    root = etree.fromstring(written(lint)(".", "-o", "junit").out.encode())
    suites = {suite.get("name"): suite for suite in root}
    assert suites["old-sdk"].get("failures") == "2"
    assert suites["files that are read"].get("errors") == "1"
    assert root.get("failures") == "2"
    assert root.get("errors") == "1"
    assert root.get("tests") == str(len(root.findall(".//testcase")))
    failure = root.find(".//testcase/failure")
    assert failure is not None
    assert "boto3 1.9.250" in (failure.get("message") or "")
    note = suites["unused-ignore"].find("testcase")
    assert note is not None
    assert note.find("failure") is None


def test_github_commands_stand_at_their_lines(lint: Lint) -> None:
    rows = written(lint)(".", "-o", "github").out.splitlines()
    assert [re.match(r"::(\w+) ", row)[1] for row in rows] == [  # type: ignore[index]
        "error",
        "warning",
        "notice",
        "warning",
    ]
    assert rows[0].startswith("::error file=a/requirements.txt,line=1,endLine=1,col=1,")
    assert "%0Afix: Upgrade boto3" in rows[0]


def test_github_commands_cannot_be_broken_out_of(lint: Lint) -> None:
    name = "x,line=9::evil%0A/requirements.txt"
    lint.write(name, "boto3==1.9.250\n")
    (row,) = lint(".", "-o", "github").out.splitlines()
    assert "file=x%2Cline=9%3A%3Aevil%250A/requirements.txt,line=1," in row


def test_a_path_with_odd_letters_is_a_proper_reference(lint: Lint) -> None:
    lint.write("a b%/requirements.txt", "boto3==1.9.250\n")
    log = json.loads(lint(".", "-o", "sarif").out)
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b%25/requirements.txt"
