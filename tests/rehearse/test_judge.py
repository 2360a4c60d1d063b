"""Verdicts on requests, written as a person would: who asked what, and what came back."""

import pytest

from imdsctl.rehearse.judge import judge
from imdsctl.rehearse.seen import Seen


def story(text: str) -> list[Seen]:
    """`7:T` asks for a token, `7:T!` is never answered, `7:T403` refused, `7:1/a` v1, `7:2/a` v2.

    The number is the process; `7^3` has the parent 3 (and is curl, as its siblings are).
    """
    requests = []
    for at, word in enumerate(text.split()):
        who, _, what = word.partition(":")
        pid, _, parent = who.partition("^")
        kind, rest = what[0], what[1:]
        path, _, status = rest.partition("=")
        version = {"T": "token", "1": "v1", "2": "v2"}[kind]
        if kind == "T":
            path, status = "/latest/api/token", path.strip("!") or "200"
        requests.append(
            Seen(
                at=float(at),
                version=version,  # type: ignore[arg-type] # one of the three
                method="PUT" if kind == "T" else "GET",
                path=path,
                status=int(status or (401 if kind == "1" else 200)),
                arrived=None if kind != "T" else not rest.endswith("!"),
                pid=int(pid) if pid != "?" else None,
                ppid=int(parent) if parent else 1,
                comm="curl" if parent else f"app{pid}",
                exe="/usr/bin/curl" if parent else f"/opt/app{pid}",
                parent="sh" if parent else "init",
            )
        )
    return requests


@pytest.mark.parametrize(
    ("text", "verdict", "breaks"),
    [
        ("", "nothing-called", False),
        ("7:T 7:2/a 7:2/b", "ready", False),
        ("7:T 7:2/a=404", "ready", False),
        ("7:1/a", "v1-only", True),
        ("7:1/a=200", "v1-only", True),
        ("7:T 7:2/a 7:1/b", "v1-only", True),
        ("7:1/a 7:T", "v1-first", True),
        ("7:1/a 7:T 7:2/a", "v1-first", False),
        ("7:1/a 7:1/b 7:T 7:2/a", "v1-first", True),
        ("7:1/a=200 7:T 7:2/b", "v1-first", True),
        ("7:T!", "hop-limit", True),
        ("7:T! 7:1/a", "hop-limit", True),
        ("7:T! 7:1/a=200", "hop-limit", True),
        ("7:T! 7:T! 7:1/a 7:1/b", "hop-limit", True),
        ("7:T403 7:1/a", "fallback", True),
        ("7:T403", "token-refused", True),
        ("7:T503 7:T 7:2/a", "ready", False),
        ("7:T 7:2/a=401", "token-refused", True),
        ("7:T 7:2/a=401 7:T 7:2/a", "ready", False),
        # Each process for itself; the worst counts.
        ("7:T 7:2/a 8:1/a", "v1-only", True),
        ("7:T! 7:1/a 8:1/a", "v1-only", True),
        ("7:T! 8:T 8:2/a", "hop-limit", True),
        ("7:1/a 8:T 8:2/a", "v1-only", True),
        # The same program run again by one parent is one caller; another parent's is not.
        ("7^3:T 8^3:2/a", "ready", False),
        ("7^3:T! 8^3:1/a", "hop-limit", True),
        ("7^3:1/a 8^3:T 9^3:2/a", "v1-first", False),
        ("7^3:T! 8^4:1/a", "v1-only", True),
        # What was gone before it could be looked up is judged, too.
        ("?:1/a", "v1-only", True),
        ("?:T ?:2/a", "ready", False),
    ],
)
def test_the_order_of_requests_decides(text: str, verdict: str, *, breaks: bool) -> None:
    found = judge(story(text))
    assert (found.verdict, found.breaks) == (verdict, breaks)


def test_the_worst_caller_comes_first() -> None:
    found = judge(story("6:T 6:2/a 7:T! 8:1/a"))
    assert [one.name for one in found.callers] == ["app8", "app7", "app6"]


def test_what_would_be_missed_is_named() -> None:
    assert "(/b)" in judge(story("7:1/a 7:1/b 7:T 7:2/a")).callers[0].why
