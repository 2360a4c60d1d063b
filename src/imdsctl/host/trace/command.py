"""`trace` of the file that goes to hosts: the same trace as `imdsctl host trace`, in plain text."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from imdsctl.host.cgroups import NoSuchTargetError
from imdsctl.host.trace.events import CannotTraceError
from imdsctl.host.trace.run import Trace, Watcher, compact
from imdsctl.host.trace.settings import (
    METHODS,
    VERSIONS,
    BadSettingError,
    Settings,
    buffer_size,
    duration,
    number_kept,
    size,
)
from imdsctl.host.trace.summary import INCOMPLETE, Summary
from imdsctl.host.trace.text import row, started, summary_lines

USAGE, REFUSED = 2, 5
T = TypeVar("T")


class PlainWatcher(Watcher):
    """Rows or JSON on stdout, the rest on stderr."""

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self._json = as_json
        self._quiet = quiet
        self.gone = False
        self.broken = False

    def started(self, trace: Trace) -> None:
        """Say what is seen here."""
        for name, why in trace.refused.items():
            self._note(f"{name}: {why}")
        source = trace.source
        self._note(started(source.sees(), source.name, source.limits()))
        note = boot_note(trace)
        if note:
            self._note(note)
        if self._json:
            self._data(compact(trace.start_record()))

    def line(self, line: Mapping[str, Any]) -> None:
        """One request."""
        if self._json:
            self._data(compact(line))
        else:
            said = row(line)
            self._data(said.mark + said.text)

    def summary(self, summary: Summary) -> None:
        """To whoever reads: as JSON, or in words."""
        if self._json:
            self._data(compact(summary.record()))
            return
        for said in summary_lines(summary):
            self._data(said.mark + said.text)

    def _note(self, text: str) -> None:
        if not self._quiet:
            with suppress(OSError):
                sys.stderr.write(text + "\n")
                sys.stderr.flush()

    def _data(self, text: str) -> None:
        if self.gone:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError as error:
            # Whoever closes a pipe, or a terminal, has seen enough; the log is still written.
            if error.errno not in (errno.EPIPE, errno.EIO):
                self._full(error)
            self.gone = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _full(self, error: OSError) -> None:
        """Stdout is a file that cannot take more: what is in it is not all."""
        self.broken = True
        with suppress(OSError):
            sys.stderr.write(f"trace: stdout: {error.strerror}; nothing more is printed\n")


def boot_note(trace: Trace) -> str:
    """What to say where a trace since the boot was asked for and is none."""
    if not trace.settings.since_boot or trace.since_boot:
        return ""
    return (
        "this trace does not hold the boot: it began too long after it, and says so "
        "(since_boot: false)"
    )


def parser() -> argparse.ArgumentParser:
    """The options; their names and meanings are those of `imdsctl host trace`."""
    one = argparse.ArgumentParser(
        prog="imdsctl-host.pyz trace",
        description="Who calls the metadata service on this host. Exit 0: nobody called IMDSv1; "
        "1: somebody did; 3: nobody was seen to, but requests were lost or not the whole host was "
        "looked at; 5: it cannot work here.",
    )
    add = one.add_argument
    add("--method", choices=METHODS, default="auto", help="how; auto: the first that works here")
    add("--for", dest="seconds", type=_as(duration), metavar="TIME", help="end after 90s, 1h, 2d")
    add("--version", choices=VERSIONS, help="only these requests")
    add("--comm", help="only of programs of this name")
    add("--pid", type=int, help="only of this process")
    add("--container", help="only of this container: name, id or its beginning")
    add("--cgroup", help="trace this cgroup only, and those below it")
    add("--json", action="store_true", help="a JSON object a line")
    add("--file", type=Path, help="a log beside what is printed, as JSON lines")
    add("--rotate-size", type=_as(size), default=0, metavar="SIZE", help="a new log after 64K, 1G")
    add(
        "--rotate-age",
        type=_as(duration),
        default=0.0,
        metavar="TIME",
        help="a new log after 12h, 7d",
    )
    add("--keep", type=_as(number_kept), default=5, metavar="N", help="old logs that are kept")
    add("--since-boot", action="store_true", help="it is started at the boot, as a service")
    add(
        "--buffer",
        type=_as(buffer_size),
        default=Settings.buffer,
        metavar="SIZE",
        help="the kernel's ring: 4K to 1G",
    )
    add("--host-root", type=Path, default=Path("/"), help="the host's files, in a container")
    add("--quiet", "-q", action="store_true", help="nothing on stderr but errors")
    return one


def main(arguments: list[str] | None = None) -> int:
    """Trace until the end; the exit code of the summary."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # No locale may end a trace because it lacks a letter.
            stream.reconfigure(errors="backslashreplace")
    given = parser().parse_args(arguments)
    values = {name: value for name, value in vars(given).items() if name not in ("json", "quiet")}
    try:
        settings = Settings(**values)
        watcher = PlainWatcher(as_json=given.json, quiet=given.quiet)
        code = Trace(settings, watcher).run().code
    except CannotTraceError as error:
        sys.stderr.write(f"trace: cannot trace here: {error}\n")
        return REFUSED
    except (OSError, NoSuchTargetError) as error:
        sys.stderr.write(f"trace: {error}\n")
        return USAGE
    # What was printed is not all, and there is no log that has it.
    return INCOMPLETE if watcher.broken and settings.file is None and not code else code


def _as(convert: Callable[[str], T]) -> Callable[[str], T]:
    def converted(text: str) -> T:
        try:
            return convert(text)
        except BadSettingError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return converted
