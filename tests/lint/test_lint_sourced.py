"""What a file knows from those beside it."""

from pathlib import Path

import pytest

from imdsctl.lint.context import context_of, token_names

FETCHES = """
get_token() {
  curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token
}
TOKEN=$(get_token)
HEADERS=(-H "X-aws-ec2-metadata-token: $TOKEN")
region() { curl -s http://169.254.169.254/latest/meta-data/placement/region; }
OTHER=$(date)
"""


def test_names_that_hold_or_fetch_a_token() -> None:
    assert token_names(FETCHES, {}) == {"get_token": "token", "TOKEN": "token", "HEADERS": "token"}


@pytest.mark.parametrize(
    "line",
    [
        ". ./lib.sh",
        "source lib.sh",
        '  . "lib.sh" || exit 1',
        '. "$(dirname "$0")/lib.sh"',
        'source "${SCRIPT_DIR}/lib.sh"',
        '. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"',
        "source ../here/lib.sh",
    ],
)
def test_a_script_knows_what_it_sources(line: str) -> None:
    files = {"here/lib.sh": FETCHES}
    names = context_of("here/run.sh", "shell", f"#!/bin/sh\n{line}\n", files.get)
    assert set(names) == {"get_token", "TOKEN", "HEADERS"}


@pytest.mark.parametrize("line", ['. "$1"', "# . ./lib.sh", "echo . lib.sh", ". ./other.sh"])
def test_what_it_does_not_source_it_does_not_know(line: str) -> None:
    assert context_of("run.sh", "shell", line, {"lib.sh": FETCHES}.get) == {}


def test_through_another_file_and_in_a_circle() -> None:
    files = {
        "a.sh": ". ./b.sh\nA=$(get_token)\n",
        "b.sh": ". ./a.sh\n. ./lib.sh\n",
        "lib.sh": FETCHES,
    }
    names = context_of("run.sh", "shell", ". ./a.sh\n", files.get)
    assert set(names) == {"get_token", "TOKEN", "HEADERS", "A"}


def test_a_pipe_beside_is_not_waited_for(tmp_path: Path) -> None:
    import os  # noqa: PLC0415

    from imdsctl.lint.run import _neighbour  # noqa: PLC0415

    os.mkfifo(tmp_path / "lib.sh")
    assert _neighbour(str(tmp_path / "lib.sh")) is None
