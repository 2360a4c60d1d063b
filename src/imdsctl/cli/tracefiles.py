"""Reading trace logs: those of `imdsctl host trace`, and those of AWS's packet analyzer."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from imdsctl.imds.analyzer_log import is_analyzer_line, trace_lines
from imdsctl.imds.conclude import COUNTED
from imdsctl.model.diagnostics import UsageError
from imdsctl.scan.traces import HostTrace, Tracer

_INSTANCE: Final = re.compile(r"(?<![0-9a-z])i-[0-9a-f]{8}(?:[0-9a-f]{9})?(?![0-9a-z])")
_NAMED: Final = re.compile(r"(i-[0-9a-f]{8}(?:[0-9a-f]{9})?)=(.+)")
_decode = msgspec.json.Decoder().decode
_HINT: Final = "name the file after the instance (trace-i-0abc….jsonl), or say i-0abc…=FILE"


def read_traces(names: Sequence[str]) -> list[HostTrace]:
    """The traces in these files, one for each instance; rotated files of one belong together.

    A file is of the instance that stands in its lines, in front of it (`i-…=FILE`), or in its
    name, in this order.

    Raises:
        UsageError: a file cannot be read, is no trace log, or nobody says of which instance.
    """
    traces: dict[tuple[str, Tracer], HostTrace] = {}
    for said, path in sorted((_named(name) for name in names), key=lambda one: _first_time(one[1])):
        _read(said, path, traces)
    return list(traces.values())


def _named(name: str) -> tuple[str | None, Path]:
    found = _NAMED.fullmatch(name)
    return (found[1], Path(found[2])) if found else (None, Path(name))


def _read(said: str | None, path: Path, traces: dict[tuple[str, Tracer], HostTrace]) -> None:
    names = _INSTANCE.findall(path.name)
    instance = said or (names[0] if names else None)
    seen = 0
    for number, line in _lines(path):
        tracer: Tracer = "aws-imds-packet-analyzer" if "guess" in line else "imdsctl"
        if not said and line.get("instance"):
            instance = str(line["instance"])
        whose = instance or ""
        if not whose:
            raise UsageError(f"{path}: nobody says of which instance this is", hint=_HINT)
        trace = traces.setdefault((whose, tracer), HostTrace(instance=whose, tracer=tracer))
        try:
            _take(trace, line)
        except (KeyError, ValueError, TypeError) as problem:
            raise UsageError(
                f"{path}:{number} is no line of a trace",
                detail=f"its time or its members make no sense ({problem})",
                hint="a line is one JSON object, as `imdsctl host trace` writes it",
            ) from None
        seen += 1
    if not seen:
        raise UsageError(
            f"{path} holds no line of a trace",
            hint="`imdsctl host trace --json` writes one; AWS's packet analyzer is read, too",
        )


def _take(trace: HostTrace, line: dict[str, Any]) -> None:
    """A request, or what the tracer says of itself at its beginning and at its end."""
    if line.get("version") in COUNTED:
        trace.add(line)
    elif line.get("record") == "start":
        trace.began(line)
    elif line.get("record") == "summary":
        trace.ended(line)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a file as trace lines, with their numbers."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, text in enumerate(file, 1):
                if is_analyzer_line(text):
                    yield from ((number, line) for line in trace_lines([text]))
                    continue
                if not text.startswith("{"):
                    # The analyzer's own messages, and an empty line at the end.
                    continue
                try:
                    line = _decode(text)
                except msgspec.DecodeError:
                    if not text.endswith("\n"):
                        return  # cut off while it was written
                    raise UsageError(
                        f"{path}:{number} is neither JSON nor a line of the packet analyzer",
                        hint="a trace log has one JSON object a line",
                    ) from None
                if isinstance(line, dict):
                    yield number, line
    except OSError as problem:
        raise UsageError(
            f"{path} could not be read: {problem.strerror}", hint="--traces takes trace logs"
        ) from None


def _first_time(path: Path) -> str:
    """What rotated files are put in order by."""
    with contextlib.suppress(UsageError):
        for _, line in _lines(path):
            return str(line.get("ts") or line.get("began") or "")
    return ""
