"""Many files looked at: read, judged, what was ignored taken out; over several processes."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from imdsctl.lint.context import context_of, included_requirements
from imdsctl.lint.engine import Looked, examined
from imdsctl.lint.finding import Finding
from imdsctl.lint.fingerprint import fingerprints
from imdsctl.lint.ignore import RULES, applied, ignores
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.masking import masked
from imdsctl.lint.result import NotRead, Report, Shown, in_order
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.shelter import CRASHED, sheltered
from imdsctl.lint.source import Source
from imdsctl.lint.text import Decoded, decoded, largest, made_by_a_program

SEVERITIES: Final = ("note", "warning", "error")
CONFIDENCES: Final = ("low", "medium", "high")

_HEAD: Final = 4096
_SHOWN: Final = 200
_CHUNK: Final = 40
_WORTH_PROCESSES: Final = 200
"""A process takes about as long to start as this many files to read."""
_IN_URL: Final = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which findings are asked for.

    Attributes:
        rules: names, None for all.
        severity: the least.
        confidence: the least.
        base: the folder that fingerprints' paths are relative to.
    """

    rules: frozenset[str] | None = None
    severity: str = "note"
    confidence: str = "low"
    base: str = ""

    def wants(self, finding: Finding) -> bool:
        """Whether a finding is severe and certain enough."""
        return SEVERITIES.index(finding.severity) >= SEVERITIES.index(
            self.severity
        ) and CONFIDENCES.index(finding.confidence) >= CONFIDENCES.index(self.confidence)

    def ran(self) -> frozenset[str]:
        """The rules that are looked for."""
        names = known_rules()
        return names if self.rules is None else names & self.rules

    def called(self, path: str) -> str:
        """A path as fingerprints have it."""
        return Path(os.path.relpath(path, self.base)).as_posix() if self.base else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file to read; `kind` where it is known by something else than its name."""

    path: str
    kind: str | None = None


def known_rules() -> frozenset[str]:
    """The names of all rules, those about ignoring included."""
    return frozenset((*every_rule(), *RULES))


def jobs_of(files: Iterable[str]) -> list[Job]:
    """The files, and the requirements files that those include under any name."""
    found: dict[str, Job] = {}
    pending = [Job(path=path) for path in files]
    while pending:
        job = pending.pop()
        key = os.path.normpath(job.path)
        if key in found and (found[key].kind or job.kind is None):
            continue
        found[key] = job
        if job.kind == "requirements" or kind_of(job.path, "") == "requirements":
            text = _neighbour(job.path)
            pending += [
                Job(path=other, kind="requirements")
                for other in (included_requirements(job.path, text) if text else ())
                if os.path.isfile(other)  # noqa: PTH113 - paths stay text
            ]
    return sorted(found.values(), key=lambda job: job.path)


def run(
    jobs: Sequence[Job],
    selection: Selection,
    *,
    processes: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Look at every file.

    Args:
        jobs: the files.
        selection: which findings are wanted.
        processes: how many to use; as many as there are processors if not given.
        progress: is told how many files are done.
    """
    report = Report()
    count = min(processes or os.cpu_count() or 1, len(jobs) // _CHUNK)
    several = count > 1 and (processes or len(jobs) >= _WORTH_PROCESSES)
    chunks = [jobs[n : n + _CHUNK] for n in range(0, len(jobs), _CHUNK)]
    work = partial(_chunk, selection=selection)
    done = 0
    for chunk, part in zip(chunks, sheltered(work, chunks, count if several else 1), strict=True):
        report.add(part if part is not None else _one_by_one(chunk, selection))
        done += len(chunk)
        if progress is not None:
            progress(done)
    report.findings = in_order(report.findings)
    report.not_read.sort(key=lambda one: (one.path, one.line))
    return report


def _one_by_one(jobs: Sequence[Job], selection: Selection) -> Report:
    """Files of which one ends the process: the others, and a word about it."""
    report = Report()
    for job, part in zip(
        jobs, sheltered(partial(looked_at, selection=selection), jobs), strict=True
    ):
        report.add(part or Report(files=1, not_read=[NotRead(path=job.path, why=CRASHED)]))
    return report


def _chunk(jobs: Sequence[Job], selection: Selection) -> Report:
    report = Report()
    for job in jobs:
        report.add(looked_at(job, selection))
    return report


def looked_at(job: Job, selection: Selection) -> Report:
    """One file, read and judged."""
    try:
        found = read(job)
    except OSError as error:
        return Report(not_read=[NotRead(path=job.path, why=(error.strerror or str(error)).lower())])
    if isinstance(found, Report):
        return found
    kind, text = found
    return judged(job.path, text.text, kind, selection, context_for(job.path, kind, text.text))


def read(job: Job) -> tuple[str, Decoded] | Report:
    """A file's kind and its text, or what else is to be said of it.

    Raises:
        OSError: it cannot be read.
    """
    path = job.path
    with open(path, "rb") as file:  # noqa: PTH123 - paths stay text
        head = file.read(_HEAD)
        beginning = decoded(head)
        kind = job.kind or kind_of(path, beginning.text if beginning else "")
        if kind is None or kind not in every_reader():
            return Report(others=1)
        most = largest(kind)
        data = head + file.read(most + 1 - len(head))
    if len(data) > most:
        return Report(not_read=[NotRead(path=path, why=f"larger than {most // 1_000_000} MB")])
    text = decoded(data)
    if text is None:
        return Report(not_read=[NotRead(path=path, why="not a text")])
    if why := made_by_a_program(kind, text.text):
        return Report(skipped=[(path, why)])
    return kind, text


def judged(
    path: str,
    text: str,
    kind: str,
    selection: Selection,
    context: dict[str, str] | None = None,
) -> Report:
    """A text, whatever it comes from: its findings as they are shown."""
    report = Report(files=1)
    try:
        pairs, ignored, looked = chosen(path, text, kind, selection, context)
    except Exception as error:  # noqa: BLE001 - one file must not end the run; it is said
        # The error's own text could quote the file.
        why = f"lint's own reader or rule failed on it: {type(error).__name__}"
        return Report(files=1, not_read=[NotRead(path=path, why=why)])
    report.ignored = ignored
    rows = text.split("\n")
    findings = [finding for _, finding in pairs]
    prints = fingerprints(findings, rows, selection.called(path))
    report.findings = [
        Shown(finding=_clean(one), text=_line(rows, one), fingerprint=mark)
        for one, mark in zip(findings, prints, strict=True)
    ]
    report.not_read = [
        NotRead(path=path, why=" ".join(one.why.split())[:_SHOWN], line=one.place.line)
        for one in looked.unparsed
    ]
    return report


def judged_apart(path: str, text: str, kind: str, selection: Selection) -> Report:
    """The same, with its parsers in another process: a crash is said, and ends nothing else."""
    work = partial(judged, kind=kind, selection=selection, text=text)
    (report,) = sheltered(work, [path])
    return report or Report(files=1, not_read=[NotRead(path=path, why=CRASHED)])


def chosen(
    path: str,
    text: str,
    kind: str,
    selection: Selection,
    context: dict[str, str] | None = None,
) -> tuple[list[tuple[Source | None, Finding]], int, Looked]:
    """The findings that are wanted and not ignored, each with the source that its edits are for.

    Those about comments have none. Also how many were ignored, and all that was seen.
    """
    source = Source(path=path, kind=kind, text=text, context=context or {})
    looked = examined(source, selection.rules)
    sources = {id(finding): of for of, finding in looked.findings}
    stay, ignored = applied(
        [finding for _, finding in looked.findings],
        ignores(text, looked.kinds),
        path,
        selection.ran(),
        known_rules(),
    )
    wanted = [(sources.get(id(one)), one) for one in stay if selection.wants(one)]
    wanted.sort(key=lambda pair: (pair[1].place, pair[1].rule))
    return wanted, ignored, looked


def context_for(path: str, kind: str, text: str) -> dict[str, str]:
    """What a file knows from those beside it."""
    try:
        return context_of(path, kind, text, _neighbour)
    except (RecursionError, ValueError):
        return {}


def _neighbour(path: str) -> str | None:
    """The text of a file beside, for its names only."""
    try:
        if not os.path.isfile(path):  # noqa: PTH113 - paths stay text; a pipe would never end
            return None
        with open(path, "rb") as file:  # noqa: PTH123 - same
            data = file.read(largest(None) + 1)
    except (OSError, ValueError):
        return None
    text = decoded(data) if len(data) <= largest(None) else None
    return text.text if text else None


def _clean(finding: Finding) -> Finding:
    """Without the names and passwords of addresses in what it says."""
    message = _IN_URL.sub(r"\1***@", finding.message)
    return finding if message == finding.message else replace(finding, message=message)


def _line(rows: Sequence[str], finding: Finding) -> str:
    """The finding's first line, trimmed, without what could be a secret."""
    index = finding.place.line - 1
    line = rows[index].strip() if 0 <= index < len(rows) else ""
    return masked(line)[:_SHOWN] if line else ""
