"""`imdsctl emulate`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from imdsctl.cli.common import FLAG, Common, listed
from imdsctl.cli.screen import Screen
from imdsctl.emulator import schedule
from imdsctl.emulator.files import FileError, Loaded, load
from imdsctl.emulator.settings import (
    DEFAULT_PORT,
    PACKETS_PER_SECOND,
    Behaviour,
    Fault,
    Settings,
)
from imdsctl.imds.options import Options
from imdsctl.model.diagnostics import Exit, ImdsctlError, UsageError

if TYPE_CHECKING:
    from imdsctl.emulator.server import Emulator

_HINT = "docs/emulator.md describes options and files"

_SWITCH = Group("Metadata options", sort_key=10)
_LISTEN = Group("Where it listens", sort_key=20)
_FAULTS = Group("What goes wrong", sort_key=30)
_HAPPEN = Group("What happens to the instance", sort_key=40)
_RECORD = Group("Recording a real instance", sort_key=50)

Happening = Literal["spot", "events", "asglifecycle"]
_State = Annotated[Literal["enabled", "disabled"] | None, Parameter(group=_SWITCH)]
_Text = Annotated[str | None, Parameter(group=_HAPPEN)]


class _UnreadableError(ImdsctlError):
    """This host's metadata could not be read."""

    exit_code = Exit.INCOMPLETE


