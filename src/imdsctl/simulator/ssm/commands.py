"""Run Command: scripts sent to instances, which really run there, and what became of them.

Systems Manager User Guide, "AWS Systems Manager Run Command"; the statuses are those of
"Understanding command statuses". A script is run by `commands_world`, in real time and outside of
the world's lock; when it begins and ends is told by the simulated clock.
"""

import json
import math
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from moto.core.responses import ActionResult

from imdsctl.simulator.ec2.region import backend_of
from imdsctl.simulator.errands import end
from imdsctl.simulator.life import micros
from imdsctl.simulator.ssm import commands_host as host
from imdsctl.simulator.ssm.commands_nodes import Refused, invalid_instances, is_connected, managed
from imdsctl.simulator.ssm.commands_state import (
    ENDED,
    PLUGINS,
    POWERSHELL,
    SHELL,
    Command,
    Invocation,
    command_row,
    elapsed,
    invocation_row,
    stamp,
)
from imdsctl.simulator.world import current

_PLATFORMS: Final = {SHELL: "linux", POWERSHELL: "windows"}
_PARAMETERS: Final = frozenset({"commands", "workingDirectory", "executionTimeout"})
_MOST: Final = 50
_DELIVERY_SECONDS: Final = 3600
_LONGEST_SECONDS: Final = 120.0
"""Real seconds that a script gets at most, whatever its executionTimeout says."""

_SHOWN: Final = 24_000
_LONGEST_COMMENT: Final = 100
_SETTLES: Final = timedelta(seconds=1)
"""How long GetCommandInvocation may not know yet of what SendCommand has just answered."""


def _commands(self: Any) -> dict[str, Command]:
    backend = self.ssm_backend
    if not hasattr(backend, "imdsctl_commands"):
        backend.imdsctl_commands = {}
    commands: dict[str, Command] = backend.imdsctl_commands
    return commands


def send_command(self: Any) -> ActionResult:
    """SendCommand: AWS-RunShellScript, and AWS-RunPowerShellScript, which nothing here can run."""
    document = self._get_param("DocumentName") or ""
    if document not in PLUGINS:
        raise Refused("InvalidDocument", f"Document with name {document} does not exist.")
    parameters = self._get_param("Parameters") or {}
    _check(parameters)
    comment = self._get_param("Comment") or ""
    timeout = int(self._get_param("TimeoutSeconds") or _DELIVERY_SECONDS)
    if not 30 <= timeout <= 2_592_000 or len(comment) > _LONGEST_COMMENT:  # noqa: PLR2004 - AWS's own limits
        raise Refused(
            "ValidationException",
            "TimeoutSeconds must be between 30 and 2592000, Comment at most 100 characters long.",
        )
    targets = self._get_param("Targets") or []
    invocations = _addressed(self, targets, _PLATFORMS[document])
    command = Command(
        account=self.current_account,
        region=self.region,
        document=document,
        parameters=parameters,
        comment=comment,
        targets=targets,
        timeout=timeout,
        max_concurrency=self._get_param("MaxConcurrency") or "50",
        max_errors=self._get_param("MaxErrors") or "0",
        requested=current().now,
        invocations={one.instance.id: one for one in invocations},
    )
    _share(command.max_concurrency, 1)
    _share(command.max_errors, 1)
    _commands(self)[command.id] = command
    current().after(timeout, partial(_undelivered, command))
    _go_on(command)
    return ActionResult({"Command": command_row(command)})


def _check(parameters: dict[str, list[str]]) -> None:
    unknown = sorted(set(parameters) - _PARAMETERS)
    if unknown:
        raise Refused("InvalidParameters", f"The parameter {unknown[0]} is not supported.")
    if not parameters.get("commands"):
        raise Refused("InvalidParameters", "Missing required parameter: commands")
    limit = (parameters.get("executionTimeout") or ["3600"])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= 172_800:  # noqa: PLR2004 - AWS's own limit
        raise Refused("InvalidParameters", "executionTimeout must be from 1 to 172800.")


