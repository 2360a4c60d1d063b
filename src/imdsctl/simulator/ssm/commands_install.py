"""Lays Run Command, the managed nodes and their inventory over moto's Systems Manager."""

from imdsctl.simulator import _moto_env  # noqa: F401, I001 - must come before moto

from moto.ssm.responses import SimpleSystemManagerResponse

from imdsctl.simulator.ssm import commands, commands_nodes, inventory


def install() -> None:
    """Put this room's methods in the place of moto's; a second time changes nothing."""
    for call in (
        *commands.CALLS,
        commands_nodes.describe_instance_information,
        inventory.get_inventory,
        inventory.list_inventory_entries,
    ):
        setattr(SimpleSystemManagerResponse, call.__name__, call)
