"""What a person reads, and what a program gets."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from host_audit.audited import as_json, imdsctl, put
from imdsctl.cli.answers_host import HostAuditAnswer

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "host-audit.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in "abcde":
        put(tmp_path, f"{place}/boto-2.49.0.dist-info/METADATA", "x")
    agent = "Package: amazon-ssm-agent\nStatus: install ok installed\nVersion: 2.3.900.0\n"
    put(tmp_path, "var/lib/dpkg/status", agent)
    put(tmp_path, "n/node_modules/aws-sdk/package.json", '{"name":"aws-sdk","version":"2.1692.0"}')
    return tmp_path


def test_the_worst_come_first_and_copies_are_one_group(root: Path) -> None:
    done = imdsctl("host", "audit", "--root", root)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("6 findings below ")
    assert "5 will fail on V2 only · 1 to look at" in lines[0]
    heads = [line for line in lines if line.startswith(("HIGH", "MEDIUM"))]
    assert [head.split()[:3] for head in heads] == [
        ["HIGH", "boto", "2.49.0"],
        ["MEDIUM", "amazon-ssm-agent", "2.3.900.0"],
    ]
    assert done.stdout.count("boto-2.49.0.dist-info") == 3
    assert "and in 2 more places" in done.stdout
    assert "also here, no obstacle: aws-sdk 2.1692.0" in done.stdout


def test_verbose_shows_all_of_it(root: Path) -> None:
    done = imdsctl("host", "audit", "--root", root, "-v")
    assert done.stdout.count("boto-2.49.0.dist-info") == 5
    assert "MetadataService sends a token only if it is given one" in done.stdout


def test_the_json_is_of_its_schema(root: Path) -> None:
    answer = as_json("--root", root)
    assert msgspec.convert(answer, HostAuditAnswer).complete
    promised = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    assert set(promised["HostAuditAnswer"]["properties"]) == set(answer)
    assert set(promised["Audited"]["properties"]) == set(answer["findings"][0])
    assert answer["summary"]["packages"] == {"deb": 1, "npm": 1, "pypi": 5}
    assert {row["behaviour"] for row in answer["notes"]} == {"sticky-fallback"}


def test_nothing_found_says_so_and_exits_with_0(tmp_path: Path) -> None:
    put(tmp_path, "a", "x")
    done = imdsctl("host", "audit", "--root", tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("0 findings below ")
    assert done.stderr == ""


def test_what_was_not_read_is_shown_and_asks_for_root(tmp_path: Path) -> None:
    put(tmp_path, "lib/x.jar", "no jar")
    done = imdsctl("host", "audit", "--root", tmp_path)
    assert done.returncode == 3
    assert "not read  /lib/x.jar: not readable as an archive" in done.stdout
    assert "not everything could be read" in done.stderr


def test_progress_is_shown_on_a_terminal_only(root: Path) -> None:
    words = [sys.executable, "-m", "imdsctl", "host", "audit", "--root", str(root)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        process.wait(60)
    os.close(theirs)
    said = b""
    while chunk := _read(ours):
        said += chunk
    os.close(ours)
    assert b" files  " in said
    assert b"files  /" not in imdsctl(*words[3:]).stderr.encode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""


def test_the_help_names_the_command() -> None:
    assert "audit" in imdsctl("host", "--help").stdout
    assert "--one-file-system" in imdsctl("host", "audit", "--help").stdout
