"""Rehearsing one command: starts its world, listens to what happens there, and judges it."""

import contextlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import structs

from imdsctl.host.redact import redact
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.rehearse import orders
from imdsctl.rehearse.judge import judge
from imdsctl.rehearse.network import real_network
from imdsctl.rehearse.possible import BY_ENVIRONMENT, why_denied
from imdsctl.rehearse.seen import Ended, Rehearsal, Seen, World

Output = Literal["stdout", "stderr", "nowhere"]

_SETTLES: Final = 0.6
"""Seconds after which an answer that did not arrive has been sent again, and that was noticed."""

_MOST: Final = 100_000
"""Requests that are kept; what comes after them is counted only."""

_BY_ENVIRONMENT_LIMITS: Final = (
    "clients of IMDSv1 ignore AWS_EC2_METADATA_SERVICE_ENDPOINT and go to the real address unseen",
    "so this cannot prove that there is no old client",
    "nothing is routed, so the hop limit has no effect",
)
_NO_IPV6: Final = "this machine has no IPv6, so fd00:ec2::254 did not answer"


class _Story:
    """What is known of a rehearsal so far."""

    def __init__(self, order: orders.Order, observe: Callable[[Seen], None] | None) -> None:
        self.order = order
        self.observe = observe
        self.built: orders.Built | None = None
        self.started = 0.0
        self.requests: dict[int, Seen] = {}
        self.over: orders.CommandEnded | None = None
        self.stopped: Ended | None = None
        self._dropped = 0

    def take(self, message: orders.FromWorld) -> None:
        """Add what the world said.

        Raises:
            RefusedError: the world cannot be built.
            UsageError: the command cannot be started.
        """
        match message:
            case orders.Failed(what, denied):
                raise _refused(what, denied=denied)
            case orders.NotStarted(why):
                raise UsageError(
                    f"{self.order.command[0]} could not be started: {why[:1].lower()}{why[1:]}",
                    hint="what comes after -- is a program and its arguments; for a line of shell: "
                    "-- sh -c '…'",
                )
            case orders.Built():
                self.built = message
            case orders.Started(at):
                self.started = at
            case orders.Asked(number, seen):
                self._asked(number, seen)
            case orders.Lost(number):
                if number in self.requests:
                    request = self.requests[number]
                    self.requests[number] = structs.replace(request, arrived=False)
            case orders.CommandEnded():
                self.over = message

    def _asked(self, number: int, seen: Seen) -> None:
        if len(self.requests) >= _MOST:
            self._dropped += 1
            return
        self.requests[number] = seen
        if self.observe is not None:
            self.observe(seen)

    def unsettled(self) -> float:
        """Seconds until it is known of every answer whether it arrived."""
        last = max(
            (one.at for one in self.requests.values() if one.version == "token"), default=0.0
        )
        return max(0.0, last + _SETTLES - time.monotonic())

    def end(self) -> Rehearsal:
        """The whole story, judged."""
        assert self.over is not None
        assert self.built is not None
        requests = tuple(
            structs.replace(
                one,
                at=round(max(0.0, one.at - self.started), 3),
                arrived=(one.arrived is not False) if one.version == "token" else one.arrived,
            )
            for one in self.requests.values()
        )
        return Rehearsal(
            command=tuple(redact(list(self.order.command))),
            world=structs.replace(self.order.world, isolation=self.built.isolation),
            ended=self.stopped or self.over.ended,
            exit_code=None if self.stopped else self.over.exit_code,
            seconds=round(self.over.at - self.started, 3),
            left_running=0 if self.stopped else self.over.left_running,
            requests=requests,
            finding=judge(requests),
            limits=tuple(self._limits(requests)),
        )

    def _limits(self, requests: Sequence[Seen]) -> Iterator[str]:
        assert self.built is not None
        if self.built.isolation == "environment":
            yield from _BY_ENVIRONMENT_LIMITS
        elif not self.built.ipv6:
            yield _NO_IPV6
        unknown = sum(one.pid is None for one in requests)
        if unknown:
            yield f"{unknown} of {len(requests)} requests came from processes that were not found"
        if self._dropped:
            yield f"{self._dropped:,} requests after the first {_MOST:,} were not looked at"


