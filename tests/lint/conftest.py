"""What the tests of lint share."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from commanded import Lint

from imdsctl.lint import engine
from imdsctl.lint.facts import Fact, Request
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source

_CALL = "http://169.254.169.254/"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


@pytest.fixture
def finds_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of user data and a rule that say no more than where a call stands.

    What the real ones say of such a call is their own tests' matter.
    """

    def read(source: Source) -> Iterator[Fact]:
        at = source.text.find(_CALL)
        if at >= 0:
            yield Request(place=source.place(at, at + len(_CALL)), client="curl")

    def check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
        for fact in facts:
            if isinstance(fact, Request):
                yield Said(place=fact.place, message="a call", fix="send a token")

    rule = Rule(
        title="A call",
        why="It is one.",
        severity="error",
        check=check,
        bad=(Example(name="x.sh", text=_CALL, lines=(1,)),),
    )
    readers = {**every_reader(), "user-data": (read,)}
    monkeypatch.setattr(engine, "every_reader", lambda: readers)
    monkeypatch.setattr(engine, "every_rule", lambda: {**every_rule(), "tokenless-call": rule})
