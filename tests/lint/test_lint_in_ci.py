"""The pre-commit hook and the GitHub Action, as their runners would run them."""

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OLD = "boto3==1.9.250\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in {
        "app/requirements.txt": OLD,
        "a b/requirements.txt": OLD,
        "README.md": "# Nothing\n",
    }.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path / "repository"], check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path / "repository", check=True)
    return tmp_path / "repository"


def environment(**more: str) -> dict[str, str]:
    """That of a runner: `imdsctl` is on the path."""
    there = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": there, **more}


def extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["optional-dependencies"])


def test_the_hook_runs_on_the_files_that_git_has(repository: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["language"] == "python"
    assert hook["additional_dependencies"] == [".[lint]"]
    assert "lint" in extras()
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.split("\0")[:-1]
    words = [*shlex.split(hook["entry"]), *hook.get("args", ()), *files]
    said = subprocess.run(
        words, cwd=repository, env=environment(), capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert "app/requirements.txt" in said.stdout
    fine = subprocess.run(
        [*shlex.split(hook["entry"]), "README.md"],
        cwd=repository, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert fine.returncode == 0


def step(name: str) -> dict[str, Any]:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    (found,) = [s for s in action["runs"]["steps"] if s["name"] == name]
    return dict(found)


def run_action(repository: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The step as a runner runs it: bash with its usual options, inputs put into `env`."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    values = {name: one["default"] for name, one in action["inputs"].items()} | inputs
    lint = step("Lint")
    given = {
        name: text.replace("${{ inputs.", "").replace(" }}", "")
        for name, text in lint["env"].items()
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", lint["run"]],
        cwd=repository,
        env=environment(**{name: values[key] for name, key in given.items()}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_action_annotates_the_lines(repository: Path) -> None:
    said = run_action(repository)
    assert said.returncode == 1, said.stderr
    assert "::error file=a b/requirements.txt,line=1," in said.stdout
    assert "::error file=app/requirements.txt,line=1," in said.stdout


def test_the_action_takes_paths_options_and_a_file_for_sarif(repository: Path) -> None:
    said = run_action(
        repository, paths="app\na b\n", args="--severity\nerror\n", sarif="found.sarif"
    )
    assert said.returncode == 1, said.stderr
    log = json.loads((repository / "found.sarif").read_text())
    assert len(log["runs"][0]["results"]) == 2
    clean = run_action(repository, paths="README.md")
    assert (clean.returncode, clean.stdout) == (0, "")


def test_nothing_that_the_action_is_given_is_run(repository: Path) -> None:
    run_action(repository, paths="$(touch evil)\n`touch evil`\n; touch evil", args="$(touch evil)")
    assert not (repository / "evil").exists()


def test_the_action_installs_the_extra() -> None:
    install = step("Install imdsctl")["run"]
    assert '"$GITHUB_ACTION_PATH[lint]"' in install
    checked = subprocess.run(["bash", "-n", "-c", install], check=False, capture_output=True)
    assert checked.returncode == 0
