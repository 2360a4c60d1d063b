"""A parser that ends its process costs the text it had, and nothing else."""

import os
import signal
from pathlib import Path

import pytest
from commanded import Lint

from imdsctl.lint.engine import look
from imdsctl.lint.shelter import CRASHED, sheltered
from imdsctl.lint.source import Source

TOKENLESS = "curl http://169.254.169.254/latest/meta-data/instance-id\n"
# tree-sitter-ruby 0.23.1 writes this heredoc's name one byte past its buffer.
CRASHES = "require 'net/http'\nHOST = 'http://169.254.169.254/latest/meta-data/'\nf(<<" + "B" * 1019
END = [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL]


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


def squared(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), END[number % len(END)])
    return number * number


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize(
    "numbers",
    [[], [2], [-1], [1, -1, 3], [-1, -2, -3, 4, 5, 6], [1, 2, 3, 4, 5, -1], [*range(30), -2, 7]],
)
def test_each_item_has_its_answer_or_none(numbers: list[int], processes: int) -> None:
    answers = list(sheltered(squared, numbers, processes))

    assert answers == [None if n < 0 else n * n for n in numbers]


def refused(number: int) -> int:
    raise ValueError(number)


def test_a_function_s_own_error_is_raised() -> None:
    with pytest.raises(ValueError, match="7"):
        list(sheltered(refused, [7]))


def test_the_files_beside_one_that_crashes_its_parser_are_read(lint: Lint) -> None:
    for number in range(90):
        lint.write(f"{number:02}.sh", TOKENLESS)
    lint.write("45.rb", CRASHES)

    said = lint(".", "--jobs", "2", "-o", "json")

    assert said.code == 1
    assert len(said.json["findings"]) == 90
    assert said.json["not_read"] == [{"path": "45.rb", "line": None, "why": CRASHED}]


def test_one_file_that_crashes_its_parser_is_an_incomplete_answer(lint: Lint) -> None:
    lint.write("one.rb", CRASHES)

    said = lint("one.rb")

    assert said.code == 3
    assert CRASHED in said.out


def test_standard_input_that_crashes_its_parser_is_said(lint: Lint) -> None:
    said = lint("-", "--as", "one.rb", stdin=CRASHES)

    assert said.code == 3
    assert CRASHED in said.out


def test_fixes_of_other_files_are_made(lint: Lint) -> None:
    lint.write("one.rb", CRASHES)
    script = lint.write("one.sh", TOKENLESS)

    said = lint(".", "--fix", "--yes")

    assert "X-aws-ec2-metadata-token" in script.read_text()
    assert said.code == 3
    assert CRASHED in said.out


def found_in(text: str) -> list[tuple[int, str]]:
    return [(one.place.line, one.rule) for one in look(Source("a.sh", "shell", text))]


@pytest.mark.parametrize("character", ["é", "\u2014", "\uffff", "\U0001f600", "\U0010ffff"])
def test_no_character_behind_a_brace_crashes_the_parser_of_shell(character: str) -> None:
    text = f"echo {{{character}x}} {{1{character}..{character}9}} a.{character}\n{TOKENLESS}"

    (found,) = sheltered(found_in, [text])

    assert found == [(2, "tokenless-call")]
