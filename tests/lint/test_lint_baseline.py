"""Old findings in a file, so that only new ones fail."""

import json
from pathlib import Path

import pytest
from commanded import Lint

OLD = "boto3==1.9.250\n"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


def test_what_is_in_it_is_not_shown_and_what_is_new_is(lint: Lint) -> None:
    lint.write("a/requirements.txt", OLD)
    said = lint(".", "--write-baseline", "old.json")
    assert said.code == 0
    assert "the baseline is 1 finding now" in said.err
    said = lint(".", "--baseline", "old.json")
    assert said.code == 0
    assert "nothing found in" in said.out
    assert "1 in the baseline" in said.out
    lint.write("a/requirements.txt", f"{OLD}ec2-metadata==1.8.0\n")
    assert lint.found(".", "--baseline", "old.json") == [("a/requirements.txt", 2, "old-sdk")]


def test_lines_may_move_and_be_indented_anew(lint: Lint) -> None:
    lint.write("package.json", '{"dependencies": {\n  "aws-sdk": "2.1.0"\n}}')
    lint(".", "--write-baseline", "old.json")
    lint.write("package.json", '{\n "name": "x",\n "dependencies": {\n     "aws-sdk":"2.1.0"\n}}')
    assert lint.found(".", "--baseline", "old.json") == []


def test_a_second_one_like_it_is_new(lint: Lint) -> None:
    lint.write("requirements.txt", OLD)
    lint(".", "--write-baseline", "old.json")
    lint.write("requirements.txt", OLD * 2)
    assert lint.found(".", "--baseline", "old.json") == [("requirements.txt", 2, "old-sdk")]


def test_another_version_is_new(lint: Lint) -> None:
    lint.write("requirements.txt", OLD)
    lint(".", "--write-baseline", "old.json")
    lint.write("requirements.txt", "boto3==1.9.249\n")
    assert lint(".", "--baseline", "old.json").code == 1


def test_what_is_gone_is_said(lint: Lint) -> None:
    lint.write("requirements.txt", OLD)
    lint(".", "--write-baseline", "old.json")
    lint.write("requirements.txt", "")
    said = lint(".", "--baseline", "old.json")
    assert said.code == 0
    assert "1 finding of the baseline is gone" in said.out


def test_it_is_the_same_from_every_folder(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lint.write("a/requirements.txt", OLD)
    lint(".", "--write-baseline", "old.json")
    monkeypatch.chdir(path.parent)
    assert lint("requirements.txt", "--baseline", "../old.json").code == 0
    assert lint(str(path), "--baseline", "../old.json").code == 0


def test_it_holds_no_text_of_the_files(lint: Lint) -> None:
    lint.write("requirements.txt", "boto3==1.9.250  # token=hunter2hunter2\n")
    lint(".", "--write-baseline", "old.json")
    text = (lint.folder / "old.json").read_text()
    assert "hunter2" not in text
    assert json.loads(text)["schema"] == "imdsctl/lint-baseline/v1"


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "imdsctl/lint-baseline/v2"}'])
def test_a_file_that_is_none_is_refused(lint: Lint, text: str) -> None:
    lint.write("requirements.txt", OLD)
    lint.write("old.json", text)
    said = lint(".", "--baseline", "old.json")
    assert said.code == 2
    assert "is no baseline" in said.err
