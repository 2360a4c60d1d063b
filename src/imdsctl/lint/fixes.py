"""The safe fixes of a file: put together, tried, and shown as a patch before anything is written.

An edit is for a text that may be embedded in the file. It goes back only where the file's lines are
the text's own lines behind a margin; else it is left out. What comes out is looked at again: a fix
after which a parser fails, or something new is found, is not made.
"""

import bisect
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

from imdsctl.lint.facts import Edit
from imdsctl.lint.finding import Finding
from imdsctl.lint.fingerprint import fingerprints
from imdsctl.lint.run import Selection, chosen
from imdsctl.lint.source import Source

_ROUNDS: Final = 10
"""Edits that touch each other are made one after the other; a file has few of those."""
_TRIES: Final = 40
"""Looks at a text for edits that do not go together; what is not settled then is left out."""

Group = tuple[Edit, ...]
"""The edits of one finding, in the file's own characters: all of them or none."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A file's text with its safe fixes, and how many findings they were for.

    `left` are the findings that have a fix which could not be made here.
    """

    text: str
    fixed: int
    left: int


def mended(
    path: str,
    text: str,
    kind: str,
    selection: Selection,
    context: dict[str, str] | None = None,
    old: Iterable[str] = (),
) -> Mended:
    """A text with the safe fixes of its findings.

    Args:
        path: the file's name.
        text: what is in it now.
        kind: what it is.
        selection: which findings are wanted; no other one is mended.
        context: what it knows from the files beside it.
        old: fingerprints of findings that the baseline lets stand.
    """
    try:
        return _Mending(path, kind, selection, context or {}, frozenset(old)).of(text)
    except Exception:  # noqa: BLE001 - what lint cannot read, `run` says; here it is left alone
        return Mended(text, 0, 0)


