"""The command line: parse, call a use case, render a view; one file a command.

Data goes to stdout, everything else to stderr. `wiring` alone knows concrete adapters.
"""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imdsctl.cli.app import build_app
from imdsctl.model.diagnostics import Exit, ImdsctlError, UsageError

if TYPE_CHECKING:
    import cyclopts

__all__ = ["main"]


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; this is what the `imdsctl` script calls."""
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads along has seen enough.
        _leave_quietly()
        return int(Exit.OK)
    return code


def _run(tokens: Sequence[str] | None) -> int:
    import cyclopts  # noqa: PLC0415 - `imdsctl.cli` is imported by tests that never parse

    app = build_app()
    try:
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except ImdsctlError as error:
        report_error(error)
        return int(error.exit_code)
    except cyclopts.CycloptsError as error:
        report_error(_misused(error))
        return int(Exit.USAGE)
    except SystemExit as leaving:
        # The help's printer leaves so where its pipe was closed.
        if isinstance(leaving.__context__, BrokenPipeError):
            return int(Exit.OK)
        raise
    except KeyboardInterrupt as interrupt:
        said = interrupt.args[0] if interrupt.args else "run the same command again"
        sys.stderr.write(f"\ninterrupted; nothing is lost. next: {said}\n")
        return int(Exit.INTERRUPTED)
    return int(result) if isinstance(result, int) else int(Exit.OK)


def _misused(error: "cyclopts.CycloptsError") -> UsageError:
    """A command line that could not be parsed, in the words of every other error."""
    summary = " ".join(str(error).split())
    summary = re.sub(r"(?<=[.?]) Available commands: .*", "", summary).removesuffix(".")
    summary = re.sub(
        r"^[Cc]ommand \S+ parameter (\S+) requires an argument", r"\1 is missing", summary
    )
    command = " ".join(["imdsctl", *(error.command_chain or ())])
    if unused := re.fullmatch(r"Unused Tokens: \[(?P<words>.*)\]", summary):
        summary = f"{unused['words']} is more than the command takes"
    if early := re.match(r'Unknown command "(?P<option>-[^"]*)"', summary):
        option = early["option"]
        return UsageError(
            f"{option} comes before the command",
            hint=f"options follow it: {command} status {option}",
        )
    return UsageError(
        summary if summary[1:2].isupper() else summary[:1].lower() + summary[1:],
        hint=f"{command} --help",
    )


def report_error(error: ImdsctlError) -> None:
    """Say what happened, why, and what to do, on stderr; folded only on a terminal."""
    diagnostic = error.diagnostic
    lines = [("error: ", diagnostic.summary), ("  ", diagnostic.detail)]
    lines.append(("hint: ", diagnostic.hint))
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
    for label, text in lines:
        if text and width:
            sys.stderr.write(
                textwrap.fill(
                    label + text,
                    width,
                    subsequent_indent="  ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                + "\n"
            )
        elif text:
            sys.stderr.write(f"{label}{text}\n")


def _leave_quietly() -> None:
    """Keep Python from complaining about the broken pipe once more when it flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
