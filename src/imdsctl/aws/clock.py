"""The two clocks: the real one, and the one of the simulated AWS."""

import http.client
import ipaddress
import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from imdsctl.model.diagnostics import NoAwsError, UsageError
from imdsctl.ports import Clock

_PATH: Final = "/_imdsctl/clock"
# Moving the clock lets everything in between happen first: days of a large fleet take a while.
_TIMEOUT: Final = 300.0


class RealClock:
    """The time of the machine; waits really wait."""

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            time.sleep(seconds)


class SimulatedClock:
    """The clock of a simulated AWS: it tells the time, and a wait moves it forward.

    Threads that wait at the same time share the movement, as they would share real time.

    Args:
        endpoint_url: where the simulated AWS answers, on loopback.
    """

    def __init__(self, endpoint_url: str) -> None:
        parts = urlsplit(endpoint_url)
        self._host = parts.hostname or ""
        self._port = parts.port or 80
        self._moving = threading.Lock()

    def now(self) -> datetime:
        """The simulated present, in UTC.

        Raises:
            NoAwsError: the simulated AWS does not answer.
        """
        return self._ask("GET")

    def sleep(self, seconds: float) -> None:
        """Move the simulated clock forward by `seconds`.

        Raises:
            NoAwsError: the simulated AWS does not answer.
        """
        if seconds <= 0:
            return
        target = self.now() + timedelta(seconds=seconds)
        with self._moving:
            left = (target - self.now()).total_seconds()
            if left > 0:
                self._ask("POST", json.dumps({"advance_seconds": left}))

    def _ask(self, method: str, body: str | None = None) -> datetime:
        # A plain connection: neither a proxy nor credentials have a part in this.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, _PATH, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            # An error answer is JSON too, and has no time in it.
            return datetime.fromisoformat(json.loads(text)["now"]).astimezone(UTC)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as problem:
            raise NoAwsError(
                f"the simulated clock at {self._host}:{self._port} does not answer",
                detail=f"{method} {_PATH}: {problem}",
                hint="start `imdsctl simulate`, or unset IMDSCTL_CLOCK to use real time",
            ) from problem
        finally:
            connection.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clock_from_environment(environment: Mapping[str, str] = os.environ) -> Clock:
    """The real clock, or the simulated one where IMDSCTL_CLOCK=simulated asks for it.

    Raises:
        UsageError: IMDSCTL_CLOCK has another value, or AWS_ENDPOINT_URL names no simulated AWS
            on this machine (against the real AWS a wait that does not wait would be a disaster).
    """
    wanted = environment.get("IMDSCTL_CLOCK", "")
    if wanted in {"", "real"}:
        return RealClock()
    if wanted != "simulated":
        raise UsageError(
            f"IMDSCTL_CLOCK={wanted} is no clock", hint="use IMDSCTL_CLOCK=simulated, or unset it"
        )
    hint = "export both lines that `imdsctl simulate` prints"
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    if not endpoint:
        raise UsageError(
            "IMDSCTL_CLOCK=simulated needs AWS_ENDPOINT_URL, which is not set", hint=hint
        )
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme == "http" and _is_loopback(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"IMDSCTL_CLOCK=simulated needs a simulated AWS on this machine, not {endpoint}",
            detail="AWS_ENDPOINT_URL must be http:// on localhost, 127.0.0.1 or [::1]",
            hint=hint,
        )
    return SimulatedClock(endpoint)
