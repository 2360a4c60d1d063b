"""A trace without a kernel: which method is taken, what a summary may say, what the log holds."""

import errno
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imdsctl.host.trace import kernel, run
from imdsctl.host.trace.command import PlainWatcher
from imdsctl.host.trace.events import CannotTraceError, Event, Lost, Received, Sent, Who
from imdsctl.host.trace.lines import Clock
from imdsctl.host.trace.logfile import LogFile
from imdsctl.host.trace.processes import CgroupTree, Processes, kernel_exe
from imdsctl.host.trace.run import Trace, Watcher
from imdsctl.host.trace.settings import Settings
from imdsctl.host.trace.summary import Summary
from imdsctl.host.trace.text import row, summary_lines
from imdsctl.imds.conclude import conclude
from imdsctl.simulator.hosttrace import trace_lines
from imdsctl.simulator.life import Caller, Life, Options

V1 = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n"
V2 = b"GET /latest/meta-data/ HTTP/1.1\r\nX-aws-ec2-metadata-token: t\r\n\r\n"


NOTHING_LOST = Lost()


class FakeSource:
    """A method that has seen what it is given."""

    tree: Path | None = None

    def __init__(
        self, *requests: bytes, lost: Lost = NOTHING_LOST, partial: bool = False, why: str = ""
    ) -> None:
        self.name = "fake"
        self.partial = partial
        self._lost = lost
        self._why = why
        self._events: list[Event] = []
        for key, data in enumerate(requests):
            who = Who(pid=os.getpid(), comm="test")
            at = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            self._events.append(Sent(at, key, who, 1, len(data), data, socket.AF_INET))
            self._events.append(Received(at, key, 1, b"HTTP/1.1 200"))

    def start(self) -> None:
        if self._why:
            raise CannotTraceError(self._why)

    def events(self, seconds: float) -> Iterator[Event]:
        found, self._events = self._events, []
        yield from found

    @property
    def behind(self) -> bool:
        return bool(self._events)

    def sees(self) -> str:
        return "all"

    def limits(self) -> list[str]:
        return []

    def lost(self) -> Lost:
        return self._lost

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


class Hearing(Watcher):
    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def line(self, line: Mapping[str, Any]) -> None:
        self.lines.append(line)


def traced(source: FakeSource, **settings: Any) -> tuple[Trace, Summary, Hearing]:
    stop, watcher = threading.Event(), Hearing()
    stop.set()
    trace = Trace(Settings(**settings), watcher, sources={"fake": lambda: source}, stop=stop)
    return trace, trace.run(), watcher


def words(summary: Summary) -> str:
    return "\n".join(said.mark + said.text for said in summary_lines(summary))


@pytest.mark.parametrize(
    ("source", "code", "proves", "said"),
    [
        (FakeSource(V2), 0, True, "no v1 call in this time (1 request)"),
        (FakeSource(), 0, True, "no v1 call in this time (no request at all)"),
        (FakeSource(V1, V2), 1, False, "1 program called IMDSv1: 1 of 2 requests"),
        (
            FakeSource(V2, lost=Lost(sent=3)),
            3,
            False,
            "is not known: 3 requests and 0 other events were lost (1 request traced)",
        ),
        (
            FakeSource(V2, lost=Lost(closed=1)),
            3,
            False,
            "is not known: 0 requests and 1 other event were lost",
        ),
        (FakeSource(V1, lost=Lost(sent=1)), 1, False, "1 program called IMDSv1"),
        (FakeSource(V2, partial=True), 3, False, "not the whole host was looked at"),
    ],
)
def test_a_summary_says_no_more_than_was_seen(
    source: FakeSource, code: int, *, proves: bool, said: str
) -> None:
    _, summary, _ = traced(source)
    assert (summary.code, summary.proves_silence) == (code, proves)
    assert said in words(summary)
    assert ("no v1 call" in words(summary)) == proves


