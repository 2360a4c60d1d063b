"""What an emulator is started with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from imdsctl.imds.message import REASONS
from imdsctl.imds.options import Options

DEFAULT_PORT = 1338
PACKETS_PER_SECOND = 1024
"""What all link-local services of an instance share (EC2 User Guide, "Access instance metadata for
an EC2 instance", "Query throttling" and packet limits)."""

_KINDS = ("token", "v1", "v2")
_FAULT = re.compile(
    r"(?P<what>[a-z]+|[0-9]{3}):(?P<share>[0-9]*\.?[0-9]+)(?::(?P<only>[a-z0-9]+))?"
)


@dataclass(frozen=True)
class Fault:
    """A share of the requests that goes wrong.

    Attributes:
        what: a status of 400 or more that is answered, `timeout` (no answer ever) or `reset` (the
            connection is torn down).
        share: of the requests, above 0 and up to 1.
        only: `token`, `v1` or `v2` where only such requests are hit, else empty.
    """

    what: str
    share: float
    only: str = ""

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """`503:0.1`, `timeout:1:token`.

        Raises:
            ValueError: it is none.
        """
        found = _FAULT.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is no fault: use 503:0.1, timeout:0.05 or reset:1:token")
        what, share, only = found["what"], float(found["share"]), found["only"] or ""
        codes = [str(code) for code in REASONS if code >= 400]  # noqa: PLR2004 - where errors begin
        if what not in (*codes, "timeout", "reset"):
            raise ValueError(f"no fault is called {what}: {', '.join(codes)}, timeout or reset")
        if not 0 < share <= 1:
            raise ValueError(f"the share of a fault is above 0 and up to 1, not {found['share']}")
        if only and only not in _KINDS:
            raise ValueError(f"a fault hits token, v1 or v2 requests, not {only!r}")
        return cls(what, share, only)

    def __str__(self) -> str:
        return f"{self.what}:{self.share:g}" + (f":{self.only}" if self.only else "")


@dataclass
class Behaviour:
    """How the service misbehaves; can be changed while it runs.

    Attributes:
        latency: seconds before each answer.
        packets_per_second: what a caller may send before packets are lost, or None.
        faults: what goes wrong, and how often. Shares add up.
    """

    latency: float = 0.0
    packets_per_second: int | None = None
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if self.latency < 0:
            raise ValueError(f"latency is 0 or more, not {self.latency:g}")
        if self.packets_per_second is not None and self.packets_per_second < 1:
            raise ValueError(f"packets a second are 1 or more, not {self.packets_per_second}")
        if sum(fault.share for fault in self.faults) > len(_KINDS):
            raise ValueError("the shares of the faults are more than all requests")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an emulator needs.

    Attributes:
        host: the address to listen on, an IP address or `localhost`.
        port: 0 lets the system choose.
        ipv6: listen on the IPv6 address that belongs to `host`, too.
        control_port: a port on loopback for the control endpoint; None for no such endpoint.
        options: the metadata options at the start.
        values: the instance's values, as `imdsctl.imds.defaults.DEFAULTS` names them.
        redirect_directories: answer a directory without its slash with 301.
        keep_alive: hold connections open where the client wants it; False sends
            `Connection: close` with every answer, as most instances do.
        behaviour: latency, throttle, faults.
        seed: for the draw of faults; None for a fresh one.
        access_log: where a JSON line for each request goes.
        remember: how many requests are kept for tests and the control endpoint.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    ipv6: bool = False
    control_port: int | None = None
    options: Options = field(default_factory=Options)
    values: Mapping[str, Any] = field(default_factory=dict)
    redirect_directories: bool = False
    keep_alive: bool = True
    behaviour: Behaviour = field(default_factory=Behaviour)
    seed: int | None = None
    access_log: TextIO | Path | None = None
    remember: int = 10_000
