"""The one file that goes to hosts, `imdsctl-host.pyz`: its commands, each imported when called."""

from __future__ import annotations

import importlib
import sys
import traceback

COMMANDS = {
    "probe": ("imdsctl.host.probe", "v1, v2, credentials, containers: what IMDS answers here"),
    "audit": ("imdsctl.host.audit", "software here, or in an unpacked image, too old for v2"),
    "trace": ("imdsctl.host.trace", "who calls IMDS, live"),
}
"""By name: the module, whose `main` takes the arguments and returns the exit code, and its help."""


FAILED, INTERRUPTED = 70, 130
"""Exit codes: a bug here (EX_SOFTWARE of sysexits.h); Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in COMMANDS:
        module = importlib.import_module(COMMANDS[given[0]][0])
        try:
            return int(module.main(given[1:]))
        except KeyboardInterrupt:
            return INTERRUPTED
        except Exception:  # noqa: BLE001 - Python's own exit code, 1, means that v1 was found
            traceback.print_exc()
            return FAILED
    usage = "usage: imdsctl-host.pyz COMMAND [--help | options]\n\n"
    usage += "".join(f"  {name:8}{text}\n" for name, (_, text) in COMMANDS.items())
    if given and given[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage)
        return 0
    problem = f"no such command: {given[0]}\n" if given else ""
    sys.stderr.write(problem + usage)
    return 2


if __name__ == "__main__":
    sys.exit(main())
