"""`imdsctl simulate`."""

import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from imdsctl.cli.common import Common
from imdsctl.cli.screen import Screen
from imdsctl.model.diagnostics import Exit, UsageError

if TYPE_CHECKING:
    from imdsctl.simulator.fleetfile import Fleet

_HIGHEST_PORT = 65_535


def simulate(
    *,
    port: int = 5000,
    fleet: str = "demo",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """The simulated AWS over HTTP, on loopback, until Ctrl-C.

    Args:
        port: Where to listen; 0 lets the system choose.
        fleet: `empty`, `demo`, or a fleet file.
        common: The options that every command has.
    """
    screen = Screen(common)
    if not 0 <= port <= _HIGHEST_PORT:
        raise UsageError(f"there is no port {port}", hint="0 lets the system choose one")
    described = load_fleet(fleet)
    from imdsctl.simulator.server import serve  # noqa: PLC0415 - moto loads late

    def ready(url: str) -> None:
        screen.note("the simulated AWS answers; in another terminal:")
        sys.stdout.write(f"export AWS_ENDPOINT_URL={url}\nexport IMDSCTL_CLOCK=simulated\n")
        sys.stdout.flush()
        screen.note(
            "export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1"
            "   # any will do",
            hang=2,
        )
        screen.note("next: imdsctl scan      Ctrl-C ends the simulated AWS")

    try:
        serve(described, port, ready)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror or error}",
            hint="--port 0 lets the system choose",
        ) from error
    return Exit.OK


def load_fleet(name: str) -> "Fleet":
    """A fleet by name (`empty`, `demo`) or file.

    Raises:
        UsageError: the simulator is not installed, there is no such file, or it makes no sense.
    """
    try:
        from imdsctl.simulator.fleetfile import FleetError, load  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            "the simulated AWS is not installed", hint="pip install 'imdsctl[simulator]'"
        ) from error
    bundled = resources.files("imdsctl.simulator") / "fleets" / f"{name}.toml"
    try:
        if name in ("empty", "demo"):
            with resources.as_file(bundled) as path:
                return load(path)
        if not Path(name).exists():
            raise UsageError(
                f"there is no fleet file {name}", hint="--fleet takes empty, demo, or a file"
            )
        return load(Path(name))
    except FleetError as error:
        raise UsageError(str(error), hint="docs/simulator.md describes the grammar") from error
