"""What the metadata service of this host answers: v1, v2, credentials, containers, neighbours.

Run it on the instance, or point it at an emulator. Names of credential fields are reported, values
never are; session tokens are used and forgotten. `probe.sh` beside this file does the same in
plain shell and prints the same JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SCHEMA = "imdsctl/host-probe/v1"
ENDPOINT = "http://169.254.169.254"
ENDPOINT_IPV6 = "http://[fd00:ec2::254]"
"""Where instances have the service (EC2 User Guide, "Access instance metadata")."""

ECS_AGENT = "http://127.0.0.1:51678/v1/metadata"
KUBELET = "http://127.0.0.1:10248/healthz"
"""The ECS agent's introspection (ECS Developer Guide) and the kubelet's health (Kubernetes
documentation, "Healthz"), on the host itself."""

TIMEOUT = 2.0
"""Seconds; the service answers in milliseconds, so silence is the hop limit or nobody there."""

_TTL = "60"
_ITEM = "/latest/meta-data/instance-id"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_ROLE = re.compile(r"[\w+=,.@-]{1,128}")
_LARGEST = 65536
_LONGEST = 3600.0
_NEW_NETWORK = 0x40000000

_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403


def probe(
    endpoint: str = ENDPOINT,
    *,
    ipv6_endpoint: str | None = None,
    timeout: float = TIMEOUT,
    container_pid: int | None = None,
    look_for_container: bool = True,
    sts: bool = False,
) -> dict[str, Any]:
    """Ask the metadata service as the migration guides do, and say what that means.

    The one request without a token counts as one in the metric MetadataNoToken (or
    MetadataNoTokenRejected): a v2-only instance shows one refused call.

    Args:
        endpoint: where the service is.
        ipv6_endpoint: where it is over IPv6; the standard address if `endpoint` is, else none.
        timeout: seconds for each request.
        container_pid: a process whose network is to be looked at from; else one is looked for.
        look_for_container: whether to.
        sts: ask AWS who this host is, through the AWS CLI or botocore.

    Returns:
        The answer, as `docs/probe.md` describes it; `verdict` sums it up.
    """
    endpoint = endpoint.rstrip("/")
    if ipv6_endpoint is None and endpoint == ENDPOINT:
        ipv6_endpoint = ENDPOINT_IPV6
    v1, _ = _ask(endpoint, "GET", _ITEM, {}, timeout)
    asked, token = _ask(endpoint, "PUT", "/latest/api/token", {_TTL_HEADER: _TTL}, timeout)
    headers = {_TOKEN_HEADER: token.decode("latin-1").strip()}
    v2 = None
    role_status: int | None = None
    found = False
    fields: list[str] = []
    if asked == _OK:
        v2, _ = _ask(endpoint, "GET", _ITEM, headers, timeout)
        role_status, found, fields = _credentials(endpoint, headers, timeout)
    reaches, why_not = _reach(endpoint, timeout, container_pid, look=look_for_container)
    ipv6 = _ipv6(ipv6_endpoint, headers if asked == _OK else {}, timeout)
    return {
        "schema": SCHEMA,
        "endpoint": endpoint,
        "v1": {"status": v1},
        "token": {"status": asked},
        "v2": {"status": v2},
        "credentials": {"found": found, "fields": fields},
        "hop_limit_reaches": reaches,
        "hop_limit_why": why_not,
        "ipv6": {"status": ipv6},
        "ecs_agent": {"status": _status(ECS_AGENT, timeout)},
        "kubelet": {"status": _status(KUBELET, timeout)},
        "sts": _caller_identity() if sts else None,
        "verdict": verdict_on(v1, asked, v2, resolves=found or role_status != _OK),
    }


def verdict_on(v1: int | None, token: int | None, v2: int | None, *, resolves: bool) -> str:
    """One word for the three statuses; None stands for no answer.

    Args:
        v1: of a request without a token.
        token: of the request for one.
        v2: of a request with it.
        resolves: False where a role is there and its credentials are not.
    """
    if v1 == _FORBIDDEN and token == _FORBIDDEN:
        return "imds-off"
    if v1 in (_OK, _UNAUTHORIZED) and token is None:
        return "v2-unreachable"
    if token != _OK or v2 != _OK or not resolves:
        return "broken"
    return {_UNAUTHORIZED: "v2-only", _OK: "v1-allowed"}.get(v1 or 0, "broken")


def exit_code(answer: dict[str, Any]) -> int:
    """0 for v2-only and imds-off, 3 where nothing answered at all, else 1."""
    if answer["v1"]["status"] is None and answer["token"]["status"] is None:
        return 3
    sts = answer["sts"]
    # Where nothing on the host could ask, nothing is known of it.
    bad_sts = sts is not None and sts["via"] is not None and not sts["ok"]
    return int(bad_sts or answer["verdict"] not in ("v2-only", "imds-off"))


def _ask(
    endpoint: str, method: str, path: str, headers: dict[str, str], timeout: float
) -> tuple[int | None, bytes]:
    """Status and body; no status where nothing, or nothing sensible, came back. No proxy."""
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=timeout)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(_LARGEST)
    except (OSError, http.client.HTTPException, ValueError):
        return None, b""
    finally:
        connection.close()


def _status(url: str, timeout: float) -> int | None:
    where = urlsplit(url)
    return _ask(f"{where.scheme}://{where.netloc}", "GET", where.path, {}, timeout)[0]


def _credentials(
    endpoint: str, headers: dict[str, str], timeout: float
) -> tuple[int | None, bool, list[str]]:
    """Status of the list of roles, whether the first one's credentials are there, their names."""
    status, body = _ask(endpoint, "GET", _ROLES, headers, timeout)
    role = body.decode("latin-1").partition("\n")[0].strip()
    if status != _OK or not _ROLE.fullmatch(role):
        return status, False, []
    got, body = _ask(endpoint, "GET", _ROLES + role, headers, timeout)
    if got != _OK:
        return status, False, []
    try:
        members = json.loads(body)
        found = members.get("Code") == "Success" and bool(members.get("AccessKeyId"))
        return status, found, list(members)
    except (ValueError, AttributeError):
        return status, False, []


