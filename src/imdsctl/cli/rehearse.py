"""`imdsctl rehearse`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter, validators
from msgspec import structs

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.rehearse_view import (
    live_json,
    matrix_json,
    matrix_table,
    rehearsal_json,
    request_line,
    show_live,
    show_rehearsal,
)
from imdsctl.cli.screen import Screen
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.rehearse.seen import Rehearsal, World

_WORLD = Group("The world it runs in", sort_key=10)
_LIVE = Group("What runs already (root)", sort_key=20)
_MATRIX = [(tokens, hops) for tokens in ("optional", "required") for hops in (1, 2)]
_SECONDS = validators.Number(gt=0)
_MOST_HOPS = 64


def rehearse(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True, show_default=False)],
    http_tokens: Annotated[Literal["optional", "required"], Parameter(group=_WORLD)] = "required",
    hop_limit: Annotated[int, Parameter(group=_WORLD)] = 1,
    container: Annotated[bool, FLAG, Parameter(group=_WORLD)] = False,
    matrix: Annotated[bool, FLAG, Parameter(group=_WORLD)] = False,
    keep_network: Annotated[bool, FLAG, Parameter(group=_WORLD)] = False,
    by_environment: Annotated[bool, FLAG, Parameter(group=_WORLD)] = False,
    values: Annotated[Path | None, Parameter(group=_WORLD)] = None,
    timeout: Annotated[float | None, Parameter(validator=_SECONDS)] = None,
    live: Annotated[bool, FLAG, Parameter(group=_LIVE)] = False,
    unit: Annotated[str | None, Parameter(group=_LIVE)] = None,
    cgroup: Annotated[str | None, Parameter(group=_LIVE)] = None,
    pid: Annotated[int | None, Parameter(group=_LIVE)] = None,
    seconds: Annotated[float, Parameter(name=["--for"], group=_LIVE, validator=_SECONDS)] = 60.0,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Run a command where only IMDSv2 answers, and say what it called and what broke.

    Exit 1 if it would break, 3 if it asked nothing (which proves nothing).

    Args:
        command: After `--`: the program and its arguments.
        http_tokens: What the emulated instance asks for.
        hop_limit: Its hop limit for the answers to token requests, 1 to 64.
        container: Run the command behind a bridge, one hop further away.
        matrix: All four of optional and required, hop limit 1 and 2, side by side.
        keep_network: The real network for all else (needs slirp4netns); else there is none.
        by_environment: No namespaces, only AWS_EC2_METADATA_SERVICE_ENDPOINT: cannot prove an
            old client, which ignores it.
        values: The emulated instance's values, TOML or JSON, as `imdsctl emulate` reads them.
        timeout: Seconds after which the command is ended.
        live: Refuse IMDSv1 to something that runs already, on an instance.
        unit: A systemd unit.
        cgroup: A cgroup of the v2 tree.
        pid: A process; its whole cgroup is meant.
        seconds: How long, in seconds.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    if live or unit or cgroup or pid is not None:
        if command:
            raise UsageError("either a command, or --live with --unit, --cgroup or --pid, not both")
        return _live(screen, output, unit=unit, cgroup=cgroup, pid=pid, seconds=seconds)
    if not command:
        raise UsageError(
            "which command is to be rehearsed?", hint="imdsctl rehearse -- python3 app.py"
        )
    if not 1 <= hop_limit <= _MOST_HOPS:
        raise UsageError(f"the hop limit is {hop_limit}", hint=f"it is 1 to {_MOST_HOPS}")
    if by_environment and (container or keep_network):
        raise UsageError(
            "--by-environment builds no network",
            hint="leave out --container and --keep-network: the real network is there anyway",
        )
    world = World(
        http_tokens=http_tokens,
        hop_limit=hop_limit,
        container=container,
        isolation="environment" if by_environment else "user-namespace",
        network="kept" if keep_network or by_environment else "none",
    )
    given = _values(values)
    if matrix:
        return _matrix(screen, output, command, world, given, timeout)
    from imdsctl.rehearse.run import rehearse as run  # noqa: PLC0415 - Linux only

    told = run(
        command,
        world,
        values=given,
        timeout=timeout,
        output="stdout" if output == "table" else "stderr",
        observe=(lambda one: screen.note(request_line(one))) if common.verbose else None,
    )
    if output == "json":
        screen.data(rehearsal_json(told))
    else:
        show_rehearsal(screen, told, hints(told))
    return exit_code(told)


def exit_code(told: Rehearsal) -> int:
    """0 ready, 1 would break or the command failed, 3 nothing was learned, 130 interrupted."""
    if told.ended == "interrupted":
        return Exit.INTERRUPTED
    if told.finding.breaks or told.exit_code:
        return Exit.BAD_ANSWER
    return Exit.INCOMPLETE if told.finding.verdict == "nothing-called" else Exit.OK


def hints(told: Rehearsal) -> list[str]:
    """What in the surroundings may have kept a client from asking as it does in production."""
    said = []
    if "AWS_ACCESS_KEY_ID" in os.environ or "AWS_PROFILE" in os.environ:
        said.append("AWS_ACCESS_KEY_ID or AWS_PROFILE is set here: SDKs use it and ask no IMDS")
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        said.append("AWS_EC2_METADATA_DISABLED is set here: SDKs ask no IMDS")
    endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
    if endpoint and told.world.isolation != "environment":
        said.append("AWS_EC2_METADATA_SERVICE_ENDPOINT is set here: SDKs ask there, unseen")
    return said


def _values(path: Path | None) -> dict[str, Any]:
    """The emulated instance's values.

    Raises:
        UsageError: the file cannot be used; says where and why.
    """
    if path is None:
        return {}
    from imdsctl.emulator.files import FileError, load  # noqa: PLC0415 - only for --values

    try:
        return dict(load(path).values)
    except FileError as error:
        raise UsageError(str(error), hint="docs/emulator.md describes the file") from error


def _matrix(
    screen: Screen,
    output: str,
    command: tuple[str, ...],
    world: World,
    values: dict[str, Any],
    timeout: float | None,
) -> int:
    from imdsctl.rehearse.run import rehearse as run  # noqa: PLC0415 - Linux only

    runs: list[Rehearsal] = []
    for tokens, hops in _MATRIX:
        screen.note(f"tokens {tokens}, hop limit {hops} …")
        one = structs.replace(world, http_tokens=tokens, hop_limit=hops)
        runs.append(run(command, one, values=values, timeout=timeout, output="nowhere"))
        if runs[-1].ended == "interrupted":
            break
    if output == "json":
        screen.data(matrix_json(runs))
    else:
        matrix_table(screen, runs, [*dict.fromkeys(hint for one in runs for hint in hints(one))])
    return matrix_exit_code(runs)


def matrix_exit_code(runs: list[Rehearsal]) -> int:
    """1 if it breaks, or ends otherwise, in any world where IMDSv2 is required."""
    if runs[-1].ended == "interrupted":
        return Exit.INTERRUPTED
    before = {one.world.hop_limit: one for one in runs if one.world.http_tokens == "optional"}
    after = [one for one in runs if one.world.http_tokens == "required"]
    for one in after:
        if one.finding.breaks or one.exit_code != before[one.world.hop_limit].exit_code:
            return Exit.BAD_ANSWER
    silent = all(one.finding.verdict == "nothing-called" for one in after)
    return Exit.INCOMPLETE if silent else Exit.OK


def _live(
    screen: Screen,
    output: str,
    *,
    unit: str | None,
    cgroup: str | None,
    pid: int | None,
    seconds: float,
) -> int:
    from imdsctl.rehearse.live import live  # noqa: PLC0415 - Linux only

    def started() -> None:
        screen.note(f"IMDSv1 is refused to it for {seconds:g} s; Ctrl-C ends that early")

    told = live(
        unit=unit,
        cgroup=cgroup,
        pid=pid,
        seconds=seconds,
        observe=(lambda one: screen.note(request_line(one))) if screen.verbose else None,
        started=started,
    )
    if output == "json":
        screen.data(live_json(told))
    else:
        show_live(screen, told)
    if told.finding.breaks:
        return Exit.BAD_ANSWER
    # What passed by was not seen, so silence there proves nothing.
    incomplete = (
        told.finding.verdict == "nothing-called" or told.ended == "withdrawn" or told.passed_by > 0
    )
    return Exit.INCOMPLETE if incomplete else Exit.OK
