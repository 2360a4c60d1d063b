"""What a person sees on a terminal of 80 columns, and what a script reads from a pipe."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from cli.conftest import ANSI, Imdsctl, process
from imdsctl.cli.app import COMMANDS, GROUPS, SUBCOMMANDS
from imdsctl.model.diagnostics import Exit

WIDTH = 80


def on_terminal(*words: str, folder: Path, answer: str = "", color: bool = True) -> tuple[int, str]:
    """Run one command on a terminal of 80 columns; type `answer` when it asks.

    Words that begin with `-c` are a script instead.
    """
    command = words if words[0] == "-c" else ("-m", "imdsctl", *words)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("COLUMNS", None)
        if not color:
            environment["NO_COLOR"] = "1"
        os.execve(sys.executable, [sys.executable, *command], environment)
    printed = b""
    typed = not answer
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        printed += chunk
        if not typed and printed.rstrip().endswith(b":"):
            os.write(terminal, answer.encode() + b"\n")
            typed = True
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), printed.decode().replace("\r\n", "\n")


def lines(printed: str) -> list[str]:
    """What stands on the screen in the end: colours and overwritten progress left out."""
    return [line.rsplit("\r", 1)[-1] for line in ANSI.sub("", printed).split("\n")]


@pytest.mark.usefixtures("planned")
def test_everything_fits_into_80_columns(tmp_path: Path) -> None:
    commands = [
        ["scan", "--regions", "eu-west-1"],
        ["status"],
        ["explain", "caller"],
        ["explain", "web"],
        ["check", "--benchmark", "all"],
        ["check", "--list-benchmarks"],
        ["plan", "--held"],
        ["show", "plan.json", "-v"],
        ["apply", "plan.json", "--dry-run"],
        ["explain", "nobody-knows-this-name-and-it-is-rather-a-long-one-is-it-not"],
        ["report"],
    ]
    # One process for all of them: most of a command's time is its start.
    script = (
        "import json, sys; from imdsctl.cli import main\n"
        "print([main(command) for command in json.loads(sys.argv[1])])"
    )
    _, printed = on_terminal("-c", script, json.dumps(commands), folder=tmp_path)
    assert "[0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2]" in printed
    too_long = [line for line in lines(printed) if len(line) > WIDTH]
    assert not too_long
    assert "Traceback" not in printed


@pytest.mark.usefixtures("scanned")
def test_colour_is_for_terminals_that_want_it(tmp_path: Path) -> None:
    _, colourful = on_terminal("status", folder=tmp_path)
    assert ANSI.search(colourful)
    _, plain = on_terminal("status", folder=tmp_path, color=False)
    _, asked = on_terminal("status", "--no-color", folder=tmp_path)
    for printed in (plain, asked):
        assert "\x1b[3" not in printed, "no colour"
        assert lines(printed) == lines(colourful)
    with process("status", cwd=tmp_path) as piped:
        out, err = piped.communicate(timeout=30)
    assert "\x1b" not in out + err


@pytest.mark.usefixtures("aws")
def test_a_scan_shows_its_progress_on_a_terminal_only(tmp_path: Path) -> None:
    _, printed = on_terminal("scan", "--regions", "eu-west-1", folder=tmp_path)
    assert "Reading 1 account × 1 region" in printed
    _, printed = on_terminal("scan", "--regions", "eu-west-1", "-q", folder=tmp_path)
    assert "Reading" not in printed
    with process("scan", "--regions", "eu-west-1", cwd=tmp_path) as piped:
        out, err = piped.communicate(timeout=30)
    assert "Reading" not in out + err


@pytest.mark.usefixtures("planned")
def test_apply_asks_for_the_first_four_letters(imdsctl: Imdsctl, tmp_path: Path) -> None:
    digest = imdsctl("show", "plan.json", "-o", "json").json()["digest"]
    code, printed = on_terminal("apply", "plan.json", folder=tmp_path, answer="nope")
    assert code == 5
    assert f"Type the first four letters of the plan ({digest[:4]})" in printed
    assert "nothing was done" in printed
    assert imdsctl("runs", "-o", "json").json()["runs"] == []
    code, printed = on_terminal("apply", "plan.json", folder=tmp_path, answer=digest[:4])
    assert code == 0
    assert "finished: " in ANSI.sub("", printed)

    code, printed = on_terminal("rollback", folder=tmp_path, answer="no")
    assert code == 5
    assert "IMDSv1 included" in printed
    code, _ = on_terminal("rollback", folder=tmp_path, answer="yes")
    assert code == 0


@pytest.mark.usefixtures("planned")
def test_data_goes_to_stdout_and_the_rest_to_stderr(imdsctl: Imdsctl) -> None:
    said = imdsctl("status")
    assert "allow IMDSv1" in said.out
    assert "next: " not in said.out
    assert "next: imdsctl plan -f plan.json" in said.err
    said = imdsctl("apply", "plan.json", "--dry-run", "-o", "json")
    assert said.json()["dry_run"] is True
    assert "soak" in said.err


@pytest.mark.usefixtures("planned")
def test_quiet_prints_only_what_was_asked_for(imdsctl: Imdsctl) -> None:
    for command in (
        ["scan", "--regions", "eu-west-1"],
        ["status"],
        ["plan"],
        ["apply", "plan.json", "--yes"],
        ["verify"],
        ["runs"],
        ["rollback", "--yes"],
    ):
        said = imdsctl(*command, "-q")
        assert said.code == 0, said.err
        assert said.err == "", command
        assert said.out


@pytest.mark.usefixtures("planned")
def test_verbose_prints_more(imdsctl: Imdsctl) -> None:
    short, long = imdsctl("show", "plan.json"), imdsctl("show", "-v", "plan.json")
    assert long.out.startswith(short.out)
    assert '"http_tokens": "required"' in long.out.removeprefix(short.out)


@pytest.mark.usefixtures("aws")
def test_options_come_from_the_environment_too(
    imdsctl: Imdsctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text("[scan]\ndays = 3\n")
    monkeypatch.setenv("IMDSCTL_DB", "mine.db")
    monkeypatch.setenv("IMDSCTL_CONFIG", "mine.toml")
    monkeypatch.setenv("IMDSCTL_REGIONS", "eu-west-1")
    monkeypatch.setenv("IMDSCTL_OUTPUT", "json")
    monkeypatch.setenv("IMDSCTL_QUIET", "1")
    found = imdsctl("scan").json()
    assert (found["days"], found["regions"]) == (3, ["eu-west-1"])
    assert (tmp_path / "mine.db").exists()
    assert not (tmp_path / "imdsctl.db").exists()
    assert imdsctl("scan", "--days", "5").json()["days"] == 5
    assert "as of the scan" in imdsctl("status", "-o", "table").out
    # A plan, a run or a resource is named on the command line, never by accident elsewhere.
    monkeypatch.setenv("IMDSCTL_RESOURCE", "quiet-1")
    assert imdsctl("explain").code == 2


@pytest.mark.usefixtures("planned")
def test_a_closed_pipe_ends_nothing_and_complains_about_nothing(
    imdsctl: Imdsctl, tmp_path: Path
) -> None:
    for words, code in (
        (["status"], 0),
        (["check", "--benchmark", "all"], 1),
        (["report", "-o", "json"], 0),
        (["apply", "plan.json", "--yes"], 0),
        (["--help"], 0),
    ):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            with process(*words, cwd=tmp_path, stdout=writer) as run:
                _, err = run.communicate(timeout=60)
        finally:
            os.close(writer)
        assert run.returncode == code, (words, err)
        assert "Broken pipe" not in err, words
        assert "Traceback" not in err, words
    # Nobody listens to what a run says of its progress: it goes on all the same.
    assert imdsctl("rollback", "--yes").code == 0
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with process(
            "apply", "plan.json", "--yes", cwd=tmp_path, stderr=writer, stdout=writer
        ) as run:
            run.wait(timeout=60)
    finally:
        os.close(writer)
    assert run.returncode == 0
    newest = imdsctl("runs", "-o", "json").json()["runs"][0]
    assert newest["state"] == "finished"


LEAVES = {
    **{name: text for name, text in COMMANDS.items() if name not in SUBCOMMANDS},
    **{f"{name} {sub}": text for name, subs in SUBCOMMANDS.items() for sub, text in subs.items()},
}


@pytest.mark.parametrize("command", ["", *LEAVES])
def test_every_command_has_a_help_that_fits(command: str) -> None:
    environment = {**os.environ, "COLUMNS": str(WIDTH)}
    with process(*command.split(), "--help", env=environment) as run:
        out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    assert err == ""
    assert f"Usage: imdsctl {command}".rstrip() in out
    assert all(len(line) <= WIDTH for line in out.splitlines())
    if command:
        assert LEAVES[command].split(";")[0].split(":")[0] in out
        for option in ("--db", "--config", "--quiet", "-q", "--verbose", "-v", "--no-color"):
            assert option in out, option
    else:
        assert all(f" {name} " in out for name in COMMANDS)
        assert all(group in out for group in GROUPS)
        codes = " ".join(out.partition("Exit codes: ")[2].split())
        assert all(f"{int(code)} " in codes for code in Exit)


def test_every_command_stands_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


def test_the_first_help_imports_no_command() -> None:
    script = (
        "import sys\n"
        "from imdsctl.cli import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'botocore', 'boto3', 'sqlalchemy', 'moto', 'lxml', 'jinja2', 'vl_convert'}\n"
        "commands = {f'imdsctl.cli.{name}' for name in sys.argv[1:]}\n"
        "print(*((heavy | commands) & set(sys.modules)), file=sys.stderr, end='')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *COMMANDS],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "Usage: imdsctl" in run.stdout
    assert run.stderr == ""
