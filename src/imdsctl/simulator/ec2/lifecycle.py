"""Stop, start, reboot and terminate, and what they do to an instance's life and options."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from imdsctl.simulator.ec2 import launch as births
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.region import backend_of, naive, state_of
from imdsctl.simulator.world import current


def stop(account: str, region: str, ids: Sequence[str]) -> None:
    """Stop instances.

    Raises:
        Refused: InvalidInstanceID.NotFound, or IncorrectInstanceState for a terminated one.
    """
    backend_of(account, region).stop_instances(list(ids))


def start(account: str, region: str, ids: Sequence[str]) -> None:
    """Start stopped instances; metadata options that were pending settle soon after.

    Raises:
        Refused: InvalidInstanceID.NotFound, or IncorrectInstanceState for a terminated one.
    """
    backend_of(account, region).start_instances(list(ids))


def reboot(account: str, region: str, ids: Sequence[str]) -> None:
    """Reboot instances; LaunchTime stays.

    Raises:
        Refused: InvalidInstanceID.NotFound, or IncorrectInstanceState for one that is not running.
    """
    backend_of(account, region).reboot_instances(list(ids))


def start_instances(backend: Any, instance_ids: list[str]) -> list[tuple[Any, Any]]:
    """Replaces moto's method of this name."""
    now = current().now
    changed = []
    for instance in _in_state(backend, instance_ids, "started"):
        was_running = instance.state == "running"
        changed.append((instance, instance.start()))
        if was_running:
            continue
        instance.launch_time = naive(now)
        instance.metadata_options.settles_at = now + timedelta(seconds=births.pending_seconds)
        life = current().lives[instance.id]
        life.runs.append((now, None))
        life.boots.append(now)
    return changed


def stop_instances(backend: Any, instance_ids: list[str]) -> list[tuple[Any, Any]]:
    """Replaces moto's method of this name."""
    found = _in_state(backend, instance_ids, "stopped")
    for instance in found:
        if instance.disable_api_stop is True:
            raise Refused(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be stopped. "
                "Modify its 'disableApiStop' instance attribute and try again.",
            )
    changed = []
    for instance in found:
        was_running = instance.state == "running"
        previous = instance.stop()
        changed.append((instance, previous))
        if was_running:
            _close_run(instance.id)
            options = instance.metadata_options
            if options.state == "pending":
                options.settles_at = None
    return changed


def reboot_instances(backend: Any, instance_ids: list[str]) -> list[Any]:
    """Replaces moto's method of this name."""
    found = _in_state(backend, instance_ids, "rebooted", {"running"})
    now = current().now
    for instance in found:
        instance.reboot()
        current().lives[instance.id].boots.append(now)
    return found


def terminate_instances(backend: Any, instance_ids: list[str]) -> list[tuple[Any, Any]]:
    """Replaces moto's method of this name."""
    if not instance_ids:
        raise Refused("InvalidParameterCombination", "No instances specified")
    state = state_of(backend)
    found = state.find(instance_ids)
    for instance in found:
        if instance.disable_api_termination is True:
            raise Refused(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be terminated. "
                "Modify its 'disableApiTermination' instance attribute and try again.",
            )
    now = current().now
    changed = []
    for instance in found:
        was_terminated = instance.state == "terminated"
        was_running = instance.state == "running"
        if was_terminated:
            changed.append((instance, instance.instance_state))
            continue
        changed.append((instance, instance.terminate()))
        if was_running:
            _close_run(instance.id)
        current().lives[instance.id].terminated_at = now
        state.bury(instance, now)
    return changed


def _in_state(
    backend: Any, instance_ids: list[str], verb: str, states: set[str] | None = None
) -> list[Any]:
    found = state_of(backend).find(instance_ids)
    for instance in found:
        if instance.state not in (states or {"running", "stopped"}):
            raise Refused(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be {verb}.",
            )
    return found


def _close_run(instance_id: str) -> None:
    runs = current().lives[instance_id].runs
    if runs and runs[-1][1] is None:
        runs[-1] = (runs[-1][0], current().now)
