"""The live rehearsal: a running unit or container comes in, what it asked of IMDS goes out.

For a set time, the target's connections to the metadata service go to a proxy that refuses v1;
nothing of the instance is changed, and every other process is untouched. When this process ends,
however it ends, the kernel takes the redirection away.
"""

import contextlib
import dataclasses
import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from imdsctl.host.bpf.redirect import Counters, Redirect
from imdsctl.host.bpf.syscalls import BpfError
from imdsctl.host.netns import NetworkNamespace
from imdsctl.model.diagnostics import RefusedError, UsageError
from imdsctl.rehearse.caller import sees_all_pids
from imdsctl.rehearse.judge import judge
from imdsctl.rehearse.proxy import ADDRESSES, Heard, Proxy
from imdsctl.rehearse.refusing import PATIENCE
from imdsctl.rehearse.seen import Finding, Seen, Version
from imdsctl.rehearse.target import Target, find

LEASE: Final = 3.0
"""Seconds for which the kernel redirects without hearing from us: a stall harms no longer."""

GRACE: Final = 10.0
"""Seconds that connections under way have at the end."""

_TICK: Final = 0.1
_SHARE: Final = 10
_STRAYED: Final = 2.0
_MOST: Final = 100_000
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_VERSIONS: Final[dict[str, Version]] = {"v1": "v1", "v2": "v2", "token": "token"}

LiveEnded = Literal["time", "interrupted", "withdrawn"]
"""Why it ended: its time was up, somebody ended it, or it was about to do harm."""


class LiveRehearsal(Struct, frozen=True, kw_only=True):
    """One live rehearsal from start to end.

    Attributes:
        target: as the user called it.
        cgroup: the path of its cgroup in the v2 tree.
        asked_seconds: how long it was to last.
        seconds: how long it lasted.
        ended: why it ended.
        requests: what the target asked, in order; v1 was refused, the rest was the real service's.
        finding: the judgement.
        namespaces: how many network namespaces of the target were covered.
        restarts: how often the target's cgroup was replaced, as a restart of a unit does.
        open_before: connections to the service that the target had open already: not looked into.
        passed_by: connects of the target that reached the real service unseen.
        cut: connections that were still under way when the grace period was over.
        limits: what this rehearsal could not see, in words.
    """

    target: str
    cgroup: str
    asked_seconds: float
    seconds: float
    ended: LiveEnded
    requests: tuple[Seen, ...]
    finding: Finding
    namespaces: int
    restarts: int
    open_before: int
    passed_by: int
    cut: int
    limits: tuple[str, ...]


def live(
    *,
    unit: str | None = None,
    cgroup: str | None = None,
    pid: int | None = None,
    seconds: float = 60.0,
    grace: float = GRACE,
    addresses: Mapping[int, tuple[str, int]] = ADDRESSES,
    observe: Callable[[Seen], None] | None = None,
    started: Callable[[], None] | None = None,
    stop: threading.Event | None = None,
) -> LiveRehearsal:
    """Refuse v1 to one unit, cgroup or process's cgroup for some seconds, and judge what it asked.

    SIGINT, SIGTERM and SIGHUP end it early, with a report.

    Args:
        unit: a running systemd unit.
        cgroup: a cgroup of the v2 tree, by path.
        pid: a process; its whole cgroup is meant.
        seconds: how long.
        grace: seconds that connections under way have at the end.
        addresses: where the real service is, by address family.
        observe: called with each request once its answer is known, from other threads.
        started: called once the target's connections are redirected.
        stop: ends it early when it is set, as a signal does.

    Raises:
        UsageError: not exactly one target, or no time.
        RefusedError: it cannot work here; says why and what to do. Nothing was changed.
    """
    if seconds <= 0:
        raise UsageError("a live rehearsal takes more than 0 seconds")
    _check_machine()
    target = find(unit=unit, cgroup=cgroup, pid=pid)
    with _refusing_kindly(), contextlib.closing(Redirect()) as redirect:
        rehearsing = _Rehearsing(redirect, target, addresses, observe, stop or threading.Event())
        return rehearsing.run(seconds, grace, started)


