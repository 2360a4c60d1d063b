"""How curl and wget get a session token and send it, as fixes write it and findings say it."""

from typing import Final

TOKEN: Final = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
LIFETIME: Final = "X-aws-ec2-metadata-token-ttl-seconds"
SECONDS: Final = 21600
"""The longest that a token may live (EC2 User Guide, "Use the Instance Metadata Service")."""


def base(host: str) -> str:
    """The service's URL without a path."""
    return f"http://[{host}]" if ":" in host else f"http://{host}"


def fetch(client: str, host: str) -> str:
    """A command that prints a token, or fails and prints nothing; `client` is curl or wget."""
    url = f"{base(host)}/latest/api/token"
    if client == "wget":
        return f"wget -qO- --method=PUT {lifetime(client)} {url}"
    return f"curl -sf -X PUT {lifetime(client)} {url}"


def lifetime(client: str) -> str:
    """The option that says how long a token is to live."""
    return f'{_option(client)} "{LIFETIME}: {SECONDS}"'


def sends(client: str, value: str) -> str:
    """The option that sends a token; `value` is what a shell reads between double quotes."""
    return f'{_option(client)} "{TOKEN}: {value}"'


def _option(client: str) -> str:
    return "--header" if client == "wget" else "-H"