def _addressed(self: Any, targets: list[dict[str, Any]], platform: str) -> list[Invocation]:
    ids = list(self._get_param("InstanceIds") or [])
    if len(ids) > _MOST:
        raise Refused("ValidationException", "InstanceIds may hold at most 50 instances.")
    if len(set(ids)) < len(ids):
        raise Refused("DuplicateInstanceId", "You can't specify a managed node ID twice.")
    if bool(ids) == bool(targets):
        raise Refused("InvalidParameters", "Give either InstanceIds or Targets.")
    known = {i.id: (i, life) for i, life in managed(self.current_account, self.region)}
    if targets:
        tags = backend_of(self.current_account, self.region).tags
        ids = [i for i in known if all(_is_meant(i, tags.get(i, {}), one) for one in targets)]
        ids = [i for i in ids if known[i][1].platform == platform]
    missing = [i for i in ids if i not in known]
    if missing:
        raise invalid_instances(missing, self.current_account)
    if any(known[i][1].platform != platform for i in ids):
        raise Refused(
            "UnsupportedPlatformType",
            "The document doesn't support the platform type of the given managed node IDs.",
        )
    return [Invocation(*known[i]) for i in ids]


def _is_meant(instance: str, tags: dict[str, str], target: dict[str, Any]) -> bool:
    key, values = str(target.get("Key", "")), target.get("Values") or []
    if key.lower() == "instanceids":
        return instance in values
    if not key.startswith("tag:"):
        raise Refused("InvalidParameters", f"The target {key} is not supported here.")
    return tags.get(key.removeprefix("tag:")) in values


def _share(text: str, of: int) -> int:
    """A number, or a percentage of a number, as MaxConcurrency and MaxErrors have it."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    if not number.isdecimal() or (percent and int(number) > 100):  # noqa: PLR2004 - per cent
        raise Refused("ValidationException", f"{text} is neither a number nor a percentage.")
    return math.ceil(of * int(number) / 100) if percent else int(number)


def _go_on(command: Command) -> None:
    """Start as many of the waiting invocations as may run at a time."""
    every = list(command.invocations.values())
    errors = sum(one.status in ("Failed", "TimedOut") and one.started is not None for one in every)
    waiting = [one for one in every if one.status == "Pending" and is_connected(one.life)]
    if command.cancelled or errors > _share(command.max_errors, len(every)):
        for one in waiting:
            one.finish("Cancelled", "Cancelled" if command.cancelled else "Terminated")
        return
    running = sum(one.status == "InProgress" for one in every)
    free = max(1, _share(command.max_concurrency, len(every))) - running
    for one in waiting[: max(0, free)]:
        one.status = one.details = "InProgress"
        one.started = current().now
        if command.document == POWERSHELL:
            one.err = "This simulated AWS cannot run PowerShell: its instances have a POSIX shell."
            one.finish("Failed", code=1)
            continue
        script = "\n".join(command.parameters["commands"]) + "\n"
        limit = float((command.parameters.get("executionTimeout") or ["3600"])[0])
        folder = (command.parameters.get("workingDirectory") or [""])[0] or "/usr/bin"
        tags = dict(backend_of(command.account, command.region).tags.get(one.instance.id, {}))
        seconds = min(limit, _LONGEST_SECONDS)
        order = host.order_for(one.instance, one.life, tags, script, seconds, folder)
        current().errands.start(partial(_run, command, one, host.encode(order)))


def _run(command: Command, one: Invocation, order: bytes) -> None:
    """In a thread of its own: run the script, then enter what became of it."""
    world = current()

    def known(group: int) -> None:
        with world.lock:
            one.group = group
            cancelled = command.cancelled
        if cancelled:
            end(group)

    said = world.errands.program(host.WORDS, order, known)
    if world.errands.stopping.is_set():
        return
    with world.lock:
        one.group = None
        _enter(command, one, json.loads(said) if said else {})
        _go_on(command)


def _enter(command: Command, one: Invocation, answer: dict[str, Any]) -> None:
    assert one.started is not None
    why = answer.get("impossible") if answer else "its program ended without a word"
    if why and not command.cancelled:
        one.err = (
            "This simulated AWS cannot run the script: it needs user, network and process "
            f"namespaces, which this machine refuses ({why})."
        )
        one.finish("Failed", code=1)
        return
    one.out, one.err = answer.get("out", ""), answer.get("err", "")
    at = micros(one.started)
    one.life.commands += [(at, "no_token")] * answer.get("no_token", 0)
    one.life.commands += [(at, "rejected")] * answer.get("rejected", 0)
    code = answer.get("code")
    if command.cancelled:
        one.finish("Cancelled")
    elif code is None:
        one.finish("TimedOut", "ExecutionTimedOut")
    else:
        one.finish("Success" if code == 0 else "Failed", code=code)


def _undelivered(command: Command) -> None:
    """The time for delivery is over: who has not got it by now never will."""
    for one in command.invocations.values():
        if one.status == "Pending" and not is_connected(one.life):
            one.finish("TimedOut", "Undeliverable")


def _found(self: Any, command_id: str | None) -> Command:
    command = _commands(self).get(command_id or "")
    if command is None:
        raise Refused("InvalidCommandId", "The specified command ID isn't valid.")
    return command


def get_command_invocation(self: Any) -> ActionResult:
    """GetCommandInvocation; right after SendCommand it may not know of it, as on AWS."""
    command = _found(self, self._get_param("CommandId"))
    one = command.invocations.get(self._get_param("InstanceId") or "")
    if one is None or current().now < command.requested + _SETTLES:
        raise Refused(
            "InvocationDoesNotExist",
            "The command ID and managed node ID you specified didn't match any invocations.",
        )
    plugin = self._get_param("PluginName")
    if plugin not in {None, PLUGINS[command.document]}:
        raise Refused("InvalidPluginName", "The plugin name isn't valid.")
    row: dict[str, Any] = {
        "CommandId": command.id,
        "InstanceId": one.instance.id,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "PluginName": PLUGINS[command.document],
        "ResponseCode": one.code,
        "ExecutionStartDateTime": stamp(one.started),
        "ExecutionEndDateTime": stamp(one.ended if one.started else None),
        "ExecutionElapsedTime": elapsed(one),
        "Status": one.status,
        "StatusDetails": one.details,
        "StandardOutputContent": one.out[:_SHOWN],
        "StandardErrorContent": one.err[:_SHOWN],
    }
    return ActionResult(row)


def list_commands(self: Any) -> ActionResult:
    """ListCommands, newest first."""
    wanted, instance = self._get_param("CommandId"), self._get_param("InstanceId")
    found = [_found(self, wanted)] if wanted else list(_commands(self).values())[::-1]
    rows = [
        command_row(one)
        for one in found
        if (not instance or instance in one.invocations) and _passes(self, one, one.status)
    ]
    return ActionResult(_page(self, "Commands", rows))


def list_command_invocations(self: Any) -> ActionResult:
    """ListCommandInvocations, with the plugins' output (2,500 characters) where Details asks."""
    wanted, instance = self._get_param("CommandId"), self._get_param("InstanceId")
    found = [_found(self, wanted)] if wanted else list(_commands(self).values())[::-1]
    details = self._get_param("Details") in (True, "true")
    rows = [
        invocation_row(command, one, details=details)
        for command in found
        for one in command.invocations.values()
        if instance in (None, "", one.instance.id) and _passes(self, command, one.status)
    ]
    return ActionResult(_page(self, "CommandInvocations", rows))


