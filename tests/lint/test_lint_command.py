"""`imdsctl lint` from the command line: which files, what it says, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from commanded import Lint

from imdsctl.cli.answers import ANSWERS

OLD = "boto3==1.9.250\n"
NEW = "boto3==1.34.0\n"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


def test_a_finding_says_where_what_and_what_to_do(lint: Lint) -> None:
    lint.write("app/requirements.txt", f"# the worker\n{OLD}")
    said = lint("app")
    assert said.code == 1
    assert "app/requirements.txt" in said.out
    assert "2:1" in said.out
    assert "boto3 1.9.250 never asks for a token" in said.out
    assert "Upgrade boto3 to 1.12.6 or newer" in said.out
    assert "1 error in 1 file" in said.out
    assert "imdsctl lint --fix app" in said.err


def test_what_is_clean_exits_zero(lint: Lint) -> None:
    lint.write("requirements.txt", NEW)
    said = lint(".")
    assert (said.code, said.out) == (0, "nothing found in 1 file\n")


def test_notes_alone_do_not_fail(lint: Lint) -> None:
    lint.write("requirements.txt", f"# imdsctl: ignore[old-sdk] in a museum\n{NEW}")
    said = lint(".")
    assert said.code == 0
    assert "unused-ignore" in said.out


def test_what_cannot_be_parsed_is_said_and_exits_three(lint: Lint) -> None:
    lint.write("package.json", '{ "dependencies": {\n')
    said = lint(".")
    assert said.code == 3
    assert "not read  package.json:1: no JSON" in said.out
    assert "not everything could be read" in said.err


def test_a_finding_beside_what_cannot_be_parsed_is_a_finding(lint: Lint) -> None:
    lint.write("package.json", "{")
    lint.write("requirements.txt", OLD)
    said = lint(".", "-o", "json")
    assert said.code == 1
    assert said.json["complete"] is False


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("missing.txt",),
        (".", "--rule", "no-such-rule"),
        (".", "--severity", "loud"),
        (".", "--bogus"),
        (".", "--as", "x.sh"),
        (".", "--jobs", "0"),
        (".", "--baseline", "missing.json"),
        (".", "--region", "eu-west-1"),
        ("-", "--fix"),
        ("--user-data", "sg-123"),
        ("--user-data", "lt-0123456789abcdef0:newest"),
        ("--user-data", "i-0123456789abcdef0", "--fix"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(lint: Lint, words: tuple[str, ...]) -> None:
    said = lint(*words)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("error: ")


def test_without_the_extra_it_says_what_to_install(
    lint: Lint, monkeypatch: pytest.MonkeyPatch
) -> None:
    lint.write("requirements.txt", OLD)
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    said = lint(".")
    assert said.code == 2
    assert "pip install 'imdsctl[lint]'" in said.err


def test_standard_input_is_one_file_that_can_be_named(lint: Lint) -> None:
    assert lint.found("-", "--as", "requirements.txt", stdin=OLD) == [
        ("requirements.txt", 1, "old-sdk")
    ]
    said = lint("-", stdin=OLD)
    assert said.code == 3
    assert "name it with --as NAME" in said.out


def test_other_peoples_folders_are_left_out_and_listed(lint: Lint) -> None:
    for folder in ("node_modules/x", "vendor", ".venv/lib", "tests/fixtures", "mine"):
        lint.write(f"{folder}/requirements.txt", OLD)
    lint.write("env/pyvenv.cfg", "home = /usr/bin\n")
    lint.write("env/requirements.txt", OLD)
    answer = lint(".", "-o", "json").json
    assert [row["path"] for row in answer["findings"]] == ["mine/requirements.txt"]
    left = {row["path"] for row in answer["skipped"]}
    assert left == {"node_modules", "vendor", ".venv", "tests/fixtures", "env"}
    assert lint.found("vendor/requirements.txt"), "what is named is meant"


def test_a_checkout_gives_what_git_does_not_ignore(lint: Lint) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=lint.folder, check=True)
    lint.write(".gitignore", "build/\n")
    for folder in ("build", "src", "new"):
        lint.write(f"{folder}/requirements.txt", OLD)
    subprocess.run(["git", "add", "src", ".gitignore"], cwd=lint.folder, check=True)
    lint.write("gone/requirements.txt", OLD)
    subprocess.run(["git", "add", "gone"], cwd=lint.folder, check=True)
    (lint.folder / "gone/requirements.txt").unlink()
    assert [path for path, *_ in lint.found(".")] == [
        "new/requirements.txt",
        "src/requirements.txt",
    ]
    assert lint.found("build"), "an ignored folder that is named is meant"


def test_a_checkouts_settings_start_no_program(lint: Lint) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=lint.folder, check=True)
    program = lint.write("monitor.sh", "#!/bin/sh\ntouch started\n")
    program.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", f"{program}"], cwd=lint.folder, check=True)
    lint.write("requirements.txt", OLD)
    assert lint.found(".")
    assert not (lint.folder / "started").exists()


def test_links_lead_nowhere_twice(lint: Lint) -> None:
    lint.write("a/requirements.txt", OLD)
    (lint.folder / "a/loop").symlink_to("..")
    (lint.folder / "link.txt").symlink_to("a/requirements.txt")
    assert lint.found(".") == [("a/requirements.txt", 1, "old-sdk")]
    assert lint.found("a", "a/requirements.txt", "./a") == [("a/requirements.txt", 1, "old-sdk")]


def test_globs_choose_files(lint: Lint) -> None:
    for name in ("a/requirements.txt", "b/requirements.txt", "b/c/requirements.txt"):
        lint.write(name, OLD)
    assert len(lint.found(".")) == 3
    assert [p for p, *_ in lint.found(".", "--exclude", "b")] == ["a/requirements.txt"]
    assert [p for p, *_ in lint.found(".", "--include", "b/c/*")] == ["b/c/requirements.txt"]
    said = lint(".", "--include", "*.txt", "--exclude", "a/*", "--exclude", "c", "-o", "json").json
    assert [row["path"] for row in said["findings"]] == ["b/requirements.txt"]


def test_what_is_no_text_or_too_large_is_counted_as_not_read(lint: Lint) -> None:
    lint.write("requirements.txt", b"boto3==1.9\0\0\0")
    lint.write("big/requirements.txt", "# x\n" * 300_000)
    lint.write("picture.png", b"\x89PNG\0")
    said = lint(".", "-o", "json")
    assert said.code == 3
    assert {row["path"]: row["why"] for row in said.json["not_read"]} == {
        "requirements.txt": "not a text",
        "big/requirements.txt": "larger than 1 MB",
    }
    assert said.json["summary"]["others"] == 1


def test_a_large_lock_is_read(lint: Lint) -> None:
    rows = "".join(f"example.com/m{n} v1.0.0 h1:x=\n" for n in range(60_000))
    lint.write("go.sum", rows + "github.com/aws/aws-sdk-go v1.15.0 h1:x=\n")
    assert lint.found(".") == [("go.sum", 60_001, "old-sdk")]


def test_a_file_that_may_not_be_read_is_said(lint: Lint) -> None:
    lint.write("requirements.txt", OLD)
    pipe = lint.folder / "package.json"
    os.mkfifo(pipe)
    said = lint(".", "package.json")
    assert said.code == 1
    assert "not read  package.json: no regular file" in said.out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_are_read(lint: Lint, encoding: str) -> None:
    lint.write("requirements.txt", f"# für\n{OLD}".encode(encoding))
    assert lint.found(".") == [("requirements.txt", 2, "old-sdk")]


def test_filters_by_rule_severity_and_confidence(lint: Lint) -> None:
    lint.write("requirements.txt", f"{OLD}ec2-metadata>=1.0\n# imdsctl: ignore[old-sdk]\n")
    assert [line for _, line, _ in lint.found(".")] == [1, 2, 3]
    assert [line for _, line, _ in lint.found(".", "--severity", "error")] == [1]
    assert [line for _, line, _ in lint.found(".", "--confidence", "high")] == [1, 3]
    assert [line for _, line, _ in lint.found(".", "--rule", "old-sdk")] == [1, 2]


def test_the_rules_are_listed(lint: Lint) -> None:
    said = lint("--list-rules")
    assert said.code == 0
    for name in ("old-sdk", "ignore-without-reason", "unused-ignore"):
        assert name in said.out


def test_the_json_is_what_its_schema_promises(lint: Lint) -> None:
    lint.write("requirements.txt", OLD)
    answer = lint(".", "-o", "json").json
    msgspec.convert(answer, ANSWERS["lint"], strict=True)
    assert answer["summary"]["errors"] == answer["summary"]["fixable"] == 1
    assert answer["findings"][0]["column"] == 1
    assert answer["findings"][0]["end_column"] == len(OLD.strip())


def test_many_files_over_processes_are_said_in_the_same_order(lint: Lint) -> None:
    for number in range(120):
        lint.write(f"s{number:03}/requirements.txt", OLD if number % 3 else NEW)
    alone = lint(".", "--jobs", "1", "-o", "json").json
    several = lint(".", "--jobs", "2", "-o", "json").json
    assert alone == several
    assert len(alone["findings"]) == 80


def test_a_secret_beside_a_finding_is_not_shown(lint: Lint) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1"
    lint.write(
        "package.json",
        f'{{"config": {{"secret": "{secret}"}}, "dependencies": {{"aws-sdk": "2.1.0"}}}}',
    )
    for form in ("table", "json", "sarif", "junit", "github"):
        said = lint(".", "-o", form)
        assert said.code == 1
        assert secret not in said.out + said.err


def test_included_requirements_are_read_whatever_they_are_called(lint: Lint) -> None:
    lint.write("requirements.txt", "-r deps/base.list\n--constraint=pins\nflask\n")
    lint.write("deps/base.list", f"-r ../requirements.txt\n{OLD}")
    lint.write("pins", "botocore==1.12.0\n")
    assert lint.found("requirements.txt") == [
        ("deps/base.list", 2, "old-sdk"),
        ("pins", 1, "old-sdk"),
    ]


def test_nothing_is_left_behind_in_the_folder(lint: Lint) -> None:
    path = lint.write("requirements.txt", OLD)
    lint(".")
    lint(".", "--diff")
    assert [p.name for p in Path(path.parent).iterdir()] == ["requirements.txt"]
