"""Systems Manager Automation, laid over moto, which has none of it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.ssm.responses import SimpleSystemManagerResponse

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.ssm import automation_calls as calls
from imdsctl.simulator.world import current


def install() -> None:
    """Lay the calls over moto's classes; a second time changes nothing."""
    response = SimpleSystemManagerResponse
    if hasattr(response, "imdsctl_automation"):
        return
    response.imdsctl_automation = True
    for call in (
        calls.start_automation_execution,
        calls.get_automation_execution,
        calls.describe_automation_executions,
        calls.describe_automation_step_executions,
        calls.stop_automation_execution,
    ):
        setattr(response, call.__name__, _in_the_world(call))
    response.get_document = calls.document_call(response.get_document, calls.owned_document)
    response.describe_document = calls.document_call(
        response.describe_document, calls.owned_description
    )


def _in_the_world(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A call that is alone while it runs, after everything that is due."""

    @wraps(call)
    def answer(self: Any) -> Any:
        world = current()
        with world.lock:
            world.catch_up()
            return call(self)

    return answer
