"""What was asked: counters, the last requests, and the access log."""

import json
import logging
import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TextIO

from imdsctl.imds.decide import NO_TOKEN, NO_TOKEN_REJECTED

logger = logging.getLogger(__name__)

LONGEST_PATH = 2048
LONGEST_USER_AGENT = 256
KINDS = ("v1", "v2", "token")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, without anything secret: of headers, only the user agent; no body, no query.

    Attributes:
        ts: when it was answered, seconds since 1970.
        method: as sent.
        path: without the query.
        version: `v1`, `v2` or `token`.
        status: of the answer; None where none was given.
        user_agent: as sent, shortened.
        peer: address and port of the client.
        rule: the row of the decision table that answered, or `fault`.
    """

    ts: float
    method: str
    path: str
    version: str
    status: int | None
    user_agent: str
    peer: str
    rule: str

    def as_dict(self) -> dict[str, object]:
        """The call as the access log and the control endpoint show it, the time in RFC 3339."""
        at = datetime.fromtimestamp(self.ts, UTC).isoformat(timespec="milliseconds")
        return {**asdict(self), "ts": at.replace("+00:00", "Z")}


class Calls:
    """Counts and remembers calls.

    Args:
        remember: how many calls are kept; all are counted.
        log: where a JSON line for each goes.
    """

    def __init__(self, remember: int, log: TextIO | None) -> None:
        self._kept: deque[Call] = deque(maxlen=remember)
        self._log = log
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int | None]] = Counter()
        self._metrics: Counter[str] = Counter()
        self._lost = 0

    def add(self, call: Call, counted: str | None) -> None:
        """Take note of a call, and of the CloudWatch metric that it belongs to."""
        with self._lock:
            self._kept.append(call)
            self._answers[call.version, call.status] += 1
            if counted is not None:
                self._metrics[counted] += 1
        if self._log is not None:
            try:
                self._log.write(json.dumps(call.as_dict()) + "\n")
                self._log.flush()
            except OSError as error:
                # A full disk or a reader that is gone is no reason to answer nobody any more.
                logger.warning("the access log ends here: %s", error.strerror)
                self._log = None

    def lose(self) -> None:
        """A token's answer did not arrive before its client went away."""
        with self._lock:
            self._lost += 1

    def clear(self) -> None:
        """Forget all, counters included."""
        with self._lock:
            self._kept.clear()
            self._answers.clear()
            self._metrics.clear()
            self._lost = 0

    def list(self) -> list[Call]:
        """The calls that are kept, oldest first."""
        with self._lock:
            return list(self._kept)

    def count(self, version: str) -> int:
        """How many calls spoke so: `v1`, `v2` or `token`."""
        with self._lock:
            return sum(n for (kind, _), n in self._answers.items() if kind == version)

    def metric(self, name: str) -> int:
        """How many calls one of CloudWatch's two metrics counts."""
        with self._lock:
            return self._metrics[name]

    @property
    def lost(self) -> int:
        """Token answers that never arrived, as far as a closing client shows it."""
        with self._lock:
            return self._lost

    def prometheus(self, instance_id: str) -> str:
        """All counters in Prometheus's text format, CloudWatch's two under their own names."""
        with self._lock:
            answers = sorted(self._answers.items(), key=lambda one: (one[0][0], one[0][1] or 0))
            metrics = dict(self._metrics)
            lost = self._lost
        label = f'instance_id="{_escaped(instance_id)}"'
        lines = []
        for name, text in _CLOUDWATCH.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} counter"]
            lines.append(f"{name}{{{label}}} {metrics.get(name, 0)}")
        lines += [
            "# HELP imdsctl_imds_requests_total Requests by version and status; none: no answer.",
            "# TYPE imdsctl_imds_requests_total counter",
        ]
        for (version, status), number in answers:
            lines.append(
                f'imdsctl_imds_requests_total{{{label},version="{version}",'
                f'status="{status or "none"}"}} {number}'
            )
        lines += [
            "# HELP imdsctl_imds_token_answers_lost_total Token answers that did not arrive.",
            "# TYPE imdsctl_imds_token_answers_lost_total counter",
            f"imdsctl_imds_token_answers_lost_total{{{label}}} {lost}",
        ]
        return "\n".join(lines) + "\n"


_CLOUDWATCH = {
    NO_TOKEN: "Requests without a session token that were answered.",
    NO_TOKEN_REJECTED: "Requests without a session token that were refused.",
}


def printable(text: str, longest: int) -> str:
    """The text, shortened, and with nothing in it that could break a line or a terminal."""
    return "".join(one if " " <= one <= "~" else "?" for one in text[:longest])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
