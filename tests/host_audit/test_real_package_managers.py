"""Old SDKs that real package managers installed are found; up-to-date ones are not."""

import json
import subprocess

import pytest

from host_audit.audited import SOURCE, as_json, found, imdsctl, interpreter, look
from host_audit.managers import MANAGERS, Filled


@pytest.mark.parametrize("manager", MANAGERS)
def test_what_is_too_old_is_found(manager: str, old_root: Filled) -> None:
    if manager in old_root.missing:
        pytest.skip(old_root.missing[manager])
    _, name, version = MANAGERS[manager]
    assert found(look(old_root.root)).get(name) == {version}


def test_at_least_five_ecosystems_are_found_and_nothing_else(old_root: Filled) -> None:
    answer = look(old_root.root)
    there = [name for name in MANAGERS if name not in old_root.missing]
    assert set(found(answer)) == {MANAGERS[name][1] for name in there}
    assert len({row["ecosystem"] for row in answer["findings"]}) == len(there)
    if len(there) < 5:
        pytest.skip(f"only {len(there)} package managers here: {old_root.missing}")


def test_nothing_is_found_where_all_is_up_to_date(new_root: Filled) -> None:
    answer = look(new_root.root)
    assert answer["findings"] == []
    assert answer["settings"] == []
    assert answer["complete"]
    noted = {row["name"] for row in answer["notes"]}
    # It did see them: what works is noted where anything is known of it.
    seen = {"botocore": "pip", "aws-sdk": "npm", "github.com/aws/aws-sdk-go": "go"}
    assert noted >= {name for name, manager in seen.items() if manager not in new_root.missing}
    assert imdsctl("host", "audit", "--root", new_root.root).returncode == 0


def test_the_command_shows_them_with_the_fix_and_exits_with_1(old_root: Filled) -> None:
    done = imdsctl("host", "audit", "--root", old_root.root)
    assert done.returncode == 1
    for manager, (_, name, version) in MANAGERS.items():
        if manager not in old_root.missing:
            assert f"{name} {version}" in done.stdout
    assert done.stdout.count("fix: ") == len(MANAGERS) - len(old_root.missing)
    assert "imdsctl rehearse" in done.stderr


def test_json_says_for_each_what_where_why_and_from_whom(old_root: Filled) -> None:
    if "pip" in old_root.missing:
        pytest.skip(old_root.missing["pip"])
    answer = as_json("--root", old_root.root)
    assert answer["schema"] == "imdsctl/host-audit/v1"
    row = next(row for row in answer["findings"] if row["name"] == "botocore")
    assert row["where"] == (
        "/opt/app/lib/python3.8/site-packages/botocore-1.12.253.dist-info/METADATA"
    )
    assert (row["version"], row["minimum"]) == ("1.12.253", "1.13.25")
    assert (row["behaviour"], row["severity"], row["confidence"]) == ("v1-only", "high", "high")
    assert "1.13.25" in row["fix"]
    assert row["source"].startswith("EC2 User Guide")
    assert answer["summary"]["findings"] == len(answer["findings"])


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_hosts_with_nothing_but_python_get_the_same_answer(version: str, old_root: Filled) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    words = [python, "-S", "-B", "-W", "error", "-m", "imdsctl.host.audit"]
    done = subprocess.run(
        [*words, "--root", str(old_root.root)],
        capture_output=True, text=True, check=False, cwd=SOURCE, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 1
    theirs, ours = json.loads(done.stdout), look(old_root.root)
    for name in ("findings", "notes", "settings", "not_read", "summary"):
        assert theirs[name] == ours[name]
