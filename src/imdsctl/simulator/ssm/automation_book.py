"""What Automation keeps of one account in one region: its executions, and the tokens seen."""

from dataclasses import dataclass, field
from typing import Any, Final

from moto.ssm.models import ssm_backends

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.ssm.automation_execution import Execution

LIMIT: Final = 1_100
"""Executions under way and queued (Systems Manager quotas: 100 at once, 1,000 in the queue)."""

_ATTRIBUTE: Final = "imdsctl_automation"


@dataclass(slots=True)
class Book:
    """Executions by id in the order of their start, and those that a client token started."""

    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, Execution] = field(default_factory=dict)

    def keep(self, execution: Execution) -> None:
        """Take a new execution in."""
        self.executions[execution.id] = execution

    @property
    def busy(self) -> int:
        """How many executions that somebody started have not ended."""
        return sum(not one.over and one.parent is None for one in self.executions.values())


def book_of(account: str, region: str) -> Book:
    """The book of an account's region; created when first asked for."""
    backend: Any = ssm_backends[account][region]
    book = backend.__dict__.get(_ATTRIBUTE)
    if book is None:
        book = Book()
        setattr(backend, _ATTRIBUTE, book)
    return book  # type: ignore[no-any-return]
