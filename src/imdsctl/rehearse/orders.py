"""What the rehearsing process and the one that builds the world say to each other.

Each message is one packet of JSON on a socket between the two; a closed socket means that the
other side is gone.
"""

import socket
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from imdsctl.rehearse.seen import Ended, Seen, World

LARGEST: Final = 1 << 20


class Order(Struct, frozen=True, kw_only=True):
    """What to rehearse. `output` is where the command's stdout goes."""

    command: tuple[str, ...]
    world: World
    values: dict[str, Any] = {}
    output: Literal["stdout", "stderr", "nowhere"] = "stdout"
    resolver: str = ""


class Go(Struct, frozen=True, tag="go"):
    """Start the command."""


class Stop(Struct, frozen=True, tag="stop"):
    """End the command, whatever it is doing."""


class Finish(Struct, frozen=True, tag="finish"):
    """All is known; take everything down."""


class Failed(Struct, frozen=True, tag="failed"):
    """The world could not be built. `denied` where the kernel does not allow it."""

    what: str
    denied: bool = False


class Built(Struct, frozen=True, tag="built"):
    """The network stands, and `pid` is in it; the command waits for Go."""

    pid: int
    isolation: Literal["user-namespace", "network-namespace", "environment"]
    ipv6: bool


class Started(Struct, frozen=True, tag="started"):
    """The command runs since `at` (seconds of the monotonic clock)."""

    at: float


class NotStarted(Struct, frozen=True, tag="not-started"):
    """The command could not be started."""

    why: str


class Asked(Struct, frozen=True, tag="asked"):
    """A request came in; `at` in it is the monotonic clock's."""

    number: int
    seen: Seen


class Lost(Struct, frozen=True, tag="lost"):
    """The answer to request `number` does not arrive."""

    number: int


class CommandEnded(Struct, frozen=True, tag="ended"):
    """The command is over, and what it left running was ended."""

    at: float
    ended: Ended
    exit_code: int | None
    left_running: int


FromWorld = Failed | Built | Started | NotStarted | Asked | Lost | CommandEnded
ToWorld = Go | Stop | Finish

_from_world: Final = msgspec.json.Decoder(FromWorld)
_to_world: Final = msgspec.json.Decoder(ToWorld)


def send(channel: socket.socket, message: FromWorld | ToWorld | Order) -> None:
    """Send one message.

    Raises:
        OSError: the other side is gone.
    """
    channel.sendall(msgspec.json.encode(message))


def hear(channel: socket.socket) -> FromWorld | None:
    """The next message from the world; None when it is gone.

    Raises:
        OSError: the socket broke.
    """
    data = channel.recv(LARGEST)
    return _from_world.decode(data) if data else None


def obey(channel: socket.socket) -> ToWorld | None:
    """The next message to the world; None when nobody rehearses any more."""
    try:
        data = channel.recv(LARGEST)
    except OSError:
        return None
    return _to_world.decode(data) if data else None