class _Mending:
    def __init__(
        self,
        path: str,
        kind: str,
        selection: Selection,
        context: dict[str, str],
        old: frozenset[str],
    ) -> None:
        self._path, self._kind, self._selection = path, kind, selection
        self._context, self._old = context, old

    def of(self, text: str) -> Mended:
        now = text
        fixed = 0
        for _ in range(_ROUNDS):
            groups = self._groups(now)
            after, made = self._tried(now, groups)
            if after is None:
                break
            now, fixed = after, fixed + made
        return Mended(now, fixed, len(self._findings(now, with_edits=True)))

    def _findings(
        self, text: str, *, with_edits: bool = False
    ) -> list[tuple[Source | None, Finding]]:
        pairs, _, _ = chosen(self._path, text, self._kind, self._selection, self._context)
        marks = fingerprints(
            [f for _, f in pairs], text.split("\n"), self._selection.called(self._path)
        )
        return [
            pair
            for pair, mark in zip(pairs, marks, strict=True)
            if mark not in self._old and (pair[1].edits or not with_edits)
        ]

    def _groups(self, text: str) -> list[Group]:
        """The edits that can be made at once, in the order of the findings."""
        accepted: list[Group] = []
        taken: list[tuple[int, int]] = []
        made: set[Edit] = set()
        for source, finding in self._findings(text, with_edits=True):
            group = _in_file(text, source, finding.edits) if source else None
            if group and not any(edit not in made and _touches(edit, taken) for edit in group):
                accepted.append(group)
                for edit in group:
                    made.add(edit)
                    bisect.insort(taken, (edit.start, edit.end))
        return accepted

    def _tried(self, text: str, groups: Sequence[Group]) -> tuple[str | None, int]:
        """The text after all of the edits that are good, None where none is."""
        before = self._seen(text)
        good: list[Group] = []
        pending = [groups] if groups else []
        for _ in range(_TRIES):
            if not pending:
                break
            some = pending.pop()
            if self._is_better(before, self._seen(_made(text, [*good, *some]))):
                good += some
                before = self._seen(_made(text, good))
            elif len(some) > 1:
                # One of them is bad: halves find it.
                pending += [some[len(some) // 2 :], some[: len(some) // 2]]
        return (_made(text, good), len(good)) if good else (None, 0)

    def _seen(self, text: str) -> tuple[int, Counter[tuple[str, str]]]:
        """How much of a text is not understood, and what all rules find in it."""
        _, _, looked = chosen(self._path, text, self._kind, Selection(), self._context)
        return len(looked.unparsed), Counter((f.rule, f.message) for _, f in looked.findings)

    @staticmethod
    def _is_better(
        before: tuple[int, Counter[tuple[str, str]]], after: tuple[int, Counter[tuple[str, str]]]
    ) -> bool:
        """Whether nothing is found or unreadable that was not before, and something is gone."""
        return (
            after[0] <= before[0]
            and not after[1] - before[1]
            and after[1].total() < before[1].total()
        )


def _in_file(text: str, source: Source, edits: Sequence[Edit]) -> Group | None:
    """The edits of a source as edits of its file, None where that is not exact for all."""
    if source.lines is None:
        group = [] if source.text != text else [*edits]
    else:
        group = []
        for edit in edits:
            moved = _moved(_rows_of(text), source, _rows_of(source.text), edit)
            if moved is None:
                return None
            group.append(moved)
    if _rows_of(text).crlf:
        group = [_with_crlf(edit) for edit in group]
    return tuple(sorted(group, key=lambda e: (e.start, e.end))) or None


def _with_crlf(edit: Edit) -> Edit:
    lines = edit.text.replace("\r\n", "\n").replace("\n", "\r\n")
    return Edit(start=edit.start, end=edit.end, text=lines)


class _Rows(NamedTuple):
    """A text's lines, where each begins, and whether they end as on Windows."""

    texts: list[str]
    starts: list[int]
    crlf: bool


@lru_cache(maxsize=8)
def _rows_of(text: str) -> _Rows:
    rows = text.split("\n")
    starts = [0, *accumulate(len(row) + 1 for row in rows[:-1])]
    return _Rows([row.removesuffix("\r") for row in rows], starts, "\r\n" in text)


def _moved(file: _Rows, source: Source, own: _Rows, edit: Edit) -> Edit | None:
    starts, inner = file.starts, own.starts
    first = bisect.bisect_right(inner, edit.start) - 1
    last = bisect.bisect_right(inner, edit.end) - 1
    lines = source.lines or ()
    if last >= len(lines):
        return None
    rows, inner_rows = file.texts, own.texts
    for row in range(first, last + 1):
        if row in source.loose:
            return None
        number = lines[row] - 1
        if row > first and number != lines[row - 1]:
            return None  # the file's lines do not follow each other
        # The last line may go on in the file, as a string's closing quote does.
        line, cut = rows[number], source.margin(row)
        if not line[cut:].startswith(inner_rows[row]) or len(line) < cut:
            return None
    new = edit.text
    if "\n" in new:
        margin = rows[lines[first] - 1][: source.margin(first)]
        whole = all(
            rows[lines[row] - 1][source.margin(row) :] == inner_rows[row]
            for row in range(first, last + 1)
        )
        if margin.strip() or not whole:
            return None
        new = new.replace("\n", f"\n{margin}")
        if edit.end == inner[last] and new.endswith(f"\n{margin}"):
            # Whole lines before a line, whose own margin is still there.
            new = new[: len(new) - len(margin)]
            new = new if edit.start != inner[first] else margin + new
            at = starts[lines[first] - 1] + (
                0 if edit.start == inner[first] else len(margin) + edit.start - inner[first]
            )
            return Edit(start=at, end=starts[lines[last] - 1], text=new)
    return Edit(
        start=starts[lines[first] - 1] + source.margin(first) + edit.start - inner[first],
        end=starts[lines[last] - 1] + source.margin(last) + edit.end - inner[last],
        text=new,
    )


def _touches(edit: Edit, taken: list[tuple[int, int]]) -> bool:
    """Whether an edit meets one of another finding, and so has to wait for it."""
    at = bisect.bisect_left(taken, (edit.start, edit.start))
    return any(
        edit.start <= end and start <= edit.end for start, end in taken[max(0, at - 1) : at + 1]
    )


def _made(text: str, groups: Sequence[Group]) -> str:
    edits: list[Edit] = []
    shared: set[Edit] = set()
    for group in groups:
        # Findings that need the same line before them share it.
        edits += [edit for edit in group if edit not in shared]
        shared.update(group)
    edits.sort(key=lambda e: (e.start, e.end))
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = max(at, edit.end)
    return "".join([*parts, text[at:]])


def patch(path: str, before: str, after: str) -> str:
    """A unified diff, as `git apply` and `patch -p1` take it."""
    name = path.removeprefix("./").lstrip("/")
    return "".join(_lines(before, after, name))


def _lines(before: str, after: str, name: str) -> Iterator[str]:
    rows = difflib.unified_diff(
        _rows(before), _rows(after), f"a/{name}", f"b/{name}", lineterm="\n"
    )
    for row in rows:
        yield row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n"


def _rows(text: str) -> list[str]:
    """The lines with their ends; a form feed is no end."""
    return [f"{row}\n" for row in text.split("\n")[:-1]] + [r for r in text.split("\n")[-1:] if r]
