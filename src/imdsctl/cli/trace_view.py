"""What a trace on a host looks like: a live table on a terminal, rows or JSON lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from imdsctl.cli.screen import Screen
from imdsctl.host.cgroups import NoSuchTargetError
from imdsctl.host.trace.command import boot_note
from imdsctl.host.trace.events import CannotTraceError
from imdsctl.host.trace.run import Trace, Watcher, compact
from imdsctl.host.trace.settings import (
    BadSettingError,
    Settings,
    buffer_size,
    duration,
    size,
)
from imdsctl.host.trace.summary import Summary
from imdsctl.host.trace.text import (
    CONCLUSION_STYLES,
    Said,
    harmless,
    place_of,
    row,
    started,
    summary_lines,
)
from imdsctl.model.diagnostics import RefusedError, UsageError

_WORDS: Final[dict[str, Callable[[str], float]]] = {
    "seconds": duration,
    "rotate_size": size,
    "rotate_age": duration,
    "buffer": buffer_size,
}
_OPTIONS: Final = {"seconds": "--for"}
_REFRESH: Final = 0.5
_LAST: Final = 8
_SPARE: Final = 12
_NEXT: Final = "take the log to the fleet's evidence: imdsctl scan --traces FILE"


def run_trace(
    screen: Screen,
    *,
    as_json: bool,
    words: Mapping[str, str | None],
    values: Mapping[str, Any],
) -> int:
    """Trace until the end; the exit code.

    Args:
        screen: Where to print.
        as_json: JSON lines instead of a table.
        words: Settings as they were written, which have to be read first.
        values: The other settings.

    Raises:
        UsageError: a word is no such value, there is no such cgroup, or the log cannot be written.
        RefusedError: no method of tracing works here.
    """
    read: dict[str, Any] = dict(values)
    for name, text in words.items():
        if text is None:
            continue
        try:
            read[name] = _WORDS[name](text)
        except BadSettingError as error:
            option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
            raise UsageError(f"{option}: {error}") from error
    settings = Settings(**read)
    watcher: _Quiet = _Json(screen) if as_json else _Rows(screen)
    if not as_json and screen.out.is_terminal:
        watcher = _Table(screen)
    try:
        return Trace(settings, watcher).run().code
    except CannotTraceError as error:
        raise RefusedError(
            "cannot trace here",
            detail=str(error),
            hint="run it as root on the instance itself; docs/host-trace.md says what each method "
            "takes",
        ) from error
    except NoSuchTargetError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(
            f"the log cannot be written: {error.strerror}", detail=str(settings.file or "")
        ) from error
    finally:
        watcher.close()


class _Quiet(Watcher):
    """What all of them say on stderr."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def started(self, trace: Trace) -> None:
        for name, why in trace.refused.items():
            self._screen.note((f"{name} does not work here: ", "yellow"), why, hang=2)
        source = trace.source
        self._screen.note(started(source.sees(), source.name, source.limits()), hang=2)
        if note := boot_note(trace):
            self._screen.note((note, "yellow"), hang=2)

    def summary(self, summary: Summary) -> None:
        for said in summary_lines(summary):
            self._say(said)
        if summary.programs:
            self._screen.next(_NEXT)

    @property
    def gone(self) -> bool:  # type: ignore[override]
        """Whoever read has closed the pipe."""
        return self._screen.out.quiet

    def _say(self, said: Said) -> None:
        indent = len(said.text) - len(said.text.lstrip())
        self._screen.line((said.mark, said.style), said.text, hang=max(indent, len(said.mark) + 2))

    def close(self) -> None:
        """Nothing is left open."""


class _Json(_Quiet):
    def started(self, trace: Trace) -> None:
        super().started(trace)
        self._screen.data(compact(trace.start_record()) + "\n")

    def line(self, line: Mapping[str, Any]) -> None:
        self._screen.data(compact(line) + "\n")

    def summary(self, summary: Summary) -> None:
        self._screen.data(compact(summary.record()) + "\n")


class _Rows(_Quiet):
    def line(self, line: Mapping[str, Any]) -> None:
        self._say(row(line))


class _Table(_Quiet):
    """Programs, the worst first, and the last requests, drawn anew as they come."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._live: Live | None = None
        self._last: list[Said] = []
        self._drawn = 0.0

    def started(self, trace: Trace) -> None:
        super().started(trace)
        self._live = Live(console=self._screen.out, auto_refresh=False, transient=True)
        self._live.start()

    def line(self, line: Mapping[str, Any]) -> None:
        self._last = [*self._last[1 - _LAST :], row(line)]

    def tick(self, trace: Trace) -> None:
        now = time.monotonic()
        if self._live is None or now - self._drawn < _REFRESH:
            return
        self._drawn = now
        self._live.update(self._drawing(trace), refresh=True)

    def summary(self, summary: Summary) -> None:
        self.close()
        super().summary(summary)
        self._live = Live(console=self._screen.out, auto_refresh=False, transient=True)
        self._live.start()

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _drawing(self, trace: Trace) -> Table:
        lost = trace.source.lost()
        grid = Table.grid(expand=True)
        table = Table(box=None, pad_edge=False, expand=True)
        for name, justify in (("", "left"), ("program", "left"), ("where", "left")):
            table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
        for name in ("v1", "v2", "token", "unanswered"):
            table.add_column(name, justify="right", no_wrap=True)
        programs = trace.programs()
        room = max(3, self._screen.out.height - _LAST - _SPARE)
        for one in programs[:room]:
            table.add_row(
                Text(one.conclusion, style=CONCLUSION_STYLES[one.conclusion]),
                Text(harmless(one.program)),
                Text(place_of(one)),
                f"{one.v1:,}",
                f"{one.v2:,}",
                f"{one.tokens:,}",
                f"{one.unanswered:,}",
            )
        grid.add_row(table)
        if len(programs) > room:
            grid.add_row(Text(f"… and {len(programs) - room} programs more", style="dim"))
        grid.add_row(Text(""))
        for said in self._last:
            line = Text.assemble((said.mark, said.style), said.text)
            line.no_wrap, line.overflow = True, "ellipsis"
            grid.add_row(line)
        if lost.total:
            grid.add_row(Text(f"lost: {lost.sent:,} requests; a larger --buffer helps", "yellow"))
        grid.add_row(Text("Ctrl-C ends it, with a summary", style="dim"))
        return grid
