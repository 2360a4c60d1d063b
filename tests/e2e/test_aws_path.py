"""docs/aws-path.md from top to bottom, command by command, in one shell, on the simulated AWS."""

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_hosts import need_hosts

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "aws-path.md"
FIRST_LINE_OF_OUTPUT = "@@@"
STEPS = (
    "## Step 1: at the start",
    "## Step 2: track your progress",
    "## Step 3: when there is zero IMDSv1 usage",
    "## Step 4: check whether your instances are transitioned",
    "## Step 5: when all of your instances are transitioned",
    "## By Systems Manager Automation",
    "## What breaks, and the command for it",
    "## And back",
)


@dataclass
class Command:
    """One command of the page: what is typed, the exit code that the page says, what came of it."""

    section: str
    text: str
    expected: int
    code: int | None = None
    said: str = ""


def commands() -> list[Command]:
    """Every command of the page's shell blocks, in their order."""
    found: list[Command] = []
    section, inside, loop = "", False, ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line
        elif line.startswith("```"):
            inside = line == "```sh"
        elif inside and (loop or line.startswith("for ")):
            loop += f"{line}\n"
            if line == "done":
                found.append(Command(section, loop, 0))
                loop = ""
        elif inside and line:
            expected = re.search(r"# exit (\d+)", line)
            found.append(Command(section, line, int(expected[1]) if expected else 0))
    assert not loop
    return found


def a_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def script(every: list[Command], port: int) -> str:
    """All commands in one shell, each framed by lines that tell what became of it."""
    parts = ["trap 'kill %1; wait' EXIT\nexec 2>&1 </dev/null"]
    for number, command in enumerate(every):
        text = command.text.replace("5000", str(port))
        parts.append(f"printf '\\n{FIRST_LINE_OF_OUTPUT} {number}\\n'\n{text}\n"
                     f"printf '\\n{FIRST_LINE_OF_OUTPUT} exit %s\\n' $?")  # fmt: skip
        if text.endswith("&"):
            clock = f"http://127.0.0.1:{port}/_imdsctl/clock"
            parts.append(
                f"until curl -sf {clock} >/dev/null; do kill -0 %1 || exit; sleep 0.2; done"
            )
    return "\n".join(parts)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> list[Command]:
    """The commands with what became of each."""
    if not shutil.which("bash") or not shutil.which("curl"):
        pytest.skip("bash or curl is not installed")
    need_hosts()
    folder = tmp_path_factory.mktemp("aws-path")
    (folder / "docs").mkdir()
    shutil.copy(DOCS / "aws-path.toml", folder / "docs")
    (folder / "bin").mkdir()
    tool = folder / "bin" / "imdsctl"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imdsctl "$@"\n')
    tool.chmod(0o755)
    (folder / "bin" / "python3").symlink_to(sys.executable)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "IMDSCTL_"))}
    environment = {**kept, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "COLUMNS": "200"}
    every = commands()
    run = subprocess.run(
        ["bash", "-c", script(every, a_free_port())],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        check=False,
    )
    number = -1
    for line in run.stdout.splitlines():
        if mark := re.fullmatch(rf"{FIRST_LINE_OF_OUTPUT} (exit )?(\d+)", line):
            if mark[1]:
                every[number].code = int(mark[2])
            else:
                number = int(mark[2])
        elif number >= 0:
            every[number].said += f"{line}\n"
    return every


def test_every_command_ends_as_the_page_says(walked: list[Command]) -> None:
    wrong = [
        f"{c.section}\n$ {c.text}\nexit {c.code}, not {c.expected}\n{c.said}"
        for c in walked
        if c.code != c.expected
    ]
    assert not wrong, "\n\n".join(wrong)
    assert not any("Traceback" in c.said for c in walked)


def said(walked: list[Command], beginning: str, nth: int = 0) -> str:
    """What the nth command that begins so said."""
    return " ".join([c.said for c in walked if c.text.startswith(beginning)][nth].split())


def test_the_page_has_awss_five_steps_the_article_and_the_way_back() -> None:
    headings = [line for line in PAGE.read_text().splitlines() if line.startswith("## ")]
    assert headings == list(STEPS)
    with_commands = {c.section for c in commands()}
    assert set(STEPS[:7]) <= with_commands


def test_the_trace_names_the_script_and_tells_the_hop_limit_from_old_software(
    walked: list[Command],
) -> None:
    assert "never asks for a token" not in said(walked, "imdsctl explain batch", 0)
    assert "never asks for a token" in said(walked, "imdsctl explain batch", 1)
    assert "its token request got no answer" in said(walked, "imdsctl explain docker", 1)


def test_everything_of_the_path_is_in_the_plan(walked: list[Command]) -> None:
    plan = said(walked, "imdsctl plan -f plan.json")
    for words in (
        "template web: version 1 → 2",
        "launch configuration mailer-2019 → template",
        "account defaults: tokens – → required, hop limit – → 2",
        "environment shop-prod: DisableIMDSv1 not set → true",
        "node group main/workers: template nodes 1 → 2",
        "hop limit to 2 first (docker)",
        "ImdsSupport – → v2.0",
        "traced-callers: batch",
    ):
        assert words in plan, words


def test_at_the_end_of_the_fourth_step_only_the_script_is_left(walked: list[Command]) -> None:
    assert "19 V2 only 1 allow IMDSv1" in said(walked, "imdsctl status", 1)


def test_the_hosts_say_it_themselves(walked: list[Command]) -> None:
    groups, stateful = (said(walked, "imdsctl verify --hosts all", nth) for nth in (0, 1))
    assert "v1 401 · v2 200 · credentials" in groups
    assert "kubelet" in groups
    assert "ECS agent" in groups
    assert "reaches a container" in stateful, "one hop away, at hop limit 2"


def test_what_breaks_is_found_with_its_cause(walked: list[Command]) -> None:
    assert "botocore 1.12.253" in said(walked, "imdsctl host audit")
    assert "V1-ONLY" in said(walked, "imdsctl rehearse -- curl")
    assert "HOP-LIMIT" in said(walked, "imdsctl rehearse --container", 0)
    assert "HOP-LIMIT" not in said(walked, "imdsctl rehearse --container", 1)


def test_automation_is_used_for_one_and_for_many(walked: list[Command]) -> None:
    one, many = (said(walked, f"imdsctl apply {name}.json") for name in ("one", "many"))
    assert "AWSSupport-ConfigureEC2Metadata on 1 instance in" in one
    assert "AWSSupport-ConfigureEC2Metadata on 2 instances" in many
