"""The simulated AWS on a loopback port: an HTTP server over the extended moto."""

import ipaddress
import json
import logging
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self
from urllib.parse import unquote, urlencode

from imdsctl.simulator import accounts, control, replies, within, world
from imdsctl.simulator.accounts import Accounts
from imdsctl.simulator.budgets import Budgets
from imdsctl.simulator.calls import Call, CallLog, Reply, read_call
from imdsctl.simulator.faults import Fault, Faults
from imdsctl.simulator.fleetfile import Fleet
from imdsctl.simulator.httpserver import Server
from imdsctl.simulator.motoapp import Moto

_log = logging.getLogger(__name__)
# moto's state is one per process, so only one simulated AWS can run in it at a time.
_in_use = threading.Lock()
_SERVICE_KEY = "AKIASERVICEOFAWSITSE"
_UNSIGNED = frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})


class SimulatedAws:
    """A simulated AWS that serves a fleet on loopback; a context manager.

    Args:
        fleet: what exists at the start; None means one account with nothing in it.
        port: the TCP port; 0 lets the operating system choose.
        host: a loopback address.

    Attributes:
        world: the clock, the schedule and the lives of the instances.
        accounts: who may call, and where.
        calls: the count of every AWS call.
        faults: the faults in force.
        budgets: AWS's published rates, enforced when asked.

    Raises:
        ValueError: `host` is no loopback address.
        RuntimeError: on entry, if another one runs in this process.
        OSError: on entry, if the port is taken.
    """

    def __init__(self, fleet: Fleet | None = None, port: int = 0, host: str = "127.0.0.1") -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the simulated AWS serves loopback only, not {host}")
        self.fleet = fleet
        self.world = world.World(fleet.start if fleet is not None else None)
        self.accounts = Accounts(fleet)
        self.calls = CallLog()
        self.faults = Faults()
        self.budgets = Budgets()
        self.closing = threading.Event()
        self._address = (host, port)
        self._server: Server | None = None
        self._moto: Moto | None = None

    def __enter__(self) -> Self:
        if not _in_use.acquire(blocking=False):
            raise RuntimeError("another simulated AWS is running in this process")
        try:
            self._server = Server(self._address, self.answer)
            self.world.address = (self._address[0], self._server.server_address[1])
            with self.world.lock:
                self._moto = _prepare_moto(self)
        except BaseException:
            self._close()
            raise
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="simulated-aws", daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._close()

    def _close(self) -> None:
        self.closing.set()
        self.world.errands.stop()
        if self._server is not None:
            self._server.hang_up()
            self._server.server_close()
        _in_use.release()

    @property
    def url(self) -> str:
        """The endpoint, for `AWS_ENDPOINT_URL`."""
        assert self._server is not None, "the simulated AWS is not running"
        host, port = self._server.server_address[:2]
        text = host.decode() if isinstance(host, bytes | bytearray) else host
        return f"http://[{text}]:{port}" if ":" in text else f"http://{text}:{port}"

    def control(self, path: str, body: object = None) -> Any:
        """Call the control endpoint over HTTP: GET, or POST if there is a body.

        Args:
            path: what follows `/_imdsctl/`, e.g. `clock`.
            body: what to post, as JSON.

        Raises:
            ValueError: the endpoint refused the call; the text says why.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.url}{control.PREFIX}{path}", data=data
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=600) as response:
                content, text = response.headers.get_content_type(), response.read().decode()
        except urllib.error.HTTPError as problem:
            with problem:
                raise ValueError(json.loads(problem.read())["error"]) from problem
        if content == "application/x-ndjson":
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Answer one HTTP request; None means to close the connection without a word."""
        path = target.partition("?")[0]
        if path.startswith(control.PREFIX):
            return control.answer(self, method, unquote(path), body)
        call = read_call(method, target, headers, body)
        identity = self.accounts.identity(call.access_key)
        call = replace(call, account=identity.account)
        if not call.access_key and call.operation not in _UNSIGNED:
            message = "Request is missing Authentication Token"
            return replies.error(call, "MissingAuthenticationToken", message, 403)

        with self.world.lock:
            self.world.catch_up()
            self.calls.arrived(call, self.world.now)
            fault = self.faults.strike(call)
        if fault is not None and fault.fault in {"slow", "timeout"}:
            # Outside the lock: the other clients go on while this one waits.
            self.closing.wait(fault.seconds)
        with self.world.lock:
            self.world.catch_up()
            refusal = self._refusal(call, fault, identity.arn)
            if refusal is not None:
                return refusal
            if fault is not None and fault.fault == "timeout":
                return None
            reply = self._perform(call, method, target, headers, body)
            if fault is not None and fault.fault == "duplicated":
                reply = self._perform(call, method, target, headers, body)
        if fault is not None and fault.fault == "lost-response":
            return None
        return _garble(reply) if fault is not None and fault.fault == "garbled" else reply

    def within(
        self, account: str, region: str, service: str, parameters: Mapping[str, str], who: str
    ) -> Reply:
        """A call that one of the services here makes to another, on behalf of `who`.

        It is counted, refused and met by faults like any other; nobody waits for a slow one.
        """
        body = urlencode(parameters).encode()
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "authorization": "AWS4-HMAC-SHA256 "
            f"Credential={_SERVICE_KEY}/20210301/{region}/{service}/aws4_request",
        }
        call = replace(read_call("POST", "/", headers, body), account=account)
        with self.world.lock:
            self.calls.arrived(call, self.world.now)
            fault = self.faults.strike(call)
            refusal = self._refusal(call, fault, who)
            if refusal is not None:
                return refusal
            silent = fault is not None and fault.fault in {"timeout", "lost-response", "garbled"}
            reply = self._perform(call, "POST", "/", headers, body)
            return replies.internal(call) if silent else reply

    def _refusal(self, call: Call, fault: Fault | None, who: str) -> Reply | None:
        kind = fault.fault if fault is not None else None
        refusal = None
        if kind == "throttle":
            self.calls.throttled(call)
            refusal = replies.throttled(call)
        elif kind == "500":
            refusal = replies.internal(call)
        elif kind == "503":
            refusal = replies.unavailable(call)
        elif kind == "expired":
            refusal = replies.expired(call)
        elif kind == "denied" or self.accounts.denies(call):
            refusal = replies.denied(call, who)
        elif not self.budgets.admit(call, self.world.now):
            self.calls.throttled(call)
            refusal = replies.throttled(call)
        return refusal

    def _perform(
        self, call: Call, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        assert self._moto is not None
        try:
            return self._moto.perform(call, method, target, headers, body)
        except NotImplementedError:
            message = f"The action {call.operation} is not valid for this web service."
            return replies.error(call, "InvalidAction", message)
        except Exception:  # noqa: BLE001 - whatever breaks in moto, a client sees AWS's 500
            _log.exception("%s %s in %s failed", call.service, call.operation, call.region)
            return replies.internal(call)


def serve(fleet: Fleet | None, port: int, ready: Callable[[str], None]) -> None:
    """Serve `fleet` until SIGINT or SIGTERM arrives. Call it from the main thread.

    Args:
        fleet: what exists at the start.
        port: the TCP port; 0 lets the operating system choose.
        ready: called with the endpoint's URL once it answers.
    """
    done = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: done.set()) for number in signals}
    try:
        with SimulatedAws(fleet, port) as aws:
            ready(aws.url)
            done.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _prepare_moto(aws: SimulatedAws) -> Moto:
    """Empty moto, extend it, fill it with the fleet, and give its applications."""
    # moto would take every call for this account's, whoever signed it.
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    # moto is slow to import, and reads its settings when it is.
    from imdsctl.simulator import _moto_env  # noqa: F401, PLC0415, I001

    from moto.core.base_backend import BackendDict  # noqa: PLC0415
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        create_backend_app,
    )

    from imdsctl.simulator import (  # noqa: PLC0415
        autoscaling,
        beanstalk,
        cloudwatch,
        ec2,
        ecs,
        eks,
        seed,
        ssm,
    )

    BackendDict.reset()
    world.use(aws.world)
    accounts.use(aws.accounts)
    within.use(aws.within)
    for room in (accounts, ec2, autoscaling, cloudwatch, eks, ecs, beanstalk, ssm):
        room.install()
    if aws.fleet is not None:
        seed.seed(aws.world, aws.fleet)
    return Moto(DomainDispatcherApplication(create_backend_app))


def _garble(reply: Reply) -> Reply:
    """A reply that a broken proxy might make of it: status 200, cut off in the middle of a tag."""
    body = reply.body
    half = body[: body.rfind(b"<", 0, max(2, len(body) // 2)) + 2] if b"<" in body else body[:-1]
    return Reply(200, reply.headers, half)
