"""Lines of AWS's IMDS packet analyzer come in; trace lines as `imdsctl host trace` has go out.

The analyzer (github.com/aws/aws-imds-packet-analyzer) writes one line for each packet that a
process sends to 169.254.169.254. Its time is `2022-12-20T11:03:58` by its logging.conf, or Python's
own `2022-12-20 11:03:58,123` without one, in the host's local time and without an offset; newer
versions add the request behind `Req details:`.

Its labels cannot all be believed: whatever holds the token header counts as IMDSv2, the token
request itself too, and a header beyond the first buffer of a send is not seen, so that an IMDSv2
call may be called IMDSv1. Where the request stands in the line, it decides; it is never IPv6, and
responses are not seen at all. What rests on it is of low confidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from imdsctl.imds.decide import TOKEN_PATH

_LINE = re.compile(
    r"\[(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:,(?P<millis>\d{1,6}))?\] "
    r"\[(?P<level>[A-Z]+)\] (?P<missing>\{MISSING PAYLOAD\} )?"
    r"IMDS(?P<version>v1\(!\)|v2) (?P<rest>\(pid:.*)"
)
_PROCESS = re.compile(
    r"\(pid:(?P<pid>\d+)"
    r"(?::(?P<comm>.{0,15}?) argv:(?P<argv>.*?)| Unable to get argv information)\)"
    r"(?= called by -> \(pid:| -> \(pid:| Req details: |$)"
)
_REQUEST = re.compile(r"(?P<method>[A-Z]{3,16}) (?P<path>/\S*) HTTP/\d")
_AGENT = re.compile(r"(?:^|, )user-agent: (?P<agent>[^,]{0,256})", re.IGNORECASE)
_DETAILS = " Req details: "


def is_analyzer_line(text: str) -> bool:
    """Whether a line is one of the packet analyzer's about a request."""
    return _LINE.match(text) is not None


def trace_lines(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The requests that the lines tell of; lines about anything else are passed over.

    The members are those of a trace line; `status` and `container` are None, for the analyzer
    knows neither, and `guess` says that the version rests on the analyzer's label alone.
    """
    for text in texts:
        found = _LINE.match(text.rstrip("\r\n"))
        if found is not None:
            line = _trace_line(found)
            if line is not None:
                yield line


def _trace_line(found: re.Match[str]) -> dict[str, Any] | None:
    processes, _, details = found["rest"].partition(_DETAILS)
    callers = list(_PROCESS.finditer(processes))
    if not callers:
        return None
    request = _REQUEST.match(details)
    version, guess = _version(found, details, request)
    agent = _AGENT.search(details)
    first = callers[0]
    fraction = f".{found['millis']}" if found["millis"] else ""
    return {
        "ts": f"{found['day']}T{found['time']}{fraction}Z",
        "version": version,
        "method": request["method"] if request else None,
        "path": request["path"].partition("?")[0] if request else None,
        "pid": int(first["pid"]),
        "comm": first["comm"] or "",
        "exe": None,
        "cmdline": first["argv"] or "",
        "ancestors": [
            {"pid": int(one["pid"]), "comm": one["comm"] or "", "exe": None} for one in callers[1:]
        ],
        "container": None,
        "user_agent": agent["agent"].strip() if agent else None,
        "status": None,
        "dst": "169.254.169.254",
        "guess": guess,
    }


def _version(found: re.Match[str], details: str, request: re.Match[str] | None) -> tuple[str, bool]:
    """Which version the request is of, and whether that is the analyzer's word alone."""
    labelled = "v2" if found["version"] == "v2" else "v1"
    if request is None or found["missing"]:
        return labelled, True
    if request["method"] == "PUT" and request["path"].partition("?")[0] == TOKEN_PATH:
        return "token", False
    if re.search(r"(?:^|, )x-aws-ec2-metadata-token: ?", details, re.IGNORECASE):
        return "v2", False
    # The header may stand in a part of the request that the analyzer did not see.
    return labelled, labelled == "v1"
