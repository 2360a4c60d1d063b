"""What Systems Manager knows of the instances: which are managed, and their agents.

The agent gets its credentials and its region from the metadata service (Systems Manager User Guide,
"Working with SSM Agent"); it speaks IMDSv2 since version 2.3.814.0 (release notes of the agent).
So an older one is cut off where tokens are required, and each one where the service is off. On AWS
that takes as long as the credentials that the agent still holds; here it shows at once.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from imdsctl.simulator.ec2.region import backend_of, state_of
from imdsctl.simulator.life import Life, Options
from imdsctl.simulator.world import current

AGENT: Final = "amazon-ssm-agent"
_PRESENT_AGENT: Final = "3.3.1142.0"
_FIRST_V2: Final = (2, 3, 814, 0)
_FIELDS: Final = {
    "InstanceIds": "InstanceId",
    "AgentVersion": "AgentVersion",
    "PingStatus": "PingStatus",
    "PlatformTypes": "PlatformType",
    "ResourceType": "ResourceType",
}
_PAGE: Final = 10
_LONGEST_PAGE: Final = 50
_OLD_FILTERS: Final = {"key": "Key", "valueSet": "Values"}


class Refused(ServiceException):
    """A call that Systems Manager refuses, with AWS's error code and message."""


def version_of(life: Life, package: str) -> tuple[int, ...] | None:
    """The version of a package as numbers, None where the fleet file does not name it."""
    text = next((one for one in life.software if one.split(" ")[0] == package), "")
    numbers = re.findall(r"\d+", text.partition(" ")[2])
    return tuple(map(int, numbers)) if numbers else None


def options_of(life: Life) -> Options:
    """The metadata options in force."""
    return life.options[-1][1] if life.options else Options()


def is_connected(life: Life) -> bool:
    """Whether the agent can reach Systems Manager."""
    options = options_of(life)
    if options.http_endpoint == "disabled":
        return False
    version = version_of(life, AGENT)
    return version is None or version >= _FIRST_V2 or options.http_tokens == "optional"


def managed(account: str, region: str, after: int = 0) -> Iterator[tuple[Any, Life]]:
    """The running instances that Systems Manager manages, oldest first, from a number on."""
    lives = current().lives
    for instance in state_of(backend_of(account, region)).after(after):
        life = lives.get(instance.id)
        if life is not None and life.ssm and instance.state == "running":
            yield instance, life


def describe_instance_information(self: Any) -> ActionResult:
    """DescribeInstanceInformation, paged, with AWS's filters."""
    size = int(self._get_param("MaxResults") or _PAGE)
    if not 5 <= size <= _LONGEST_PAGE:  # noqa: PLR2004 - AWS's own limits
        raise Refused("ValidationException", "MaxResults must be between 5 and 50.")
    filters = [
        *(self._get_param("Filters") or []),
        *(
            {_OLD_FILTERS[key]: value for key, value in old.items()}
            for old in self._get_param("InstanceInformationFilterList") or []
        ),
    ]
    account, region = self.current_account, self.region
    tags = backend_of(account, region).tags
    known = (
        (instance.imdsctl_number, row_of(instance, life))
        for instance, life in managed(account, region, token_of(self))
    )
    fitting = (
        (number, row)
        for number, row in known
        if all(_fits(row, tags.get(row["InstanceId"], {}), one) for one in filters)
    )
    rows, token = page_of(fitting, size)
    return ActionResult({"InstanceInformationList": rows, **token})


def token_of(response: Any) -> int:
    """After which instance a page begins: the number of the last one on the page before.

    Raises:
        Refused: InvalidNextToken; it is none that an answer ever gave.
    """
    token = response._get_param("NextToken")  # noqa: SLF001 - moto's way in
    if not token:
        return 0
    state = state_of(backend_of(response.current_account, response.region))
    if not token.isdecimal() or next(state.after(int(token)), None) is None:
        raise Refused("InvalidNextToken", "The specified token isn't valid.")
    return int(token)


def page_of(rows: Iterable[tuple[int, Any]], size: int) -> tuple[list[Any], dict[str, str]]:
    """The first rows and, where there are more, the token that leads on.

    Args:
        rows: each with the number of its instance; no more of them are made than are needed.
        size: how many.
    """
    taken = list(islice(rows, size + 1))
    shown = taken[:size]
    more = {"NextToken": str(shown[-1][0])} if len(taken) > size else {}
    return [row for _, row in shown], more


def invalid_instances(ids: list[str], account: str) -> Refused:
    """What SendCommand says of instances that no agent was ever heard from."""
    named = ", ".join(ids)
    message = f"Instances [[{named}]] not in a valid state for account {account}"
    return Refused("InvalidInstanceId", message)


def agent_of(life: Life) -> str:
    """The version of its agent."""
    version = version_of(life, AGENT)
    return ".".join(map(str, version)) if version else _PRESENT_AGENT


def row_of(instance: Any, life: Life) -> dict[str, Any]:
    """An instance as DescribeInstanceInformation shows it."""
    connected = is_connected(life)
    windows = life.platform == "windows"
    return {
        "InstanceId": instance.id,
        "PingStatus": "Online" if connected else "ConnectionLost",
        "LastPingDateTime": current().now if connected else life.options[-1][0],
        "AgentVersion": agent_of(life),
        "IsLatestVersion": version_of(life, AGENT) is None,
        "PlatformType": "Windows" if windows else "Linux",
        "PlatformName": "Microsoft Windows Server 2022" if windows else "Amazon Linux",
        "PlatformVersion": "10.0.20348" if windows else "2023",
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip,
        "ComputerName": instance.private_dns_name,
    }


def _fits(row: Mapping[str, Any], tags: Mapping[str, str], one: Mapping[str, Any]) -> bool:
    key, values = str(one.get("Key", "")), one.get("Values") or []
    if key.startswith("tag:"):
        return tags.get(key.removeprefix("tag:")) in values
    if key == "tag-key":
        return bool(set(tags) & set(values))
    if key not in _FIELDS:
        raise Refused("InvalidFilterKey", "The specified key isn't valid.")
    return row[_FIELDS[key]] in values
