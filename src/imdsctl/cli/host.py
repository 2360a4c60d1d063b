"""`imdsctl host`: what is done on the instance itself."""

import json
from typing import Annotated, Any, Final

from cyclopts import Parameter, validators

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.host_audit import audit
from imdsctl.cli.screen import Screen
from imdsctl.host.probe import ENDPOINT, TIMEOUT, exit_code
from imdsctl.host.probe import probe as ask

__all__ = ["audit", "probe"]

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
        screen.line(f"  {label:20} {status or 'no answer'}")
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
