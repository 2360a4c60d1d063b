"""Every fix of a shell script, run: it gets over IMDSv2 what the original got over IMDSv1."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from shell_runs import ran_beside_imds

from imdsctl.lint.engine import look
from imdsctl.lint.finding import Finding
from imdsctl.lint.source import Source

ROOT = Path(__file__).parent / "corpus" / "shell-fixes"
NAMES = sorted(path.name for path in ROOT.iterdir())
ROUNDS = 40


def findings(text: str) -> list[Finding]:
    return list(look(Source("script.sh", "shell", text)))


def applied(text: str, finding: Finding) -> str:
    for edit in sorted(finding.edits, key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def fixed_one_by_one(text: str) -> str:
    for _ in range(ROUNDS):
        fixable = [one for one in findings(text) if one.edits]
        if not fixable:
            return text
        text = applied(text, fixable[0])
    raise AssertionError("fixes have no end")


def fixed_at_once(text: str) -> str:
    """All edits of the first look together; those that are the same are made once."""
    edits = {edit for one in findings(text) for edit in one.edits}
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


WAYS = {"one by one": fixed_one_by_one, "at once": fixed_at_once}


def shells(text: str) -> tuple[str, ...]:
    return ("bash", "dash") if text.startswith("#!/bin/sh") else ("bash",)


@cache
def ran() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Every script as it was and as it is fixed, each way, by (name, shell, way)."""
    jobs = []
    for name in NAMES:
        text = (ROOT / name).read_text()
        for shell in shells(text):
            jobs.append((name, shell, "before", text, "optional"))
            jobs.append((name, shell, "refused", text, "required"))
            jobs += [(name, shell, way, fix(text), "required") for way, fix in WAYS.items()]
    results = ran_beside_imds(
        [(name, shell, text, tokens) for name, shell, _, text, tokens in jobs]
    )
    return {
        (name, shell, way): result
        for (name, shell, way, _, _), result in zip(jobs, results, strict=True)
    }


CASES = [(name, shell) for name in NAMES for shell in shells((ROOT / name).read_text())]


@pytest.mark.parametrize(("name", "shell"), CASES)
@pytest.mark.parametrize("way", WAYS)
def test_a_fixed_script_gets_over_v2_what_it_got_over_v1(name: str, shell: str, way: str) -> None:
    before, after = ran()[name, shell, "before"], ran()[name, shell, way]

    assert before["v1"] > 0 or "token" in name or "error" in name
    assert (after["code"], after["out"], after["v1"]) == (before["code"], before["out"], 0), after
    assert "401" not in after["out"]


@pytest.mark.parametrize(("name", "shell"), [c for c in CASES if c[0] != "error-page.sh"])
def test_the_same_script_without_its_fix_makes_v1_calls_that_are_refused(
    name: str, shell: str
) -> None:
    before, refused = ran()[name, shell, "before"], ran()[name, shell, "refused"]

    assert (refused["code"], refused["out"]) != (before["code"], before["out"])
    assert refused["v1"] > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", WAYS)
def test_a_fixed_script_parses_and_no_finding_is_left_or_new(name: str, way: str) -> None:
    text = (ROOT / name).read_text()
    fixed = WAYS[way](text)

    assert fixed != text
    for shell in shells(text):
        subprocess.run([shell, "-n"], input=fixed, text=True, check=True)
    assert [(f.rule, f.place.line) for f in findings(fixed)] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_fix_can_be_made_alone(name: str) -> None:
    text = (ROOT / name).read_text()
    for finding in findings(text):
        if finding.edits:
            fixed = applied(text, finding)

            subprocess.run(["bash", "-n"], input=fixed, text=True, check=True)
            assert len(findings(fixed)) < len(findings(text))