def _ipv6(endpoint: str | None, headers: dict[str, str], timeout: float) -> int | None:
    if endpoint is None:
        return None
    return _ask(endpoint.rstrip("/"), "GET", _ITEM, headers, timeout)[0]


def _reach(
    endpoint: str, timeout: float, pid: int | None, *, look: bool
) -> tuple[bool | None, str | None]:
    """Whether a token's answer reaches a container on this host, or why that is not known."""
    if pid is None:
        if not look:
            return None, "not asked for"
        if os.geteuid() != 0:
            return None, "needs root"
        if _link("/proc/1/ns/net") not in ("", _link("/proc/self/ns/net")):
            return None, "not in the host's own network"
        pid = _container()
        if pid is None:
            return None, "no container found"
    status = _token_status_inside(pid, endpoint, timeout)
    if status == "":
        return None, "the container could not be entered"
    return status == str(_OK), None


def _container() -> int | None:
    """The first process in another network that has a way out: in a container, most likely."""
    own = _link("/proc/self/ns/net")
    for pid in sorted(int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()):
        namespace = _link(f"/proc/{pid}/ns/net")
        if not namespace or namespace == own:
            continue
        try:
            with Path(f"/proc/{pid}/net/route").open(encoding="ascii") as table:
                rows = [line.split() for line in table]
        except OSError:
            continue
        if any(len(row) > 1 and row[1] == "00000000" for row in rows):
            return pid
    return None


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - the text, not a path
    except OSError:
        return ""


def _token_status_inside(pid: int, endpoint: str, timeout: float) -> str:
    """The status of a token request from inside; `none` for no answer, empty if not possible."""
    heard, said = os.pipe()
    child = os.fork()
    if not child:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
                entered = libc.setns(namespace.fileno(), _NEW_NETWORK) == 0
            if entered:
                headers = {_TTL_HEADER: _TTL}
                status, _ = _ask(endpoint, "PUT", "/latest/api/token", headers, timeout)
                os.write(said, str(status or "none").encode("ascii"))
        finally:
            os._exit(0)
    os.close(said)
    with os.fdopen(heard, "rb") as answer:
        text = answer.read().decode("ascii")
    os.waitpid(child, 0)
    return text


def _caller_identity() -> dict[str, Any]:
    """Who AWS says this host is, through whatever client is there."""
    aws = shutil.which("aws")
    words = [aws or sys.executable]
    if aws:
        words += ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    else:
        words += ["-c", _BY_BOTOCORE]
    try:
        done = subprocess.run(words, capture_output=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return {"ok": False, "via": None, "arn": None}
    arn = done.stdout.decode("utf-8", "replace").strip()
    ok = done.returncode == 0 and arn.startswith("arn:")
    nobody = done.returncode == _NO_CLIENT and not aws
    via = None if nobody else "aws" if aws else "botocore"
    return {"ok": ok, "via": via, "arn": arn if ok else None}


_NO_CLIENT = 64

_BY_BOTOCORE = (
    "import sys\n"
    "try: from botocore.session import Session\n"
    f"except ImportError: sys.exit({_NO_CLIENT})\n"
    "s = Session()\n"
    "region = s.get_config_variable('region') or 'us-east-1'\n"
    "print(s.create_client('sts', region_name=region).get_caller_identity()['Arn'])\n"
)


def _url(text: str) -> str:
    """An address to ask, without a path of its own."""
    try:
        where = urlsplit(text)
        good = where.scheme == "http" and where.hostname and where.port != 0
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it as {ENDPOINT}")
    return text


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: seconds are a number above 0, as 2 or 0.5")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command line where there is nothing but Python: JSON on stdout, an exit code."""
    parser = argparse.ArgumentParser(
        prog="imdsctl-host.pyz probe",
        description="What IMDS answers on this host; JSON on stdout. Exit 0: v2 only, or off; "
        "1: v1 is allowed, or something is broken; 3: nothing answered at all.",
    )
    parser.add_argument("--endpoint", type=_url, default=ENDPOINT, help="where the service is")
    parser.add_argument("--ipv6-endpoint", type=_url, help="where it is over IPv6")
    parser.add_argument(
        "--timeout", type=_seconds, default=TIMEOUT, help="seconds for each request"
    )
    parser.add_argument("--container-pid", type=int, help="a process in the container to ask from")
    parser.add_argument("--no-container", action="store_true", help="look for no container")
    parser.add_argument("--sts", action="store_true", help="ask AWS who this host is")
    given = parser.parse_args(arguments)
    answer = probe(
        given.endpoint,
        ipv6_endpoint=given.ipv6_endpoint,
        timeout=given.timeout,
        container_pid=given.container_pid,
        look_for_container=not given.no_container,
        sts=given.sts,
    )
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return exit_code(answer)


if __name__ == "__main__":
    sys.exit(main())
