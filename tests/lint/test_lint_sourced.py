"""What a file knows from those beside it."""

import os
from pathlib import Path

import pytest

from imdsctl.lint import context
from imdsctl.lint.context import context_of
from imdsctl.lint.rulebook import every_reader
from imdsctl.lint.run import Selection, jobs_of, run
from imdsctl.lint.source import Source

FETCHES = """
get_token() {
  curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
    http://169.254.169.254/latest/api/token
}
TOKEN=$(get_token)
"""


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the shell reader: every function of a script is a name that it gives."""

    def names(source: Source) -> dict[str, str]:
        lines = source.text.splitlines()
        return {line.partition("()")[0]: "token" for line in lines if "()" in line}

    monkeypatch.setattr(context, "names_given", lambda _: (names,))


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    "line",
    [
        ". ./lib.sh",
        "source lib.sh",
        '  . "lib.sh" || exit 1',
        "if true; then . 'lib.sh'; fi",
        '. "$(dirname "$0")/lib.sh"',
        'source "${SCRIPT_DIR}/lib.sh"',
        '. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"',
        "source ../here/lib.sh",
    ],
)
def test_a_script_knows_what_it_sources(line: str) -> None:
    files = {"here/lib.sh": FETCHES}
    names = context_of("here/run.sh", "shell", f"#!/bin/sh\n{line}\n", files.get)
    assert names == {"get_token": "token"}


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    "line",
    ['. "$1"', "# . ./lib.sh", "echo . lib.sh", ". ./other.sh", "cat <<E\n. ./lib.sh\nE"],
)
def test_what_it_does_not_source_it_does_not_know(line: str) -> None:
    assert context_of("run.sh", "shell", line, {"lib.sh": FETCHES}.get) == {}


@pytest.mark.usefixtures("named")
def test_through_another_file_and_in_a_circle() -> None:
    files = {
        "a.sh": ". ./b.sh\nfirst() { :; }\n",
        "b.sh": ". ./a.sh\n. ./lib.sh\n",
        "lib.sh": FETCHES,
    }
    names = context_of("run.sh", "shell", ". ./a.sh\n", files.get)
    assert set(names) == {"get_token", "first"}


@pytest.mark.skipif("shell" not in every_reader(), reason="there is no reader of shell")
def test_a_call_to_an_address_from_a_sourced_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "lib.sh").write_text(f"IMDS=http://169.254.169.254/latest\n{FETCHES}")
    script = tmp_path / "run.sh"
    for head, header, found in (
        ("", "", False),
        (". ./lib.sh", "", True),
        (". ./lib.sh", '-H "X-aws-ec2-metadata-token: $(get_token)"', False),
    ):
        call = f'curl -sf {header} "$IMDS/meta-data/hostname"'
        script.write_text(f"#!/bin/sh\nset -e\n{head}\n{call}\n")
        report = run(jobs_of([str(script)]), Selection(confidence="high"), processes=1)
        assert bool(report.findings) == found, script.read_text()


def test_a_pipe_beside_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "requirements.txt")
    (tmp_path / "dev-requirements.txt").write_text("-r requirements.txt\nboto3==1.9.0\n")
    report = run(jobs_of([str(tmp_path / "dev-requirements.txt")]), Selection(), processes=1)
    assert len(report.findings) == 1
