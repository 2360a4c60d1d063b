"""What a tracer on a simulated instance would have written down, call by call."""

import bisect
import hashlib
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from imdsctl.simulator.life import (
    EXTRA_HOPS,
    Caller,
    Life,
    Options,
    attempts,
    micros,
    moment,
    outcome,
)

_TOKEN_PATH: Final = "/latest/api/token"  # noqa: S105 - a path of the metadata service
_PATH: Final = "/latest/meta-data/iam/security-credentials/"
_ENDPOINT: Final = "169.254.169.254"
_PROMPT: Final = 2_000  # microseconds between a token response and the request that uses it
_PATIENCE: Final = 1_000_000  # how long an SDK waits for a token before it falls back
_DAY: Final = 86_400_000_000

_Request = tuple[str, str, str, int | None]  # version, method, path, status

# How programs look to the kernel, by the SDK they use: (start of the SDK's name, exe, cmdline).
_RUNTIMES: Final = (
    ("aws-sdk-java", "/usr/bin/java", "java -jar /opt/{0}/{0}.jar"),
    ("boto", "/usr/bin/python3", "python3 /opt/{0}/main.py"),
    ("aws-cli", "/usr/bin/python3", "python3 /usr/bin/aws sts get-caller-identity"),
    ("aws-sdk-js", "/usr/bin/node", "node /opt/{0}/index.js"),
    ("aws-sdk-nodejs", "/usr/bin/node", "node /opt/{0}/index.js"),
    ("aws-sdk-ruby", "/usr/bin/ruby", "ruby /opt/{0}/main.rb"),
    ("aws-sdk-php", "/usr/bin/php", "php /opt/{0}/main.php"),
    ("curl", "/usr/bin/curl", "curl -s http://169.254.169.254" + _PATH),
    ("wget", "/usr/bin/wget", "wget -qO- http://169.254.169.254" + _PATH),
)


def trace_lines(life: Life, since: datetime, now: datetime) -> Iterator[dict[str, Any]]:
    """The lines of a host trace from `since` to just before `now`, in order of time.

    They have the members of `imdsctl host trace`. Each v1 request stands at the time at which
    the instance's metrics count it. A `status` of null means that no response arrived, as when
    the hop limit stops a token response.
    """
    lines: list[tuple[int, dict[str, Any]]] = []
    low, high = micros(since), micros(now)
    boots = sorted({micros(life.launched_at), *map(micros, life.boots)})
    for caller in life.callers:
        for run in attempts(life, caller, high, low):
            requests = _requests(caller, run.options)
            for at in range(run.first, run.first + run.calls * run.step, run.step):
                process = _process(life, caller, at, boots)
                for offset, (version, method, path, status) in requests:
                    request = {"version": version, "method": method, "path": path}
                    line = {"ts": _stamp(at + offset), **request, **process, "status": status}
                    lines.append((at + offset, {**line, "dst": _ENDPOINT}))
    lines.sort(key=lambda line: line[0])
    yield from (line for _, line in lines)


def _requests(caller: Caller, options: Options) -> list[tuple[int, _Request]]:
    """The requests of one call, each with its offset in microseconds from the call's time."""
    off = options.http_endpoint == "disabled"
    reached = options.http_put_response_hop_limit >= 1 + EXTRA_HOPS[caller.container]
    token_status = 403 if off else 200 if reached else None
    counted = outcome(caller, options).counted
    v1_status = 403 if off else 200 if counted == "no_token" else 401
    by_v1: tuple[int, _Request] = (0, ("v1", "GET", _PATH, v1_status))
    with_token: tuple[int, _Request] = (_PROMPT, ("v2", "GET", _PATH, 200))
    token: tuple[int, _Request] = (0, ("token", "PUT", _TOKEN_PATH, token_status))
    by_v2 = [token, with_token] if token_status == 200 else [token]  # noqa: PLR2004 - HTTP's OK
    if caller.behaviour == "v1-only":
        return [by_v1]
    if caller.behaviour == "v1-first":
        if counted == "no_token":
            return [by_v1]
        return [by_v1, *((offset + _PROMPT, what) for offset, what in by_v2)]
    if caller.behaviour == "fallback" and counted is not None:
        return [(-_PATIENCE, ("token", "PUT", _TOKEN_PATH, None)), by_v1]
    return by_v2


def _process(life: Life, caller: Caller, at: int, boots: list[int]) -> dict[str, Any]:
    """Who made a call at the time `at`; a service keeps its process from boot to boot."""
    by_cron = caller.when in {"nightly", "monthly"}
    born = at // _DAY if by_cron else boots[max(0, bisect.bisect_right(boots, at) - 1)]
    exe, cmdline = _runtime(caller)
    key = f"{life.instance_id}/{caller.program}"
    pid = 1000 + zlib.crc32(f"{key}/{born}".encode()) % 31_000
    parents = [{"pid": 1, "comm": "systemd", "exe": "/usr/lib/systemd/systemd"}]
    container = None
    if caller.container != "none":
        container = hashlib.sha256(f"{key}/{born}".encode()).hexdigest()
        shim = {"comm": "containerd-shim", "exe": "/usr/bin/containerd-shim-runc-v2"}
        parents.insert(0, {"pid": pid - 20, **shim})
    elif by_cron:
        parents.insert(0, {"pid": 640, "comm": "crond", "exe": "/usr/sbin/crond"})
    elif caller.when == "boot":
        parents.insert(0, {"pid": 620, "comm": "cloud-init", "exe": "/usr/bin/python3"})
    return {
        "pid": pid,
        # The kernel keeps the first 15 bytes of a command's name.
        "comm": exe.rsplit("/", 1)[-1][:15],
        "exe": exe,
        "cmdline": cmdline,
        "ancestors": parents,
        "container": container,
        "user_agent": caller.user_agent or caller.sdk or None,
    }


def _runtime(caller: Caller) -> tuple[str, str]:
    name = caller.program.replace(" ", "-")
    for start, exe, cmdline in _RUNTIMES:
        if caller.sdk.lower().startswith(start):
            return exe, cmdline.format(name)
    exe = name if name.startswith("/") else f"/usr/local/bin/{name}"
    return exe, exe


def _stamp(at: int) -> str:
    return moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
