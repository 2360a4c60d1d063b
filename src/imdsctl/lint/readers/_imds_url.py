"""Which addresses are the EC2 metadata service, and which paths are its own.

Google, Azure, OpenStack, DigitalOcean, Oracle and others answer on the same address; their paths
and headers tell them apart. 169.254.170.2 (ECS), 169.254.170.23 (EKS Pod Identity),
169.254.169.123 (time) and 169.254.169.253 (DNS) are other services of AWS.
"""

import ipaddress
import re
from typing import Final

_HOSTS: Final = {"instance-data", "instance-data.ec2.internal", "2852039166", "0xa9fea9fe"}
_ADDRESSES: Final = {
    ipaddress.ip_address("169.254.169.254"),
    ipaddress.ip_address("fd00:ec2::254"),
    ipaddress.ip_address("::ffff:169.254.169.254"),
}
_URL: Final = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*|\*+)?://([^/?#]*)([^?#]*)")
_OWN: Final = re.compile(
    r"/*\*?/*(?:latest|\d{4}-\d\d-\d\d|1\.0|\*)/+(?:meta-data|user-data|dynamic|api/token)\b.*",
    re.DOTALL,
)
_TAIL: Final = re.compile(r"\*?/*(?:meta-data|dynamic)/.*|\*?/*(?:latest/)?api/token/?", re.DOTALL)
_FIRST: Final = re.compile(r"latest|\d{4}-\d\d-\d\d|1\.0")
OTHER_CLOUDS: Final = ("metadata-flavor", "x-google-metadata-request", "metadata", "metadata-token")
"""Headers that no request to AWS has: Google, Azure, Linode and Akamai."""

HINTS: Final = (
    "169.254.169.254", "fd00:ec2", "aws_ec2_metadata", "meta-data", "api/token", "instance-data",
    "ec2metadata", "imds", "2852039166", "user-data",
    "get_instance_",
)  # fmt: skip
"""A text without any of these, in any case, is about something else."""


def concerns(text: str) -> bool:
    """Whether a text can be about the metadata service at all."""
    lower = text.lower()
    return any(hint in lower for hint in HINTS)


def is_host(host: str) -> bool:
    """Whether a host is the metadata service by its name or address."""
    if host.lower() in _HOSTS:
        return True
    try:
        return ipaddress.ip_address(host) in _ADDRESSES
    except ValueError:
        return False


def split(url: str) -> tuple[str, str] | None:
    """Host and path of a URL that goes to the metadata service, None of any other.

    Args:
        url: with `*` for every stretch that is not known.

    Returns:
        The host without port and brackets, empty where the path alone tells; the path without
        query, empty where nothing is known of it.
    """
    url = url.strip()
    if found := _URL.match(url):
        host, path = _bare(found[1]), found[2]
    else:
        first, slash, rest = re.split(r"[?#]", url, maxsplit=1)[0].partition("/")
        host, path = _bare(first), slash + rest
    if is_host(host):
        return (host, path or "/") if _is_own(path) else None
    if "*" not in host and host:
        return None
    return _from_path(url, host, path)


def _from_path(url: str, host: str, path: str) -> tuple[str, str] | None:
    """A URL whose beginning is not known but whose path is none but AWS's."""
    if _OWN.fullmatch(path) or _TAIL.fullmatch(path):
        return "", path.lstrip("*") if path.startswith("*") else path
    # "*latest/meta-data": an unknown base that ends with its slash.
    tail = re.split(r"[?#]", url, maxsplit=1)[0]
    if host.endswith("*") or not host:
        return None
    whole = "/" + host.rpartition("*")[2] + path
    return ("", whole) if "://" not in tail and _OWN.fullmatch(whole) else None


def _bare(authority: str) -> str:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _is_own(path: str) -> bool:
    first = path.strip("/").partition("/")[0]
    if not first:
        return True
    known, star, _ = first.partition("*")
    if star:
        return not known or "latest".startswith(known) or bool(_FIRST.match(known))
    return bool(_FIRST.fullmatch(first))
