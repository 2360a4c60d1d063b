"""`imdsctl host`: what is done on the instance itself."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Group, Parameter, validators

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.host_audit import audit
from imdsctl.cli.screen import Screen
from imdsctl.host.probe import ENDPOINT, TIMEOUT, exit_code
from imdsctl.host.probe import probe as ask

__all__ = ["audit", "probe", "trace"]

_LOG = Group("The log", sort_key=10)
_ONLY = Group("What is written", sort_key=20)
_AS = Group("Where it runs", sort_key=30)
_SECONDS = validators.Number(gt=0)
_VERDICTS: Final = {
    "v2-only": ("V2 only: v1 is refused, v2 works", "green"),
    "v1-allowed": ("IMDSv1 still answers", "red"),
    "imds-off": ("the metadata service is switched off", "green"),
    "v2-unreachable": ("asks for a token get no answer: the hop limit, most likely", "red"),
    "broken": ("it does not answer as a metadata service does", "red"),
}
_NEXT: Final = {
    "v1-allowed": "who calls v1: imdsctl explain ID      require v2: imdsctl plan",
    "v2-unreachable": "raise the hop limit, or give what runs here an identity of its own",
    "broken": "is this an EC2 instance? a proxy, a firewall rule or a missing route are the usual "
    "reasons; docs/probe.md",
}


def probe(
    *,
    endpoint: str = ENDPOINT,
    ipv6_endpoint: str | None = None,
    timeout: Annotated[float, Parameter(validator=_SECONDS)] = TIMEOUT,
    container_pid: int | None = None,
    no_container: Annotated[bool, FLAG] = False,
    sts: Annotated[bool, FLAG] = False,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """What the metadata service answers on this host: v1, v2, credentials, containers.

    Exit 0 for V2 only or IMDS off, 1 for anything worse, 3 where nothing answered.

    Args:
        endpoint: Where the service is.
        ipv6_endpoint: Where it is over IPv6.
        timeout: Seconds for each request.
        container_pid: A process in the container to ask from; else one is looked for (root).
        no_container: Look for no container.
        sts: Ask AWS who this host is, through the AWS CLI or botocore.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    answer = ask(
        endpoint,
        ipv6_endpoint=ipv6_endpoint,
        timeout=timeout,
        container_pid=container_pid,
        look_for_container=not no_container,
        sts=sts,
    )
    if output == "json":
        screen.data(json.dumps(answer, indent=2) + "\n")
    else:
        _table(screen, answer)
    return exit_code(answer)


def trace(
    *,
    method: Literal["auto", "bpf", "packet"] = "auto",
    seconds: Annotated[str | None, Parameter(name="--for")] = None,
    version: Annotated[Literal["v1", "v2", "token"] | None, Parameter(group=_ONLY)] = None,
    comm: Annotated[str | None, Parameter(group=_ONLY)] = None,
    pid: Annotated[int | None, Parameter(group=_ONLY)] = None,
    container: Annotated[str | None, Parameter(group=_ONLY)] = None,
    cgroup: str | None = None,
    json_lines: Annotated[bool, FLAG, Parameter(name="--json")] = False,
    file: Annotated[Path | None, Parameter(group=_LOG)] = None,
    rotate_size: Annotated[str | None, Parameter(group=_LOG)] = None,
    rotate_age: Annotated[str | None, Parameter(group=_LOG)] = None,
    keep: Annotated[int, Parameter(group=_LOG, validator=validators.Number(gte=0))] = 5,
    since_boot: Annotated[bool, FLAG, Parameter(group=_AS)] = False,
    buffer: Annotated[str, Parameter(group=_AS)] = "4M",
    host_root: Annotated[Path, Parameter(group=_AS)] = Path("/"),
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Who calls IMDS on this host: every request, its process, and what each program has to do.

    Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN. Ctrl-C ends it with a summary; SIGUSR1
    asks for one in between. Exit 0 if nobody called IMDSv1, 1 if somebody did, 3 if nobody was
    seen to but requests were lost or not the whole host was looked at, 5 if it cannot work here.

    Args:
        method: bpf sees every process in every network; packet, without BPF, its own network.
        seconds: How long: 90s, 15m, 1h30m, 2d. Until it is stopped if not given.
        version: Only requests of this kind.
        comm: Only of programs of this name.
        pid: Only of this process.
        container: Only of this container: its name, its id or the beginning of that.
        cgroup: Trace this cgroup only, and those below it.
        json_lines: A JSON object a line, as -o json.
        file: A log of JSON lines beside what is printed; `imdsctl scan --traces` reads it.
        rotate_size: Begin a new log at this size: 64K, 100M, 1G.
        rotate_age: Begin a new log at this age: 12h, 7d.
        keep: How many old logs are kept.
        since_boot: It is started at the boot, as a service; the log then says so.
        buffer: Bytes for what has not been read yet, a power of two from 4K to 1G.
        host_root: Where the host's files are, when this runs in a container.
        output: A table for people, or JSON lines.
        common: The options that every command has.
    """
    from imdsctl.cli.trace_view import run_trace  # noqa: PLC0415 - only for this command

    return run_trace(
        Screen(common),
        as_json=json_lines or output == "json",
        words={"seconds": seconds, "rotate_size": rotate_size, "rotate_age": rotate_age,
               "buffer": buffer},
        values={"method": method, "version": version, "comm": comm, "pid": pid,
                "container": container, "file": file, "keep": keep, "since_boot": since_boot,
                "host_root": host_root, "cgroup": cgroup},
    )  # fmt: skip


def _table(screen: Screen, answer: dict[str, Any]) -> None:
    text, style = _VERDICTS[answer["verdict"]]
    screen.line((answer["verdict"].upper(), style), f"  {text}", hang=2)
    for name, label in (
        ("v1", "without a token"),
        ("token", "asking for a token"),
        ("v2", "with a token"),
        ("ipv6", "over IPv6"),
        ("ecs_agent", "ECS agent"),
        ("kubelet", "kubelet"),
    ):
        status = answer[name]["status"]
        unasked = name == "v2" and answer["token"]["status"] != HTTPStatus.OK
        nothing = "not asked: there is no token" if unasked else "no answer"
        screen.line(f"  {label:20} {status or nothing}")
    credentials = answer["credentials"]
    fields = f"yes: {', '.join(credentials['fields'])} (values not shown)"
    screen.line(f"  {'credentials':20} {fields if credentials['found'] else 'none'}", hang=23)
    reaches = {True: "yes", False: "no: the hop limit is too low for it"}.get(
        answer["hop_limit_reaches"], f"not known: {answer['hop_limit_why']}"
    )
    screen.line(f"  {'reaches a container':20} {reaches}", hang=23)
    if answer["sts"] is not None:
        found = answer["sts"]
        said = f"{found['arn']} (through {found['via']})" if found["ok"] else "no answer"
        screen.line(f"  {'caller identity':20} {said}", hang=23)
    if answer["verdict"] in _NEXT:
        screen.next(_NEXT[answer["verdict"]])
