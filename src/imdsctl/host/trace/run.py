"""A trace from its start to its summary, by the first method that works here."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from imdsctl.host.trace.events import CannotTraceError, Event, Lost, Opened, Sent
from imdsctl.host.trace.flows import Call, Flows
from imdsctl.host.trace.lines import Clock, is_metadata, line_of, other_of, wanted
from imdsctl.host.trace.logfile import LogFile
from imdsctl.host.trace.processes import Processes
from imdsctl.host.trace.settings import Settings
from imdsctl.host.trace.summary import Summary
from imdsctl.imds.conclude import COUNTED, Book, ProgramConclusion

BOOT_GRACE = 120.0
"""Seconds after the boot until which a trace may still call itself one since the boot: units that
are ordered after it have not begun."""

_TICK = 0.1
_MOST_OTHERS = 100
_CONTROLS = {one: f"\\u{one:04x}" for one in (*range(0x7F, 0xA0), *range(0xD800, 0xE000))}
_INSTANCE_ID = ("/sys/devices/virtual/dmi/id/board_asset_tag", "/var/lib/cloud/data/instance-id")
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Source(Protocol):
    """A method of tracing."""

    name: str
    tree: Path | None
    partial: bool

    def start(self) -> None: ...  # noqa: D102
    def events(self, seconds: float) -> Iterator[Event]: ...  # noqa: D102
    @property
    def behind(self) -> bool: ...  # noqa: D102
    def sees(self) -> str: ...  # noqa: D102
    def limits(self) -> list[str]: ...  # noqa: D102
    def lost(self) -> Lost: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Watcher:
    """Who looks on; each of these does nothing unless it is told otherwise."""

    gone = False
    """Nobody reads any more what is told here: a trace without a log ends then."""

    def started(self, trace: Trace) -> None:
        """The trace has begun; from now on nothing is missed."""

    def line(self, line: Mapping[str, Any]) -> None:
        """One request that passed the filters."""

    def tick(self, trace: Trace) -> None:
        """A moment has passed, also where nothing happened."""

    def summary(self, summary: Summary) -> None:
        """What was found: on SIGUSR1, and at the end."""


class Trace:
    """One trace.

    Args:
        settings: what to do.
        watcher: looks on.
        sources: methods to try, in order; those of the settings where none are given.
        stop: ends it when it is set, as a signal does.
    """

    def __init__(
        self,
        settings: Settings,
        watcher: Watcher,
        *,
        sources: Mapping[str, Callable[[], Source]] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.settings = settings
        self._watcher = watcher
        self._sources = sources if sources is not None else methods(settings)
        self._stop = stop or threading.Event()
        self._asked = threading.Event()
        self._clock = Clock()
        self._flows = Flows(settings.patience)
        self._book = Book()
        self._counts = dict.fromkeys(COUNTED, 0)
        self._others: Counter[tuple[str, str]] = Counter()
        self._unattributed = 0
        self._unwritten = 0
        self._log: LogFile | None = None
        self.source: Source
        self.refused: dict[str, str] = {}
        self._began = 0
        self.since_boot = False

    def run(self) -> Summary:
        """All of it.

        Raises:
            CannotTraceError: no method works here; says why for each.
            OSError: the log cannot be begun.
        """
        with self._signals():
            return self._run()

    def _run(self) -> Summary:
        self.source = self._open()
        try:
            boot = time.clock_gettime(time.CLOCK_BOOTTIME)
            self.since_boot = self.settings.since_boot and boot <= BOOT_GRACE
            self._processes = Processes(
                time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                cgroups=self.source.tree,
                root=self.settings.host_root,
            )
            self._began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self._log = self._open_log()
            self._watcher.started(self)
            self._watch()
            return self._end()
        finally:
            self.source.close()
            if self._log is not None:
                self._log.close()

    @property
    def began(self) -> str:
        """When the trace began, RFC 3339: by today's clock, which may have been wrong then.

        A boot begins with whatever time the hardware has, and it is set a little later.
        """
        return self._clock.stamp_of_boot(self._began)

    def _open(self) -> Source:
        if sys.platform != "linux":
            raise CannotTraceError("it works on Linux only")
        for name, make in self._sources.items():
            try:
                source = make()
            except CannotTraceError as error:
                self.refused[name] = str(error)
                continue
            try:
                source.start()
            except CannotTraceError as error:
                source.close()
                self.refused[name] = str(error)
                continue
            except BaseException:
                source.close()
                raise
            return source
        raise CannotTraceError("; ".join(f"{name}: {why}" for name, why in self.refused.items()))

    def _open_log(self) -> LogFile | None:
        given = self.settings
        if given.file is None:
            return None
        return LogFile(
            given.file,
            lambda: compact(self.start_record()),
            rotate_size=given.rotate_size,
            rotate_age=given.rotate_age,
            keep=given.keep,
        )

    def start_record(self) -> dict[str, Any]:
        """The members of the first line of a log."""
        return {
            "record": "start",
            "schema": "imdsctl/host-trace-start/v1",
            "began": self.began,
            "method": self.source.name,
            "since_boot": self.since_boot,
            "filtered": self.settings.filtered,
            "instance": _instance_id(),
            "host": socket.gethostname(),
            "kernel": os.uname().release,
            "boot_id": _boot_id(),
            "limits": self.source.limits(),
        }

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals end the trace in good order, from its beginning to its summary.

        Under nohup, and in a service that writes a log, a hang-up ends nothing: there it says that
        logs were moved, which is seen without it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, lambda *_: self._stop.set()) for one in _ENDING}
        service = self.settings.file is not None and not _at_terminal()
        if service or before[signal.SIGHUP] is signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: None)
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda *_: self._asked.set())
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, signal.SIG_DFL if handler is None else handler)

    def _watch(self) -> None:
        seconds = self.settings.seconds
        until = None if seconds is None else time.monotonic() + seconds
        while not self._stop.is_set():
            now = time.monotonic()
            if until is not None and now >= until:
                return
            self._read(_TICK if until is None else min(_TICK, until - now))
            self._clock.adjust()
            if self._log is not None:
                with suppress(OSError):
                    self._log.turn()
            if self._asked.is_set():
                self._asked.clear()
                self._watcher.summary(self.summary())
            self._watcher.tick(self)
            if self._watcher.gone and self._log is None:
                return

    def _read(self, seconds: float) -> None:
        for event in self.source.events(seconds):
            if isinstance(event, Opened):
                self._processes.opened(event)
            elif isinstance(event, Sent):
                # Also where the connect was not told: look while the process is there.
                self._processes.of(event.who)
            for call in self._flows.feed(event):
                self._done(call)
        for call in self._flows.expire(time.clock_gettime_ns(time.CLOCK_MONOTONIC)):
            self._done(call)

    def _end(self) -> Summary:
        self.source.stop()
        while self.source.behind:
            self._read(0)
        for call in self._flows.finish(time.clock_gettime_ns(time.CLOCK_MONOTONIC)):
            self._done(call)
        found = self.summary()
        self._write(found.record())
        self._watcher.summary(found)
        return found

    def _write(self, record: Mapping[str, Any]) -> None:
        """Into the log; a disk that is full for a while does not end the trace."""
        if self._log is None:
            return
        try:
            self._log.write(compact(record))
        except OSError:
            self._unwritten += 1

    def _done(self, call: Call) -> None:
        process = self._processes.of(call.who)
        if not is_metadata(call.seen.path):
            key = other_of(call, process)
            if key in self._others or len(self._others) < _MOST_OTHERS:
                self._others[key] += 1
            return
        line = line_of(call, process, self._clock)
        self._counts[line["version"]] += 1
        self._unattributed += line["pid"] is None
        self._book.add(line)
        if not wanted(line, self.settings):
            return
        self._write(line)
        self._watcher.line(line)

    def programs(self) -> list[ProgramConclusion]:
        """What is known up to now, the worst first."""
        return self._book.conclusions()

    def summary(self) -> Summary:
        """As things stand."""
        return Summary(
            method=self.source.name,
            began=self.began,
            ended=self._clock.stamp(time.clock_gettime_ns(time.CLOCK_MONOTONIC)),
            since_boot=self.since_boot,
            programs=tuple(self.programs()),
            v1=self._counts["v1"],
            v2=self._counts["v2"],
            tokens=self._counts["token"],
            lost=self.source.lost(),
            others=tuple((*key, number) for key, number in self._others.most_common()),
            limits=tuple(self.source.limits()),
            filtered=self.settings.filtered,
            unattributed=self._unattributed,
            partial=self.source.partial,
            unwritten=self._unwritten,
        )


def methods(settings: Settings) -> dict[str, Callable[[], Source]]:
    """The methods that the settings allow, the best first, by name."""

    def bpf() -> Source:
        from imdsctl.host.trace.kernel import KernelSource  # noqa: PLC0415 - only where tried

        return KernelSource(settings.buffer, settings.cgroup)

    def packet() -> Source:
        from imdsctl.host.trace.packets import PacketSource  # noqa: PLC0415 - only where tried

        return PacketSource()

    every: dict[str, Callable[[], Source]] = {"bpf": bpf, "packet": packet}
    if settings.cgroup is not None and settings.method == "auto":
        del every["packet"]  # knows no cgroups
    return every if settings.method == "auto" else {settings.method: every[settings.method]}


def _at_terminal() -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return sys.stdin.isatty()
    return False


def compact(record: Mapping[str, Any]) -> str:
    """One line of JSON."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # JSON escapes the control characters below 32; terminals obey those from 127 on, too.
    return text if text.isprintable() else text.translate(_CONTROLS)


def _instance_id() -> str | None:
    """The EC2 instance's id, from what is on the host: nobody is asked for it.

    Nitro instances have it as their board's asset tag; cloud-init writes it down.
    """
    for path in _INSTANCE_ID:
        with suppress(OSError, UnicodeDecodeError):
            said = Path(path).read_text(encoding="ascii").strip()
            if re.fullmatch(r"i-[0-9a-f]{8}(?:[0-9a-f]{9})?", said):
                return said
    return None


def _boot_id() -> str | None:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None
