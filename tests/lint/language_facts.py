"""What the tests of the languages' readers share."""

from dataclasses import fields
from typing import Any

from imdsctl.lint.facts import Request, Setting
from imdsctl.lint.rulebook import every_reader
from imdsctl.lint.source import Source

TOKEN = "X-aws-ec2-metadata-token"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
BASE = "http://169.254.169.254/latest"


def read(kind: str, text: str) -> list[Any]:
    """Facts and embedded texts of a program; $TOKEN, $TTL and $BASE in it are filled in."""
    filled = text.replace("$BASE", BASE).replace("$TOKEN", TOKEN).replace("$TTL", TTL)
    source = Source("a program", kind, filled)
    return [fact for reader in every_reader()[kind] for fact in reader(source)]


def requests(kind: str, text: str) -> list[Request]:
    return [fact for fact in read(kind, text) if isinstance(fact, Request)]


def one(kind: str, text: str) -> Request:
    """The only request of a program."""
    found = requests(kind, text)
    assert len(found) == 1, found
    return found[0]


def settings(kind: str, text: str) -> list[tuple[int, str, str]]:
    found = [fact for fact in read(kind, text) if isinstance(fact, Setting)]
    return [(fact.place.line, fact.name, fact.value) for fact in found]


def embedded(kind: str, text: str) -> list[tuple[str, str, tuple[int, ...] | None]]:
    found = [fact for fact in read(kind, text) if isinstance(fact, Source)]
    return [(fact.kind, fact.text, fact.lines) for fact in found]


def shown(request: Request, names: str) -> str:
    """Some of a request's members, as a table of a test writes them."""
    known = {field.name for field in fields(Request)}
    assert set(names.split()) <= known
    return " ".join(str(getattr(request, name)) or "-" for name in names.split())
