"""The command line: parse, call a use case, render a view; one file a command.

Data goes to stdout, everything else to stderr. `wiring` alone knows concrete adapters.
"""

import sys
from collections.abc import Sequence

from imdsctl.cli.app import build_app
from imdsctl.model.diagnostics import Exit, ImdsctlError

__all__ = ["main"]


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; this is what the `imdsctl` script calls."""
    import cyclopts  # noqa: PLC0415 - `imdsctl.cli` is imported by tests that never parse

    app = build_app()
    try:
        result = app(tokens, exit_on_error=False, result_action="return_value")
    except ImdsctlError as error:
        report_error(error)
        return int(error.exit_code)
    except cyclopts.CycloptsError:
        return int(Exit.USAGE)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; it is safe to run the same command again\n")
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return int(Exit.OK)
    return int(result) if isinstance(result, int) else int(Exit.OK)


def report_error(error: ImdsctlError) -> None:
    """Say what happened, why, and what to do, on stderr."""
    diagnostic = error.diagnostic
    lines = [f"error: {diagnostic.summary}"]
    if diagnostic.detail:
        lines.append(f"  {diagnostic.detail}")
    if diagnostic.hint:
        lines.append(f"hint: {diagnostic.hint}")
    sys.stderr.write("\n".join(lines) + "\n")
