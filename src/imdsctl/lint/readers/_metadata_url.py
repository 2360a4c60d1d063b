"""Which address is the EC2 metadata service's, and which only looks like it.

EC2 User Guide, "Access instance metadata": 169.254.169.254 and fd00:ec2::254. `instance-data` is
the name that resolvers of a VPC give to it. Other clouds answer at the same IPv4 address, under
paths and headers of their own.
"""

import ipaddress
import re
from typing import Final, NamedTuple

IPV4: Final = "169.254.169.254"
IPV6: Final = "fd00:ec2::254"
_NAMES: Final = {IPV4, "instance-data", "instance-data.ec2.internal", "2852039166", "0xa9fea9fe"}
_IPV6: Final = ipaddress.IPv6Address(IPV6)
_URL: Final = re.compile(
    r"(?:(?P<scheme>[a-z*]+)://)?(?:[^/@?#\s]*@)?(?P<host>\[[^\]/]*\]|[^/:?#\s]*)(?::[\d*]*)?(?P<path>/[^?#\s]*)?",
    re.IGNORECASE,
)
_OF_AWS: Final = re.compile(
    r"(?:/|\A)(?:latest|\d{4}-\d\d-\d\d|1\.0)/(?:meta-data|user-data|dynamic|api/token)(?:/|\Z)"
    r"|(?:/|\A)meta-data/(?:ami-id|instance-|placement|iam/|local-|public-|hostname|mac|network/|tags/"
    r"|spot/|security-groups|block-device|services/)"
    r"|(?:/|\A)dynamic/instance-identity(?:/|\Z)|(?:/|\A)api/token\Z"
)
_OF_OTHERS: Final = re.compile(
    r"/(?:computemetadata|metadata/|openstack|opc/|hetzner/|0\.1/meta-data|digitalocean|v1(?:\.json\b|/|\Z))",
    re.IGNORECASE,
)
_HEADERS_OF_OTHERS: Final = re.compile(
    r"\s*(?:metadata-flavor\s*:\s*google|metadata\s*:\s*true|x-google-metadata-request\s*:"
    r"|authorization\s*:\s*bearer oracle"
    r"|(?:x-)?metadata-token(?:-expiry-seconds|-ttl-seconds)?\s*:)",
    re.IGNORECASE,
)
_ANYWHERE: Final = re.compile(
    r"169\.254\.169\.254(?![\d.])|\[?fd00:0?ec2:(?:[0:]*):254\]?|\binstance-data\.ec2\.internal\b",
    re.IGNORECASE,
)


class Target(NamedTuple):
    """Host and path of a request; the host is empty where only the path tells what it is."""

    host: str
    path: str


def target(url: str) -> Target | None:
    """What a URL asks of the EC2 metadata service; None if it asks something else.

    Args:
        url: as the program gets it; `*` stands for what is not known.
    """
    found = _URL.match(url.strip())
    if not found or (found["scheme"] or "http").lower() not in {"http", "https", "*"}:
        return None
    host, path = found["host"].strip("[]"), found["path"] or "/"
    if is_address(host):
        return None if _OF_OTHERS.match(path) else Target(host, _tidy(path))
    if "*" in host and not re.search(r"[a-z0-9]", host, re.IGNORECASE) and _OF_AWS.search(path):
        return Target("", _tidy(path))
    return None


def is_address(host: str) -> bool:
    """Whether a host is the metadata service's address or name."""
    if host.lower() in _NAMES:
        return True
    if ":" not in host:
        return False
    try:
        return ipaddress.IPv6Address(host.split("%", maxsplit=1)[0]) == _IPV6
    except ValueError:
        return False


def of_another_cloud(headers: list[str]) -> bool:
    """Whether a header says that another service is meant: Google's, Linode's, Firecracker's."""
    return any(_HEADERS_OF_OTHERS.match(one) for one in headers)


def mentions(text: str) -> bool:
    """Whether the address stands anywhere in a text."""
    return _ANYWHERE.search(text) is not None


def _tidy(path: str) -> str:
    return re.sub(r"/{2,}", "/", path)
