"""Which addresses and URLs are the EC2 metadata service's, and which only look like it.

EC2 User Guide, "Access instance metadata": 169.254.169.254 and fd00:ec2::254. `instance-data` is
the name that resolvers of a VPC give to it. Google, Azure, OpenStack, DigitalOcean, Oracle and
others answer at the same IPv4 address; their paths and headers tell them apart. 169.254.170.2
(ECS), 169.254.170.23 (EKS Pod Identity), 169.254.169.123 (time) and 169.254.169.253 (DNS) are other
services of AWS.
"""

import ipaddress
import re
from typing import Final, NamedTuple

IPV4: Final = "169.254.169.254"
IPV6: Final = "fd00:ec2::254"
_NAMES: Final = {"instance-data", "instance-data.ec2.internal", "2852039166", "0xa9fea9fe"}
_ADDRESSES: Final = {ipaddress.ip_address(one) for one in (IPV4, IPV6, f"::ffff:{IPV4}")}
_URL: Final = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*|\*+)?://)(?P<host>[^/?#]*)(?P<path>[^?#]*)"
)
_SCHEMES: Final = re.compile(r"https?|[*]+", re.IGNORECASE)
_OWN: Final = re.compile(
    r"/*\*?/*(?:latest|\d{4}-\d\d-\d\d|1\.0|\*)/+(?:meta-data|user-data|dynamic|api/token)\b.*",
    re.DOTALL,
)
_TAIL: Final = re.compile(r"\*?/*(?:meta-data|dynamic)/.*|\*?/*(?:latest/)?api/token/?", re.DOTALL)
_OF_OTHERS: Final = re.compile(
    r"/+(?:computemetadata|metadata|openstack|opc|hetzner|digitalocean|v\d)(?:[/.]|\Z)|/+0\.1/+meta-data",
    re.IGNORECASE,
)
"""Google, Azure and DigitalOcean, OpenStack, Oracle, Hetzner, Linode and Vultr."""
_ANYWHERE: Final = re.compile(
    r"169\.254\.169\.254(?![\d.])|\[?fd00:0?ec2:(?:[0:]*):254\]?|\binstance-data\.ec2\.internal\b",
    re.IGNORECASE,
)
OTHER_CLOUDS: Final = (
    "metadata-flavor",
    "x-google-metadata-request",
    "metadata",
    "metadata-token",
    "metadata-token-expiry-seconds",
    "x-metadata-token",
    "x-metadata-token-ttl-seconds",
)
"""Names of headers that no request to AWS has: Google, Azure, Linode and Akamai, Firecracker."""

_HINTS: Final = (
    IPV4, "fd00:ec2", "aws_ec2_metadata", "meta-data", "api/token", "instance-data",
    "ec2metadata", "imds", "2852039166", "user-data",
    "get_instance_",
)  # fmt: skip


class Target(NamedTuple):
    """Host and path of a request; the host is empty where only the path tells what it is."""

    host: str
    path: str


def target(url: str) -> Target | None:
    """What a URL asks of the EC2 metadata service; None if it asks something else.

    Args:
        url: as the program gets it; `*` stands for every stretch that is not known.

    Returns:
        The host without port and brackets; the path without query, `/` if there is none.
    """
    url = re.split(r"[?#]", url.strip(), maxsplit=1)[0]
    found = _URL.match(url)
    if found:
        if not _SCHEMES.fullmatch(found["scheme"] or "http"):
            return None
        host, path = _bare(found["host"]), found["path"]
    else:
        first, slash, rest = url.partition("/")
        host, path = _bare(first), slash + rest
    if is_address(host):
        return Target(host, path or "/") if not _OF_OTHERS.match(path) else None
    if "*" not in host and host:
        return None
    return _from_path(host, path, whole_url=found is not None)


def is_address(host: str) -> bool:
    """Whether a host is the metadata service by its name or address."""
    if host.lower() in _NAMES:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]) in _ADDRESSES
    except ValueError:
        return False


def of_another_cloud(headers: list[str]) -> bool:
    """Whether a header, as `Name: value`, says that another cloud's service is meant."""
    for one in headers:
        name, _, value = one.partition(":")
        if name.strip().lower() in OTHER_CLOUDS:
            return True
        if name.strip().lower() == "authorization" and value.lower().split() == [
            "bearer",
            "oracle",
        ]:
            return True
    return False


def mentions(text: str) -> bool:
    """Whether the address stands anywhere in a text."""
    return _ANYWHERE.search(text) is not None


def concerns(text: str) -> bool:
    """Whether a text can be about the metadata service at all."""
    lower = text.lower()
    return any(hint in lower for hint in _HINTS)


def _from_path(host: str, path: str, *, whole_url: bool) -> Target | None:
    """A URL whose beginning is not known but whose path is none but AWS's."""
    if _OWN.fullmatch(path) or _TAIL.fullmatch(path):
        return Target("", path.lstrip("*"))
    # "*latest/meta-data": an unknown base that ends with its slash.
    if host.endswith("*") or not host or whole_url:
        return None
    whole = "/" + host.rpartition("*")[2] + path
    return Target("", whole) if _OWN.fullmatch(whole) else None


def _bare(authority: str) -> str:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]