def rehearse(
    command: Sequence[str],
    world: World,
    *,
    values: dict[str, Any] | None = None,
    timeout: float | None = None,
    output: Output = "stdout",
    observe: Callable[[Seen], None] | None = None,
) -> Rehearsal:
    """Run a command where the metadata service is as `world` says, and judge what it asked.

    Ctrl-C ends the command, and the rehearsal says what it saw until then.

    Args:
        command: the program and its arguments.
        world: the surroundings. Its `isolation` is `environment`, or anything else for
            namespaces: which kind, the machine decides.
        values: of the emulated instance, as the emulator takes them.
        timeout: seconds after which the command is ended, for what never ends by itself.
        output: where the command's stdout goes; with `nowhere` it is given no stdin, either.
        observe: called with each request as it comes.

    Raises:
        RefusedError: the machine does not let a world be built; says why and what to do.
        UsageError: the command does not exist, or a value makes no sense.
    """
    order = orders.Order(command=tuple(command), world=world, values=values or {}, output=output)
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(real_network()) if _wants_network(world) else None
        if network is not None:
            order = structs.replace(order, resolver=network.resolver)
        channel = stack.enter_context(_world())
        story = _Story(order, observe)
        orders.send(channel, order)
        while story.built is None:
            story.take(_heard(channel))
        if network is not None:
            network.attach(story.built.pid)
        orders.send(channel, orders.Go())
        while not story.started:
            story.take(_heard(channel))
        _listen(channel, story, timeout)
        return story.end()


def _wants_network(world: World) -> bool:
    return world.network == "kept" and world.isolation != "environment"


@contextlib.contextmanager
def _world() -> Iterator[socket.socket]:
    """The world's process: gives the channel to it, and ends it whatever happens."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        words = [sys.executable, "-P", "-m", "imdsctl.rehearse.world", str(theirs.fileno())]
        process = subprocess.Popen(words, pass_fds=[theirs.fileno()])  # noqa: S603 - our own
    try:
        with ours:
            yield ours
    finally:
        # A closed channel is the sign to take everything down; a second Ctrl-C must not stop that.
        while True:
            try:
                process.wait()
                break
            except KeyboardInterrupt:
                continue


def _heard(channel: socket.socket) -> orders.FromWorld:
    message = orders.hear(channel)
    if message is None:
        raise RefusedError(
            "the rehearsal's own process died",
            hint="run it again; if it dies again, say so with -v at the project's tracker",
        )
    return message


def _listen(channel: socket.socket, story: _Story, timeout: float | None) -> None:
    """Until the command is over and every answer accounted for."""
    deadline = None if timeout is None else story.started + timeout
    while story.over is None:
        try:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if select.select([channel], [], [], wait)[0]:
                story.take(_heard(channel))
            elif story.stopped is None:
                _stop(channel, story, "timed-out")
                deadline = None
        except KeyboardInterrupt:
            _stop(channel, story, "interrupted")
    while (wait := story.unsettled()) and select.select([channel], [], [], wait)[0]:
        story.take(_heard(channel))


def _stop(channel: socket.socket, story: _Story, why: Ended) -> None:
    if story.stopped is None:
        story.stopped = why
        with contextlib.suppress(OSError):
            orders.send(channel, orders.Stop())


def _refused(what: str, *, denied: bool) -> RefusedError:
    if not denied:
        return RefusedError(
            f"no world could be built to rehearse in: {what}",
            hint="mend that, or try --by-environment, within its limits",
        )
    return RefusedError(
        f"this machine does not let a world be built to rehearse in: {what}",
        detail=why_denied(),
        hint=BY_ENVIRONMENT,
    )
