"""`imdsctl lint --fix` and `--diff`: the patch, the question, the writing."""

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from imdsctl.cli.screen import Screen, count
from imdsctl.lint.baseline import replace
from imdsctl.lint.fixes import Mended, mended, patch
from imdsctl.lint.masking import masked
from imdsctl.lint.run import Selection, context_for
from imdsctl.lint.shelter import sheltered
from imdsctl.lint.text import Decoded
from imdsctl.model.diagnostics import RefusedError, UsageError


class Target(NamedTuple):
    """A file as it was read, or a text that has no files beside it."""

    path: str
    kind: str
    text: Decoded
    beside: bool = True


def mend(
    screen: Screen,
    targets: Sequence[Target],
    selection: Selection,
    old: Iterable[str],
    *,
    apply: bool,
    yes: bool,
) -> None:
    """Show the patch of the safe fixes and, with `apply`, write it after a yes.

    Raises:
        RefusedError: nobody said yes.
        UsageError: a file changed meanwhile or cannot be written; those before it are written.
    """
    marks = frozenset(old)
    changed = []
    work = partial(_mended, selection=selection, old=marks)
    for one, after in zip(targets, sheltered(work, targets), strict=True):
        if after is not None:  # what has a parser crash is said where findings are
            changed.append((one, after))
    for one, after in changed:
        _show(screen, patch(one.path, one.text.text, after.text), whole=not apply)
    fixed = sum(after.fixed for _, after in changed)
    if not changed:
        screen.note("there is nothing that can safely be mended")
        return
    said = f"{count(fixed, 'finding')} in {count(len(changed), 'file')}"
    if not apply:
        screen.note(f"mends {said}: git apply, or imdsctl lint --fix")
        return
    if not yes:
        _confirm(screen, said)
    _write(changed)
    screen.note(f"mended {said}")


def _mended(one: Target, *, selection: Selection, old: frozenset[str]) -> Mended | None:
    text = one.text.text
    context = context_for(one.path, one.kind, text) if one.beside else {}
    after = mended(one.path, text, one.kind, selection, context, old)
    return after if after.text != text else None


def _show(screen: Screen, text: str, *, whole: bool) -> None:
    """The patch: exactly, where it is to be applied by others; else without what may be secret."""
    if whole:
        screen.data(text)
        return
    rows = [f"{row[:1]}{masked(row[1:]) if row[1:] else ''}" for row in text.splitlines()]
    screen.data("\n".join(rows) + "\n")


def _confirm(screen: Screen, said: str) -> None:
    if not sys.stdin.isatty():
        raise RefusedError(
            "nobody confirmed the fixes; nothing was written",
            hint="add --yes where no person is at the terminal, or take the patch: --diff",
        )
    screen.ask(f"Writes the fixes of {said}.", "Type yes: ")
    if sys.stdin.readline().strip().lower() != "yes":
        raise RefusedError("the fixes were not confirmed; nothing was written")


def _write(changed: Sequence[tuple[Target, Mended]]) -> None:
    for one, after in changed:
        path = Path(one.path)
        try:
            if path.read_bytes() != one.text.encoded(one.text.text):
                raise UsageError(
                    f"{path} changed while its fix was shown; it was left as it is",
                    hint="run the same command again",
                )
            replace(path, one.text.encoded(after.text))
        except OSError as error:
            raise UsageError(
                f"{path} could not be written: {error.strerror}",
                hint="the files shown before it are mended; run the same command again",
            ) from error
