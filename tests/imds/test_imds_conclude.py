"""What the requests of a program mean, from trace lines as they are written."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imdsctl.imds.conclude import (
    FIXES,
    OTHERS,
    SEVERAL,
    WORST_FIRST,
    Book,
    ProgramConclusion,
    conclude,
)

ITEM = "/latest/meta-data/instance-id"
T_OK, T_LOST, T_403 = ("token", 200), ("token", None), ("token", 403)
V1, V1_401, V2 = ("v1", 200), ("v1", 401), ("v2", 200)
# However busy the machine is.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def line(number: int, what: tuple[str, int | None], **more: Any) -> dict[str, Any]:
    version, status = what
    return {
        "ts": f"2026-11-01T10:{number // 60:02}:{number % 60:02}.000000Z",
        "version": version,
        "method": "PUT" if version == "token" else "GET",
        "path": "/latest/api/token" if version == "token" else ITEM,
        "pid": 500,
        "comm": "agent",
        "exe": "/opt/agent/bin/agent",
        "cmdline": "/opt/agent/bin/agent --once",
        "ancestors": [{"pid": 1, "comm": "systemd", "exe": "/usr/lib/systemd/systemd"}],
        "container": None,
        "user_agent": "agent/1.0",
        "status": status,
        "dst": "169.254.169.254",
        **more,
    }


def only(*asked: tuple[str, int | None], **more: Any) -> ProgramConclusion:
    (found,) = conclude([line(number, what, **more) for number, what in enumerate(asked)])
    return found


@pytest.mark.parametrize(
    ("asked", "conclusion", "confidence"),
    [
        ([V1], "v1-only", "high"),
        ([V1_401, V1_401], "v1-only", "high"),
        ([T_OK, V2, V2], "v2", "high"),
        ([V2], "v2", "high"),
        ([T_OK], "v2", "medium"),
        ([T_LOST, V1, V1], "hop-limit", "high"),
        ([T_LOST], "hop-limit", "medium"),
        ([T_LOST, T_OK, V2], "v2", "high"),
        ([T_403, V1], "fallback", "high"),
        ([("token", 404), V1], "fallback", "high"),
        ([("token", 405), V1], "fallback", "high"),
        ([V1, T_OK, V2], "v1-first", "high"),
        ([V1_401, T_OK, V2], "v1-first", "high"),
        ([T_OK, V2, V1], "v1-first", "medium"),
        ([T_OK, V1, V2], "v1-first", "high"),
        ([T_403], "v2", "medium"),
    ],
)
def test_the_order_of_a_processs_requests_says_what_it_is(
    asked: list[tuple[str, int | None]], conclusion: str, confidence: str
) -> None:
    found = only(*asked)
    assert (found.conclusion, found.confidence) == (conclusion, confidence)
    assert found.fix == FIXES[conclusion]
    assert found.uses_v1 == any(version == "v1" for version, _ in asked)


def test_counts_and_times_are_those_of_the_lines() -> None:
    found = only(T_LOST, V1, V1, T_403, V1, user="app", unit="agent.service")
    assert (found.v1, found.v2, found.tokens, found.unanswered, found.refused) == (3, 0, 2, 1, 1)
    assert (found.first[11:19], found.last[11:19]) == ("10:00:00", "10:00:04")
    assert (found.program, found.user, found.unit) == (
        "/opt/agent/bin/agent",
        "app",
        "agent.service",
    )
    assert (found.pids, found.paths, found.user_agents) == ((500,), (ITEM,), ("agent/1.0",))


def test_an_unanswered_token_of_one_process_does_not_excuse_another() -> None:
    found = conclude(
        [
            line(0, T_LOST, pid=1, exe="/bin/new"),
            line(1, V1, pid=2, exe="/bin/old"),
            line(2, V1, pid=1, exe="/bin/new"),
        ]
    )
    assert {one.program: one.conclusion for one in found} == {
        "/bin/old": "v1-only",
        "/bin/new": "hop-limit",
    }
    assert found[0].program == "/bin/old"  # the worst comes first


def test_a_program_is_as_bad_as_its_worst_process_and_the_others_are_told() -> None:
    (found,) = conclude([line(0, V1, pid=1), line(1, T_OK, pid=2), line(2, V2, pid=2)])
    assert (found.conclusion, found.also) == ("v1-only", ("v2",))


def test_the_same_program_in_two_containers_is_two() -> None:
    found = conclude([line(0, V1, container="a" * 64), line(1, V2, container="b" * 64)])
    assert [(one.container or "", one.conclusion) for one in found] == [
        ("a" * 64, "v1-only"),
        ("b" * 64, "v2"),
    ]


def test_a_scripts_curls_are_one_caller_and_the_script_is_named() -> None:
    def curl(number: int, pid: int, what: tuple[str, int | None]) -> dict[str, Any]:
        above = [
            {"pid": pid - 1, "comm": "backup.sh", "exe": "/usr/bin/bash"},
            {"pid": 70, "comm": "backup.sh", "exe": "/usr/bin/bash"},
            {"pid": 60, "comm": "cron", "exe": "/usr/sbin/cron"},
        ]
        return line(number, what, pid=pid, comm="curl", exe="/usr/bin/curl", ancestors=above)

    (found,) = conclude([curl(0, 80, T_LOST), curl(1, 90, V1)])
    assert (found.program, found.conclusion) == ("curl (run by backup.sh)", "hop-limit")


@pytest.mark.parametrize(
    ("exe", "cmdline", "program"),
    [
        ("/usr/bin/python3.11", "python3 -u -W ignore /opt/app/main.py --x", "/opt/app/main.py"),
        ("/usr/bin/python3.11", "python3 -m app.worker", "-m app.worker"),
        ("/usr/bin/python3.11", "python3 -c 'import boto3'", "-c"),
        ("/usr/bin/java", "java -Xmx1g -cp /opt/lib/a.jar org.example.Main", "org.example.Main"),
        ("/usr/bin/java", "java -jar /opt/app.jar", "-jar /opt/app.jar"),
        ("/usr/bin/node", "node -r ./x.js index.js", "index.js"),
        ("/usr/bin/bash", "bash /opt/run.sh", "/opt/run.sh"),
        ("/usr/bin/python3.11", "python3 'unclosed", "'unclosed"),
    ],
)
def test_an_interpreter_is_named_with_what_it_runs(exe: str, cmdline: str, program: str) -> None:
    assert only(V1, exe=exe, cmdline=cmdline).program == f"{exe.rsplit('/', 1)[1]} {program}"


def test_a_program_file_that_was_replaced_still_has_its_name() -> None:
    assert only(V1, exe="/usr/bin/node (deleted)", cmdline="node a.js").program == "node a.js"


@pytest.mark.parametrize("unsure", ["process_before", "open_before"])
def test_what_lived_before_the_trace_began_is_less_sure(unsure: str) -> None:
    assert only(V1, **{unsure: True}).confidence == "medium"
    assert only(T_OK, V2, **{unsure: True}).confidence == "high"


def test_a_request_whose_header_was_cut_off_is_a_guess() -> None:
    assert only(V1, complete=False).confidence == "low"


def test_a_line_can_bring_the_unanswered_token_request_with_it() -> None:
    """So that a trace that was filtered to v1 still tells the hop limit from an old SDK."""
    assert only(V1, token_unanswered=True).conclusion == "hop-limit"


def test_lines_of_anything_else_are_passed_over() -> None:
    assert conclude([{"version": "other"}, {}, {"version": None, "pid": 3}]) == []


def test_a_line_that_tells_nothing_but_its_version_is_enough() -> None:
    (found,) = conclude([{"version": "v1"}])
    assert (found.program, found.exe, found.conclusion, found.first) == (
        "unknown",
        None,
        "v1-only",
        "",
    )


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([T_OK, T_LOST, T_403, V1, V1_401, V2]),
        st.integers(1, 3),
        st.sampled_from(["/bin/a", "/bin/b"]),
    ),
    max_size=30,
)


@unhurried
@given(REQUESTS, st.randoms(use_true_random=False))
def test_the_order_in_which_lines_are_written_does_not_matter(
    asked: list[tuple[tuple[str, int | None], int, str]], chance: random.Random
) -> None:
    lines = [line(n, what, pid=pid, exe=exe) for n, (what, pid, exe) in enumerate(asked)]
    mixed = chance.sample(lines, len(lines))
    expected = {(one.program, one.conclusion, one.confidence) for one in conclude(lines)}
    assert {(one.program, one.conclusion, one.confidence) for one in conclude(mixed)} == expected


@unhurried
@given(REQUESTS)
def test_no_v1_request_is_ever_called_v2(
    asked: list[tuple[tuple[str, int | None], int, str]],
) -> None:
    lines = [line(n, what, pid=pid, exe=exe) for n, (what, pid, exe) in enumerate(asked)]
    found = conclude(lines)
    assert sum(one.v1 + one.v2 + one.tokens for one in found) == len(lines)
    for one in found:
        assert one.conclusion in WORST_FIRST
        assert not (one.uses_v1 and one.conclusion == "v2")


def test_memory_stays_bounded_and_no_conclusion_is_forgotten() -> None:
    book = Book(most_callers=10)
    book.add(line(0, V1, pid=1))
    for pid in range(2, 200):
        book.add(line(pid, T_OK, pid=pid))
        book.add(line(pid, V2, pid=pid))
    (found,) = book.conclusions()
    assert (found.conclusion, found.also, found.v1, found.v2) == ("v1-only", ("v2",), 1, 198)
    assert len(book._callers) == 10


def test_containers_by_the_thousand_are_remembered_in_bounded_memory_and_all_counted() -> None:
    book = Book(most_callers=50, most_programs=20)
    for number in range(2000):
        for version in ("v1", "token", "v2") if number % 2 else ("v1",):
            book.add(
                {
                    "ts": f"2026-11-02T10:00:00.{number:06}Z",
                    "version": version,
                    "exe": "/app/server",
                    "container": f"{number:064x}",
                    "pid": number,
                    "status": 200,
                }
            )
    found = book.conclusions()
    assert len(found) <= 20
    assert len(book._callers) <= 50
    assert sum(one.v1 for one in found) == 2000
    assert sum(one.v2 for one in found) == sum(one.tokens for one in found) == 1000
    (together,) = (one for one in found if one.container == SEVERAL)
    assert (together.program, together.conclusion) == ("/app/server", "v1-only")
    assert "v1-first" in together.also
    assert together.first == "2026-11-02T10:00:00.000000Z"
    assert {one.container for one in found} >= {f"{1999:064x}", f"{1998:064x}"}


def test_programs_by_the_thousand_are_taken_together_at_last() -> None:
    book = Book(most_programs=20)
    for number in range(2000):
        book.add({"version": "v1", "exe": f"/tmp/{number}/x", "pid": number})
    found = book.conclusions()
    assert len(found) <= 20
    assert sum(one.v1 for one in found) == 2000
    assert {one.program for one in found} >= {OTHERS, "/tmp/1999/x"}
