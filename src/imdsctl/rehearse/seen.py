"""The values of a rehearsal: what was asked of IMDS, by whom, how it ended, and the verdict."""

from typing import Literal

from msgspec import Struct

Version = Literal["v1", "v2", "token"]
"""How a request spoke; `token` is the PUT that asks for a session token."""

Verdict = Literal[
    "ready", "v1-only", "v1-first", "fallback", "hop-limit", "token-refused", "nothing-called"
]
"""What was found out.

- `ready`: everything that was asked was asked with a token.
- `v1-only`: asked without a token, and never tried to get one.
- `v1-first`: asked without a token first, and for a token only afterwards.
- `fallback`: asked for a token, was refused it, and went on without.
- `hop-limit`: asked for a token, and the answer never arrived: too many hops away.
- `token-refused`: asked for a token or used one, was refused, and gave up.
- `nothing-called`: no request at all, which proves nothing.
"""

Ended = Literal["exited", "signalled", "timed-out", "interrupted", "not-started"]


class Seen(Struct, frozen=True, kw_only=True):
    """One request to the metadata service.

    Attributes:
        at: seconds since the rehearsal began.
        version: how it spoke.
        method: as sent.
        path: without query.
        status: of the answer, None where none was sent.
        arrived: whether the answer reached the caller's host; None where that is not known.
            Only answers to token requests are limited, so only they can fail to.
        pid: of the caller on this machine; None where it was gone before it could be looked up.
        ppid: of its parent.
        comm: the kernel's short name of the caller.
        exe: its program file.
        cmdline: its arguments, with what could be a secret replaced.
        parent: the parent's short name.
        user_agent: as sent, empty where there was none.
        dst: the address that was asked.
    """

    at: float
    version: Version
    method: str
    path: str
    status: int | None
    arrived: bool | None = None
    pid: int | None = None
    ppid: int | None = None
    comm: str = ""
    exe: str = ""
    cmdline: tuple[str, ...] = ()
    parent: str = ""
    user_agent: str = ""
    dst: str = ""


class CallerFound(Struct, frozen=True, kw_only=True):
    """What one caller did: a process, or the same program run again and again by one parent.

    Attributes:
        name: as people call it: its short name, and its parent's where it is one of many.
        pids: of its processes.
        exe: its program file.
        cmdline: of its first process, with what could be a secret replaced.
        verdict: what kind of caller it is.
        breaks: whether it would miss something where IMDSv2 is required.
        why: the verdict in words.
        fix: what to do.
        v1: how many requests without a token.
        v2: how many with one.
        token: how many that asked for one.
        refused: how many were refused.
        unanswered: how many never got their answer.
    """

    name: str
    pids: tuple[int, ...]
    exe: str
    cmdline: tuple[str, ...]
    verdict: Verdict
    breaks: bool
    why: str
    fix: str
    v1: int
    v2: int
    token: int
    refused: int
    unanswered: int


class Finding(Struct, frozen=True, kw_only=True):
    """The judgement on a whole rehearsal; `callers` come worst first."""

    verdict: Verdict
    breaks: bool
    callers: tuple[CallerFound, ...]


class World(Struct, frozen=True, kw_only=True):
    """The surroundings of a rehearsal.

    Attributes:
        http_tokens: as the emulated instance has it.
        hop_limit: likewise.
        container: whether the command ran one routed hop further away, as in a container.
        isolation: `user-namespace`, `network-namespace` (as root), or `environment`.
        network: `none` or `kept`: whether there was more than IMDS.
    """

    http_tokens: Literal["optional", "required"] = "required"
    hop_limit: int = 1
    container: bool = False
    isolation: Literal["user-namespace", "network-namespace", "environment", "live"] = (
        "user-namespace"
    )
    network: Literal["none", "kept"] = "none"


class Rehearsal(Struct, frozen=True, kw_only=True):
    """One rehearsal from start to end.

    Attributes:
        command: what ran, with what could be a secret replaced.
        world: the surroundings.
        ended: how the command ended.
        exit_code: its own exit code, or minus the signal; None where it did not end by itself.
        seconds: how long it ran.
        left_running: processes it left behind, which were ended.
        requests: all that was asked of IMDS, in order.
        finding: the judgement.
        limits: what this rehearsal could not see, in words.
    """

    command: tuple[str, ...]
    world: World
    ended: Ended
    exit_code: int | None
    seconds: float
    left_running: int
    requests: tuple[Seen, ...]
    finding: Finding
    limits: tuple[str, ...] = ()
