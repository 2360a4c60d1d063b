"""Automation in a dry run: nothing is started, and every instance would be changed."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from imdsctl.apply.dryrun import Pretence
from imdsctl.model.automation import ENFORCE, Execution, Order, Target
from imdsctl.model.evidence import Cell
from imdsctl.ports import Done, Outcome

_KEPT: Final = "0"


class PretendAutomation:
    """An `Automation` that changes what a `Pretence` shows, and starts no execution."""

    def __init__(self, pretence: Pretence) -> None:
        self._pretence = pretence
        self._started = 0

    def start(self, order: Order) -> Outcome:
        """The instances would have the options that the parameters ask for."""
        self._started += 1
        asked = order.parameters
        tokens = "required" if order.document == ENFORCE else asked["EnforceIMDSv2"]
        members: dict[str, str | int] = {"http_tokens": tokens}
        if asked["HttpPutResponseHopLimit"] != _KEPT:
            members["http_put_response_hop_limit"] = int(asked["HttpPutResponseHopLimit"])
        for cell, ids in order.targets.items():
            for instance in ids:
                self._pretence.modify_instance(cell, instance, members)
        cell = next(iter(order.targets))
        return Done(
            {
                "execution": f"dry-run-{self._started}",
                "account": cell.account,
                "region": cell.region,
            }
        )

    def find(self, order: Order, since: datetime, known: Collection[str]) -> Execution | None:
        """There is none."""
        return None

    def watch(self, cell: Cell, execution: str, order: Order) -> Execution:
        """It would succeed."""
        done = Target(status="Success", execution=execution)
        return Execution(
            id=execution,
            cell=cell,
            status="Success",
            targets=dict.fromkeys(order.resources(), done),
        )

    def stop(self, cell: Cell, execution: str) -> Outcome:
        """Nothing runs."""
        return Done()
