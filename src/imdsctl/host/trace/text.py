"""A trace as people read it: rows, and the summary; without colours, which are the caller's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from imdsctl.host.trace.summary import Summary, counted
from imdsctl.imds.conclude import ProgramConclusion

_SHORT_ID = 12
_PATH = 56
_MOST = 20
CONCLUSION_STYLES = {
    "v1-only": "red",
    "v1-first": "red",
    "fallback": "red",
    "hop-limit": "yellow",
    "v2": "green",
}
VERSION_STYLES = {"v1": "red", "v2": "green", "token": "cyan"}


class Said(NamedTuple):
    """A line of text; `style` is of its beginning, `mark`."""

    mark: str
    text: str = ""
    style: str = ""


def harmless(text: str) -> str:
    """A text without what would steer a terminal or pass for another line.

    Names of programs, units and containers are whatever somebody chose.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def started(sees: str, method: str, limits: list[str]) -> str:
    """The one line at the start: what is seen here, and what is not."""
    return f"tracing by {method}: {sees}; not seen: {'; '.join(limits)}"


def row(line: Mapping[str, Any]) -> Said:
    """One request."""
    status = line["status"] if line["status"] is not None else "no answer"
    notes = []
    if line["version"] == "v1" and line["token_unanswered"]:
        notes.append("its token request went unanswered")
    if line["open_before"]:
        notes.append("connected before the trace")
    if not line["complete"]:
        notes.append("header cut off")
    note = f"  ({'; '.join(notes)})" if notes else ""
    where = where_of(line)
    return Said(
        f"{line['ts'][11:23]}  {line['version']:5}",
        f"  {line['method']:4} {fitted(line['path'], _PATH)}  {status}  "
        f"{harmless(line['comm'] or '?')} ({line['pid'] or '?'})"
        + (f"  {where}" if where else "")
        + note,
        VERSION_STYLES.get(line["version"], ""),
    )


def where_of(line: Mapping[str, Any]) -> str:
    """Pod, container or unit, whichever says most."""
    if line["pod"]:
        name = line["container_name"]
        return harmless(f"pod {line['pod']}" + (f" ({name})" if name else ""))
    if line["container"]:
        return harmless(f"container {line['container_name'] or str(line['container'])[:_SHORT_ID]}")
    return harmless(str(line["unit"] or ""))


def place_of(one: ProgramConclusion) -> str:
    """Where a program runs, in a few words."""
    if one.pod:
        return harmless(f"pod {one.pod}")
    if one.container:
        return harmless(f"container {one.container[:_SHORT_ID]}")
    return harmless(one.unit or "")


def fitted(text: str, width: int) -> str:
    """A text of exactly this width; the middle of one that is too long is left out."""
    if len(text) > width:
        half = (width - 1) // 2
        text = f"{text[:half]}…{text[-(width - 1 - half) :]}"
    return f"{text:{width}}"


def summary_lines(found: Summary) -> Iterator[Said]:
    """The summary: the verdict first, then program by program, then what was not seen."""
    style = "red" if found.v1 else "yellow" if found.lost.total else "green"
    yield Said(found.verdict, style=style)
    span = f"  {found.began[:19]}Z to {found.ended[:19]}Z, by {found.method}"
    yield Said("", span + (", since the boot" if found.since_boot else ""))
    for one in found.programs[:_MOST]:
        yield from _program(one)
    if len(found.programs) > _MOST:
        yield Said("", f"  … and {len(found.programs) - _MOST} programs more: --json has them all")
    if found.unattributed:
        requests = counted(found.unattributed, "request")
        yield Said("", f"  of {requests} the process is not known")
    if found.lost.total:
        yield Said(
            f"  lost: {counted(found.lost.sent, 'request')}",
            f", {counted(found.lost.received, 'answer')}, {counted(found.lost.opened, 'connect')}, "
            f"{counted(found.lost.closed, 'end')} of connections; a larger --buffer holds more",
            "yellow",
        )
    if found.unwritten:
        yield Said(
            f"  {counted(found.unwritten, 'line')}", " could not be written to the log", "yellow"
        )
    if found.others:
        yield Said("", "  not counted, because no path of AWS's metadata service:")
        for program, path, number in found.others[:_MOST]:
            yield Said("", f"    {number:>6,}  {path}  {harmless(program)}")
    if found.limits:
        yield Said("", f"  not seen here: {'; '.join(found.limits)}")


def _program(one: ProgramConclusion) -> Iterator[Said]:
    place = place_of(one)
    counts = f"v1 {one.v1:,}  v2 {one.v2:,}  token {one.tokens:,}"
    if one.unanswered:
        counts += f" ({one.unanswered:,} unanswered)"
    if one.refused:
        counts += f" ({one.refused:,} refused)"
    name = harmless(one.program) + (f"  in {place}" if place else "")
    name += f"  as {harmless(one.user or '')}" if one.user not in (None, "root") else ""
    style = CONCLUSION_STYLES[one.conclusion]
    yield Said(f"  {one.conclusion:9}", f"  {name}", style)
    also = f"; some of its processes: {', '.join(one.also)}" if one.also else ""
    sure = "" if one.confidence == "high" else f"; confidence {one.confidence}"
    yield Said("", f"             {counts}{also}{sure}")
    if one.conclusion != "v2":
        yield Said("", f"             {one.fix}")