def _check_machine() -> None:
    if sys.platform != "linux":
        raise RefusedError("a live rehearsal works on Linux only")
    if os.geteuid() != 0:
        raise RefusedError(
            "a live rehearsal needs root: it loads a program into the kernel",
            hint="use sudo, or rehearse a command without root: imdsctl rehearse -- CMD",
        )


@contextlib.contextmanager
def _refusing_kindly() -> Iterator[None]:
    """What the kernel refuses becomes a refusal with a hint."""
    try:
        yield
    except BpfError as error:
        hint = "rehearse the command without the kernel's help: imdsctl rehearse -- CMD"
        if error.errno in (errno.EPERM, errno.EACCES):
            why = "root lacks CAP_BPF, CAP_NET_ADMIN or CAP_SYS_ADMIN here, or the kernel is locked"
        else:
            why = (
                f"it needs Linux 5.8 or newer with CONFIG_CGROUP_BPF; this is {os.uname().release}"
            )
        raise RefusedError(
            f"the kernel refused: {error.strerror}", detail=why, hint=hint
        ) from error


class _Rehearsing:
    """One rehearsal while it lasts."""

    def __init__(
        self,
        redirect: Redirect,
        target: Target,
        addresses: Mapping[int, tuple[str, int]],
        observe: Callable[[Seen], None] | None,
        stop: threading.Event,
    ) -> None:
        self._redirect = redirect
        self._target = target
        self._observe = observe
        self._began = time.monotonic()
        self._requests: list[Seen] = []
        self._dropped = 0
        self._covered: dict[int, bool] = {}
        self._not_covered: dict[int, str] = {}
        self._cgroup: int | None = None
        self._restarts = 0
        self._strays: list[str] = []
        self._stop = stop
        self._proxy = Proxy(redirect, self._heard, addresses)

    def run(
        self, seconds: float, grace: float, started: Callable[[], None] | None
    ) -> LiveRehearsal:
        """All of it."""
        cut = 0
        ended: LiveEnded = "time"
        open_before = 0
        try:
            with self._signals():
                open_before = self._target.open_connections()
                self._redirect.renew(LEASE)
                self._cover()
                self._check_cover()
                self._follow()
                self._began = time.monotonic()
                if started is not None:
                    started()
                ended = self._watch(self._began + seconds)
        finally:
            # First no new ones, then the end of those under way.
            lasted = time.monotonic() - self._began
            self._redirect.renew(0)
            self._redirect.detach()
            cut = self._proxy.close(grace)
        counters = self._redirect.counters()
        if self._target.only is not None:
            # The cgroup holds the rest of the machine, too, whose connects are not meant.
            counters = dataclasses.replace(counters, no_door=0)
        requests = tuple(sorted(self._requests, key=lambda one: one.at))
        return LiveRehearsal(
            target=self._target.name,
            cgroup=self._target.cgroup.name,
            asked_seconds=seconds,
            seconds=lasted,
            ended=ended,
            requests=requests,
            finding=judge(requests),
            namespaces=sum(self._covered.values()),
            restarts=self._restarts,
            open_before=open_before,
            passed_by=counters.no_door + counters.bound_to_device + counters.lapsed,
            cut=cut,
            limits=tuple(self._limits(counters, open_before, cut)),
        )

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals end the rehearsal in good order, where it is ours to say."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, lambda *_: self._stop.set()) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _watch(self, until: float) -> LiveEnded:
        """Keep it going until its time is up."""
        next_look = 0.0
        while not self._stop.wait(max(0.0, min(_TICK, until - time.monotonic()))):
            now = time.monotonic()
            if now >= until:
                return "time"
            self._redirect.renew(LEASE)
            self._follow()
            if now >= next_look:
                # Looking through a large cgroup must not become the machine's main work.
                self._cover()
                next_look = now + max(_TICK, _SHARE * (time.monotonic() - now))
            strays = self._redirect.strayed(_STRAYED)
            if strays:
                self._strays = sorted({one.comm for one in strays})
                return "withdrawn"
        return "interrupted"

    def _follow(self) -> None:
        """Attach, and again when the unit has been restarted into a new cgroup.

        Raises:
            BpfError: the kernel refused the first time.
        """
        number = self._target.cgroup.ino()
        if number is None or number == self._cgroup:
            return
        first = self._cgroup is None
        try:
            self._redirect.attach(self._target.cgroup.path)
        except OSError:
            if first:
                raise
            return  # gone again; the next look will tell
        self._restarts += not first
        self._cgroup = number

    def _cover(self) -> None:
        """Listen in every network namespace of the target that is new."""
        for number, pid in self._target.namespaces().items():
            if number in self._covered:
                continue
            try:
                namespace = NetworkNamespace(pid)
            except OSError:
                continue  # the process is gone; another will show the namespace
            if namespace.ino != number:
                namespace.close()
                continue
            try:
                door = self._proxy.open_door(namespace)
                v4, v6 = (door.ports.get(one, 0) for one in (socket.AF_INET, socket.AF_INET6))
                self._redirect.open_door(door.cookie, v4, v6)
                self._covered[number] = True
            except OSError as error:
                namespace.close()
                self._covered[number] = False
                self._not_covered[number] = os.strerror(error.errno or 0)

    def _check_cover(self) -> None:
        if self._not_covered and not any(self._covered.values()):
            raise RefusedError(
                f"cannot listen in the network of {self._target.name}: "
                + ", ".join(sorted(set(self._not_covered.values()))),
                detail="its connections can be sent to its own loopback only",
                hint="it takes CAP_SYS_ADMIN, and a loopback interface there that is up",
            )

    def _heard(self, heard: Heard) -> None:
        """One request; called by one thread at a time."""
        if len(self._requests) >= _MOST:
            self._dropped += 1
            return
        one = seen_of(heard, self._began)
        self._requests.append(one)
        if self._observe is not None:
            self._observe(one)

    def _limits(self, counters: Counters, open_before: int, cut: int) -> Iterator[str]:
        if self._strays:
            yield (
                f"ended early, and let go: connections of {', '.join(self._strays)} did not reach "
                "the proxy on loopback (IPAddressDeny=, a packet filter, or too many at once)"
            )
        for number, why in self._not_covered.items():
            yield f"network namespace {number} was left alone, nothing could listen there: {why}"
        told = (
            (open_before, "connections were open before it began, and were not looked into"),
            (counters.no_door, "connects came from a network namespace that was not covered yet"),
            (counters.bound_to_device, "connects were bound to a network device"),
            (counters.lapsed, "connects came while the proxy was stalled"),
            (counters.unattributed, "connections could not be attributed to a process"),
            (self._dropped, "requests more were refused or passed on, and not listed"),
            (cut, "connections were cut at the end"),
        )
        for number, what in told:
            if number:
                yield f"{number} {what}"
        if self._restarts:
            yield (
                f"the target was restarted {self._restarts} times: what it asked in the first "
                f"{_TICK:g} s of each start may have reached the real service unseen"
            )
        if not sees_all_pids():
            yield "not in the first pid namespace: process ids are the machine's, without programs"
        yield (
            "silence is no proof: only what the target asked in this time was seen, not what it "
            "asks at its start, at night or when its credentials run out"
        )


def seen_of(heard: Heard, began: float) -> Seen:
    """A request as a rehearsal reports it; `began` is on CLOCK_MONOTONIC, in seconds."""
    passed, caller, process = heard.passed, heard.caller, heard.process
    asked_token = passed.request.version == "token"
    unanswered = asked_token and passed.status is None and passed.waited >= PATIENCE / 2
    return Seen(
        at=max(0.0, passed.began - began),
        version=_VERSIONS[passed.request.version],
        method=passed.request.method,
        path=passed.request.path,
        status=passed.status,
        # An answer that stayed out was lost on its way here: we asked from the client's side.
        arrived=False if unanswered else None,
        pid=caller.pid if caller else None,
        ppid=process.ppid if process else None,
        comm=caller.comm if caller else "",
        exe=process.exe if process else "",
        cmdline=process.cmdline if process else (),
        parent=process.parent if process else "",
        user_agent=passed.request.user_agent,
        dst=ADDRESSES[heard.family][0],
    )