def cancel_command(self: Any) -> ActionResult:
    """CancelCommand: what waits never starts, what runs is ended."""
    command = _found(self, self._get_param("CommandId"))
    ids = self._get_param("InstanceIds") or list(command.invocations)
    unknown = [i for i in ids if i not in command.invocations]
    if unknown:
        raise invalid_instances(unknown, self.current_account)
    command.cancelled = True
    for instance in ids:
        one = command.invocations[instance]
        if one.status == "Pending":
            one.finish("Cancelled")
        elif one.group is not None:
            end(one.group)
    return ActionResult({})


def _passes(self: Any, command: Command, status: str) -> bool:
    for one in self._get_param("Filters") or []:
        key, value = one.get("key"), str(one.get("value"))
        if key in ("InvokedAfter", "InvokedBefore"):
            at = datetime.fromisoformat(value)
            fits = command.requested >= at if key == "InvokedAfter" else command.requested < at
        elif key == "Status":
            fits = status == value
        elif key == "DocumentName":
            fits = command.document == value
        elif key == "ExecutionStage":
            fits = (status in ENDED) == (value == "Complete")
        else:
            raise Refused("InvalidFilterKey", "The specified key isn't valid.")
        if not fits:
            return False
    return True


def _page(self: Any, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    size = int(self._get_param("MaxResults") or _MOST)
    token = self._get_param("NextToken") or "0"
    if not token.isdecimal():
        raise Refused("InvalidNextToken", "The specified token isn't valid.")
    start = int(token)
    page: dict[str, Any] = {name: rows[start : start + size]}
    if start + size < len(rows):
        page["NextToken"] = str(start + size)
    return page


CALLS: Final = (
    send_command,
    list_commands,
    list_command_invocations,
    get_command_invocation,
    cancel_command,
)