def emulate(  # noqa: C901 - one line per option
    happening: Annotated[Happening | None, Parameter(show_default=False)] = None,
    /,
    *,
    http_tokens: Annotated[Literal["optional", "required"] | None, Parameter(group=_SWITCH)] = None,
    imdsv2: Annotated[bool, FLAG, Parameter(name=["--imdsv2", "-I"], group=_SWITCH)] = False,
    hop_limit: Annotated[int | None, Parameter(group=_SWITCH)] = None,
    endpoint: _State = None,
    ipv6: Annotated[bool, FLAG, Parameter(group=_SWITCH)] = False,
    tags: Annotated[bool, FLAG, Parameter(group=_SWITCH)] = False,
    host: Annotated[
        str | None, Parameter(name=["--host", "--hostname", "-n"], group=_LISTEN)
    ] = None,
    port: Annotated[int | None, Parameter(name=["--port", "-p"], group=_LISTEN)] = None,
    control_port: Annotated[int | None, Parameter(group=_LISTEN)] = None,
    close_connections: Annotated[bool, FLAG, Parameter(group=_LISTEN)] = False,
    redirect_directories: Annotated[bool, FLAG, Parameter(group=_LISTEN)] = False,
    access_log: Annotated[str | None, Parameter(group=_LISTEN, allow_leading_hyphen=True)] = None,
    throttle: Annotated[bool, FLAG, Parameter(group=_FAULTS)] = False,
    packets_per_second: Annotated[int | None, Parameter(group=_FAULTS)] = None,
    latency: Annotated[float | None, Parameter(group=_FAULTS)] = None,
    fault: Annotated[list[str] | None, Parameter(group=_FAULTS, negative="")] = None,
    seed: Annotated[int | None, Parameter(group=_FAULTS)] = None,
    values: Annotated[
        Path | None, Parameter(name=["--values", "--config-file", "-c"], group=_HAPPEN)
    ] = None,
    spot_action: Annotated[
        Literal["terminate", "stop", "hibernate"] | None,
        Parameter(name=["--spot-action", "--action", "-a"], group=_HAPPEN),
    ] = None,
    after: Annotated[str, Parameter(group=_HAPPEN)] = "0s",
    mock_delay_sec: Annotated[
        int | None, Parameter(name=["--mock-delay-sec", "-d"], group=_HAPPEN, show=False)
    ] = None,
    time: Annotated[str | None, Parameter(name=["--time", "-t"], group=_HAPPEN)] = None,
    rebalance: Annotated[
        str | None, Parameter(name=["--rebalance", "--rebalance-rec-time", "-r"], group=_HAPPEN)
    ] = None,
    event: Annotated[str | None, Parameter(name=["--event", "--code", "-o"], group=_HAPPEN)] = None,
    state: Annotated[
        Literal["active", "completed", "canceled"], Parameter(group=_HAPPEN)
    ] = "active",
    not_before: Annotated[str | None, Parameter(group=_HAPPEN)] = None,
    not_after: Annotated[str | None, Parameter(group=_HAPPEN)] = None,
    not_before_deadline: Annotated[str | None, Parameter(group=_HAPPEN)] = None,
    lifecycle_state: Annotated[str | None, Parameter(group=_HAPPEN)] = None,
    record: Annotated[Path | None, Parameter(group=_RECORD)] = None,
    with_public_keys: Annotated[bool, FLAG, Parameter(group=_RECORD)] = False,
    with_user_data: Annotated[bool, FLAG, Parameter(group=_RECORD)] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """An IMDS server that behaves as an instance's does, until Ctrl-C.

    Args:
        happening: What shall happen: a Spot interruption, a maintenance event, or the end of an
            Auto Scaling instance.
        http_tokens: `optional` allows IMDSv1, `required` refuses it. Default: optional.
        imdsv2: The same as --http-tokens required.
        hop_limit: Hops that the answer to a token request can take, 1 to 64. Default: 1.
        endpoint: `disabled` turns the service off: everything is answered with 403.
        ipv6: Answer over IPv6, too.
        tags: Show the instance's tags.
        host: The IP address to listen on. Default: 127.0.0.1.
        port: The port; 0 lets the system choose. Default: 1338.
        control_port: A port on loopback to look into it and change it while it runs.
        close_connections: Close each connection after one answer, as most instances do.
        redirect_directories: Answer a directory without its slash with 301 instead of its listing.
        access_log: A file for a JSON line about each request; `-` is stdout.
        throttle: Lose packets beyond the 1,024 a second that an instance may send.
        packets_per_second: Another number of packets for --throttle.
        latency: Milliseconds before each answer.
        fault: A share of requests that fails: 503:0.1, timeout:0.05, reset:1:token. Repeatable.
        seed: Makes the draw of faults the same each time.
        values: A TOML or JSON file with `options`, `values`, `server`, or a configuration of
            amazon-ec2-metadata-mock. --config takes it, too.
        spot_action: What a Spot interruption does to the instance.
        after: When the happening starts to show: 30s, 5m, or 2026-01-31T08:22:00Z.
        mock_delay_sec: The same as --after, in seconds.
        time: When the instance is interrupted; two minutes after the notice if not given.
        rebalance: When a rebalance recommendation shows.
        event: The code of a maintenance event, such as system-reboot.
        state: The state of that event.
        not_before: The earliest start of that event.
        not_after: Its latest end.
        not_before_deadline: Its latest start.
        lifecycle_state: The target lifecycle state that Auto Scaling sets at --after.
        record: Write the metadata of this instance to a file (TOML, or JSON by its name) instead,
            without credentials.
        with_public_keys: Record SSH public keys, too.
        with_user_data: Record the user data, too; it often holds secrets.
        common: The options that every command has.
    """
    screen = Screen(common)
    if record is not None:
        return _record(screen, record, public_keys=with_public_keys, user_data=with_user_data)
    loaded = _loaded(values, screen) if values else _from_config(common.config, screen)
    if mock_delay_sec is not None:
        after = f"{mock_delay_sec}s"
    try:
        happenings = _happenings(
            happening,
            spot_action=spot_action,
            after=after,
            time=time,
            rebalance=rebalance,
            event=event,
            state=state,
            times=(not_before, not_after, not_before_deadline),
            lifecycle_state=lifecycle_state,
        )
        members: dict[str, Any] = dict(loaded.options)
        if imdsv2:
            members["http_tokens"] = "required"
        if http_tokens is not None:
            members["http_tokens"] = http_tokens
        if hop_limit is not None:
            members["http_put_response_hop_limit"] = hop_limit
        if endpoint is not None:
            members["http_endpoint"] = endpoint
        if ipv6:
            members["http_protocol_ipv6"] = "enabled"
        if tags:
            members["instance_metadata_tags"] = "enabled"
        options = Options.from_mapping(members)
        server = loaded.server
        rate = server.get("packets_per_second")
        if throttle or packets_per_second is not None:
            rate = packets_per_second or PACKETS_PER_SECOND
        if latency is None:
            latency = server.get("latency_ms", 0)
        texts = fault if fault is not None else server.get("faults", ())
        faults = [Fault.parse(one) for text in texts for one in listed(text)]
        settings = Settings(
            host=host or server.get("host", "127.0.0.1"),
            port=port if port is not None else server.get("port", DEFAULT_PORT),
            ipv6=ipv6 or options.ipv6_enabled,
            control_port=control_port,
            options=options,
            values=schedule.merged(loaded.values, happenings),
            redirect_directories=redirect_directories or bool(server.get("redirect_directories")),
            keep_alive=not close_connections and bool(server.get("keep_alive", True)),
            behaviour=Behaviour(float(latency) / 1000, rate, tuple(faults)),
            seed=seed,
            access_log=_access_log(access_log),
        )
    except ValueError as error:
        raise UsageError(str(error), hint=_HINT) from error
    return _serve(screen, settings)


def _serve(screen: Screen, settings: Settings) -> int:
    from imdsctl.emulator.server import is_local, plain_address, run  # noqa: PLC0415 - loads late

    def ready(emulator: "Emulator") -> None:
        _announce(screen, emulator)

    try:
        if not is_local(plain_address(settings.host)):
            screen.note(
                ("warning: ", "yellow"),
                f"it listens on {settings.host}, so other machines may reach it",
                hang=2,
            )
        run(settings, ready)
    except ValueError as error:
        raise UsageError(str(error), hint=_HINT) from error
    except OverflowError as error:
        raise UsageError(f"there is no port {settings.port}", hint="0 to 65535") from error
    except OSError as error:
        where = error.filename or f"{settings.host}:{settings.port}"
        raise UsageError(
            f"{where} cannot be used: {error.strerror or error}",
            hint="--port 0 lets the system choose a port, --host names another address",
        ) from error
    return Exit.OK


def _announce(screen: Screen, emulator: "Emulator") -> None:
    """Say where it answers; on stdout what another shell can use, unless the log is there."""
    options = emulator.service.options
    lines = []
    if emulator.url != "http://169.254.169.254":
        lines.append(f"export AWS_EC2_METADATA_SERVICE_ENDPOINT={emulator.url}")
    if emulator.control_url is not None:
        lines.append(f"export IMDSCTL_EMULATOR_CONTROL={emulator.control_url}")
    screen.note(
        f"the metadata service of {emulator.instance_id} answers at {emulator.url}"
        + (f" and {emulator.ipv6_url}" if emulator.ipv6_url not in (None, emulator.url) else "")
    )
    modes = {"optional": "IMDSv1 allowed", "required": "V2 only"}
    state = "" if options.endpoint_enabled else "turned off · "
    screen.note(
        f"  {state}{modes[options.http_tokens]} · hop limit {options.http_put_response_hop_limit}"
        " · its credentials are fakes"
    )
    log = emulator.settings.access_log
    if log is sys.stdout:
        for line in lines:
            screen.note(f"  {line.removeprefix('export ')}")
    elif lines:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    screen.note("next: point a program at it as above      Ctrl-C ends it")


def _access_log(where: str | None) -> Any:
    if where == "-":
        return sys.stdout
    return None if where is None else Path(where)


def _from_config(path: Path | None, screen: Screen) -> Loaded:
    """What `--config` names: an instance, or the settings that every other command reads."""
    if path is None:
        return Loaded()
    from imdsctl.cli.config import load_policy  # noqa: PLC0415 - only where a file is named

    try:
        load_policy(path)
    except UsageError:
        return _loaded(path, screen)
    return Loaded()


def _loaded(path: Path, screen: Screen) -> Loaded:
    try:
        loaded = load(path)
    except FileError as error:
        raise UsageError(str(error), hint=_HINT) from error
    for note in loaded.notes:
        screen.note(f"note: {note}", hang=2)
    return loaded


def _happenings(
    happening: Happening | None,
    *,
    spot_action: str | None,
    after: str,
    time: str | None,
    rebalance: str | None,
    event: str | None,
    state: str,
    times: tuple[str | None, str | None, str | None],
    lifecycle_state: str | None,
) -> Mapping[str, Any]:
    """The values of all that shall happen.

    Raises:
        ValueError: a time or word is wrong, or one is given that nothing takes.
    """
    spot = happening == "spot" or spot_action is not None
    maintenance = happening == "events" or event is not None
    lifecycle = happening == "asglifecycle" or lifecycle_state is not None
    if time is not None and not spot:
        raise ValueError("--time is of a Spot interruption: name its --spot-action, too")
    if any(times) and not maintenance:
        raise ValueError("--not-before and the like are of a maintenance event: name its --event")
    values: dict[str, Any] = {}
    if spot:
        values.update(schedule.spot(spot_action or "terminate", after, time))
    if rebalance is not None or happening == "spot":
        values.update(schedule.rebalance(rebalance or after))
    if maintenance:
        values.update(
            schedule.maintenance(
                event or "system-reboot",
                after,
                state=state,
                not_before=times[0],
                not_after=times[1],
                not_before_deadline=times[2],
            )
        )
    if lifecycle:
        values.update(schedule.lifecycle(lifecycle_state or "Terminated", after))
    return values


def _record(screen: Screen, path: Path, *, public_keys: bool, user_data: bool) -> int:
    import json  # noqa: PLC0415 - only here
    import os  # noqa: PLC0415 - only here

    from imdsctl.emulator.record import (  # noqa: PLC0415 - only here
        Reader,
        RecordError,
        endpoint,
        record,
    )
    from imdsctl.emulator.tomltext import to_toml  # noqa: PLC0415 - only here

    try:
        document = record(Reader(endpoint()), public_keys=public_keys, user_data=user_data)
    except RecordError as error:
        raise _UnreadableError(
            str(error),
            hint="run it on an instance; AWS_EC2_METADATA_SERVICE_ENDPOINT names another address",
        ) from error
    as_json = path.suffix == ".json"
    text = json.dumps(document, indent=2) + "\n" if as_json else to_toml(document)
    try:
        # User data and tags may hold what is not for everyone.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror}") from error
    found = len(document["values"]["paths"])
    screen.note(f"recorded {found:,} items to {path}; credentials and signatures are left out")
    screen.next(f"imdsctl emulate --values {path}")
    return Exit.OK