def test_the_first_method_that_works_is_taken_and_why_not_the_others() -> None:
    works = FakeSource(V1)
    stop = threading.Event()
    stop.set()
    sources = {"one": lambda: FakeSource(why="not today"), "two": lambda: works}
    trace = Trace(Settings(), Watcher(), sources=sources, stop=stop)
    assert trace.run().v1 == 1
    assert trace.refused == {"one": "not today"}


def test_where_none_works_each_reason_is_given() -> None:
    sources = {name: lambda name=name: FakeSource(why=f"no {name}") for name in ("a", "b")}
    with pytest.raises(CannotTraceError, match="a: no a; b: no b"):
        Trace(Settings(), Watcher(), sources=sources).run()


@pytest.mark.parametrize(("grace", "since"), [(1e12, True), (0.0, False)])
def test_a_trace_is_since_the_boot_only_if_it_began_there(
    grace: float, *, since: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BOOT_GRACE", grace)
    _, summary, _ = traced(FakeSource(), since_boot=True)
    assert summary.since_boot is since
    assert not traced(FakeSource())[1].since_boot


def test_a_disk_that_is_full_does_not_end_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, turns = os.write, itertools.count()

    def sometimes(descriptor: int, data: bytes) -> int:
        turn = next(turns)
        if turn == 1:
            return write(descriptor, data[:10])
        if turn == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", sometimes)
    log = tmp_path / "log"
    _, summary, watcher = traced(FakeSource(V1, V2), file=log)
    assert len(watcher.lines) == 2
    assert summary.unwritten == 1
    assert "1 line could not be written" in words(summary)
    # Half a line would make the reader refuse all of the file.
    whole = log.read_text().splitlines()
    assert [json.loads(line).get("record") for line in whole] == ["start", None, "summary"]


def test_a_log_goes_on_where_it_could_not_be_opened_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogFile(folder / "log", lambda: "first", rotate_size=1, keep=1)
    log.write("old")
    folder.rename(tmp_path / "away")
    with pytest.raises(OSError, match="No such file"):
        log.write("lost")
    (tmp_path / "away").rename(folder)
    log.write("kept")
    log.close()
    assert (folder / "log").read_text().splitlines()[-1] == "kept"


def test_a_log_that_somebody_moved_away_or_emptied_goes_on_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(path, lambda: "first", rotate_size=1000)
    log.write("one")
    path.rename(tmp_path / "moved")
    log.turn()
    log.write("two")
    path.unlink()
    log.write("three")
    assert (tmp_path / "moved").read_text() == "first\none\n"
    assert path.read_text() == "first\nthree\n"
    log.write("x" * 990)
    os.truncate(path, 0)
    log.write("four")
    log.close()
    assert path.read_text() == "four\n"
    assert not (tmp_path / "log.1").exists()


def test_a_file_always_begins_with_its_first_line_also_on_a_disk_that_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(tmp_path / "log", lambda: "first", rotate_size=1)
    log.write("one")
    full, write = [True], os.write

    def sometimes(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", sometimes)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            log.write("lost")
    full[0] = False
    log.write("two")
    log.close()
    assert (tmp_path / "log").read_text() == "first\ntwo\n"
    assert (tmp_path / "log.1").read_text() == "first\none\n"


def test_a_size_below_that_of_the_first_line_does_not_turn_empty_logs(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", lambda: "first", rotate_size=1, keep=2)
    log.write("one")
    for _ in range(10):
        log.turn()
    log.close()
    assert (tmp_path / "log.1").read_text() == "first\none\n"
    assert not (tmp_path / "log.2").exists()


def test_a_log_that_was_cut_off_is_kept_and_not_written_on(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('first\n{"version": "v')
    log = LogFile(tmp_path / "log", lambda: "first")
    log.write("one")
    log.close()
    assert (tmp_path / "log").read_text() == "first\none\n"
    assert (tmp_path / "log.1").read_text() == 'first\n{"version": "v'


@pytest.mark.parametrize("clock", ["set", "slept"])
def test_times_follow_a_clock_that_is_set_and_a_suspend_also_that_of_the_beginning(
    clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = 3_600_000_000_000
    today, boot = time.time_ns, time.clock_gettime_ns
    at, began = boot(time.CLOCK_MONOTONIC), boot(time.CLOCK_BOOTTIME)
    one = Clock()
    before = one.stamp(at), one.stamp_of_boot(began)
    one.adjust()
    assert (one.stamp(at), one.stamp_of_boot(began)) == before
    monkeypatch.setattr(time, "time_ns", lambda: today() + hour)
    if clock == "slept":
        monkeypatch.setattr(
            time,
            "clock_gettime_ns",
            lambda which: boot(which) + hour * (which == time.CLOCK_BOOTTIME),
        )
    one.adjust()
    line, beginning = (
        datetime.fromisoformat(after) - datetime.fromisoformat(earlier)
        for after, earlier in zip((one.stamp(at), one.stamp_of_boot(began)), before, strict=True)
    )
    assert abs(line - timedelta(hours=1)) < timedelta(seconds=1)
    moved = timedelta(hours=1) if clock == "set" else timedelta()
    assert abs(beginning - moved) < timedelta(seconds=1)


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        LogFile(tmp_path / "log", lambda: "first")


def test_a_trace_that_nobody_reads_and_that_has_no_log_ends() -> None:
    class Gone(Watcher):
        gone = True

    began = time.monotonic()
    Trace(Settings(seconds=60), Gone(), sources={"fake": FakeSource}).run()
    assert time.monotonic() - began < 10


def test_lines_of_the_simulated_aws_have_the_same_members_and_meaning() -> None:
    _, _, watcher = traced(FakeSource(V1))
    (real,) = watcher.lines
    now = datetime(2026, 11, 2, tzinfo=UTC)
    began = now - timedelta(days=3)
    life = Life(
        instance_id="i-0123456789abcdef0",
        account="111122223333",
        region="eu-west-1",
        name="report",
        asg=None,
        launched_at=began,
        callers=(Caller(program="report", behaviour="v1-only", sdk="boto/2.49.0"),),
        options=[(began, Options())],
        runs=[(began, None)],
        boots=[began],
    )
    lines = list(trace_lines(life, now - timedelta(hours=3), now))
    assert lines
    assert set(lines[0]) <= set(real)
    assert {one.conclusion for one in conclude(lines)} == {"v1-only"}


def test_the_names_of_a_file_make_its_path() -> None:
    assert kernel_exe(b"curl\0bin\0usr\0", whole=True) == "/usr/bin/curl"
    assert kernel_exe(b"curl\0deep\0", whole=False) == "…/deep/curl"
    assert kernel_exe(b"", whole=True) == ""


def test_a_cgroup_is_found_by_its_number_also_if_it_is_new(tmp_path: Path) -> None:
    tree = CgroupTree(tmp_path)
    assert tree.path(tmp_path.stat().st_ino) == "/"
    new = tmp_path / "system.slice/a.service"
    new.mkdir(parents=True)
    assert tree.path(new.stat().st_ino) == "/system.slice/a.service"
    assert tree.path(1 << 60) is None


def process(proc: Path, pid: int, ticks: int, comm: str, *arguments: str) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    fields = ["S", "1", *["0"] * 17, str(ticks), *["0"] * 20]
    (folder / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}")
    (folder / "comm").write_text(comm + "\n")
    (folder / "cmdline").write_bytes(b"".join(one.encode() + b"\0" for one in arguments))
    (folder / "cgroup").write_text("0::/system.slice/a.service\n")


def test_a_process_id_that_is_anothers_by_now_is_not_mistaken(tmp_path: Path) -> None:
    every = Processes(0, proc=tmp_path)
    process(tmp_path, 7, 100, "old", "old", "--password", "hush")
    who = Who(pid=7, comm="old")
    assert every.of(who).cmdline == "old --password '***'"
    process(tmp_path, 7, 900, "new", "new")
    assert every.of(who._replace(comm="new")).cmdline == "new"


def test_what_proc_says_of_a_later_process_is_not_taken(tmp_path: Path) -> None:
    process(tmp_path, 7, 900, "new", "new")
    seen_by_kernel = Who(pid=7, comm="gone", started=1_000_000_000, image=5)
    found = Processes(0, proc=tmp_path).of(seen_by_kernel)
    assert (found.comm, found.exe, found.cmdline) == ("gone", None, None)


def test_settings_are_frozen_values() -> None:
    assert replace(Settings(), comm="a").filtered
    assert not Settings().filtered


STEERING = "\x1b]0;mine\x07\x9b2J\u202e"


def test_names_that_would_steer_a_terminal_are_harmless_in_rows_and_in_the_summary() -> None:
    line: dict[str, Any] = {
        "ts": "2026-11-02T10:00:00.000000Z", "version": "v1", "method": "GET", "path": "/latest",
        "status": 200, "pid": 1, "comm": STEERING, "exe": f"/opt/{STEERING}", "user": STEERING,
        "unit": f"{STEERING}.service", "container": None, "container_name": None, "pod": None,
        "token_unanswered": False, "open_before": False, "complete": True,
    }  # fmt: skip
    _, summary, _ = traced(FakeSource())
    summary = replace(
        summary, programs=tuple(conclude([line])), v1=1, others=((STEERING, "/metrics", 2),)
    )
    for text in (row(line).text, *words(summary).split("\n")):
        assert text.isprintable(), text
    assert r"/opt/\x1b]0;mine" in words(summary)


def test_a_line_of_json_holds_no_control_character_and_no_half_of_a_letter() -> None:
    said = run.compact({"comm": "\x1b[2J\x9b2J\x7f", "exe": "/opt/\udcff/ü"})
    assert said.encode("utf-8").decode().isprintable()
    assert json.loads(said) == {"comm": "\x1b[2J\x9b2J\x7f", "exe": "/opt/\udcff/ü"}


def test_programs_and_cgroups_whose_names_are_no_text_can_be_written(tmp_path: Path) -> None:
    proc, tree = tmp_path / "proc", tmp_path / "tree"
    (proc / "7").mkdir(parents=True)
    (proc / "7/stat").write_text("7 (x) S 0 " + "0 " * 17 + "5 0 0")
    (proc / "7/comm").write_bytes(b"\xff\n")
    (proc / "7/exe").symlink_to(os.fsdecode(b"/opt/\xff\xfe/agent"))
    unit = tree / os.fsdecode(b"\xff.service")
    unit.mkdir(parents=True)
    number = unit.stat().st_ino
    process = Processes(0, proc=proc, cgroups=tree).of(Who(pid=7, cgroup=number))
    assert process.exe == "/opt/\ufffd\ufffd/agent"
    assert process.place.unit == "\ufffd.service"
    assert process.comm == "\ufffd"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_below_stdout_ends_no_trace_that_has_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        watcher = PlainWatcher(as_json=True)
        stop = threading.Event()
        stop.set()
        log = tmp_path / "log"
        found = Trace(
            Settings(file=log), watcher, sources={"fake": lambda: FakeSource(V1, V2)}, stop=stop
        ).run()
        assert found.total == 2
        assert watcher.broken
        assert len(log.read_text().splitlines()) == 4
    assert capsys.readouterr().err.count("No space left on device; nothing more is printed") == 1


def test_looking_for_old_connections_takes_a_twentieth_of_the_time_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[float] = []

    def slow() -> Iterator[Any]:
        looks.append(time.monotonic())
        time.sleep(0.1)
        yield from ()

    monkeypatch.setattr(kernel, "_connected", slow)
    source = object.__new__(kernel.KernelSource)
    source._last_look = 0
    record = kernel._HEAD.pack(2, 2, 0, 9) + kernel.WHO.pack(
        0, 0, 0, 0, 0, 0, 0, kernel._UNKNOWN, 0, 0, b""
    )
    begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for tenth in range(60):
        source._who(record, 9, begin + tenth * 100_000_000)
    assert 2 <= len(looks) <= 3
