"""A real instance's metadata as a file of values, without its secrets.

Everything is read with a session token (IMDSv2). Credentials are never fetched, signatures over the
identity document are replaced by fakes, SSH keys and user data are left out unless asked for.
"""

import base64
import http.client
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from imdsctl.imds.decide import TOKEN_HEADER, TOKEN_PATH, TTL_HEADER
from imdsctl.imds.identity import SIGNATURES, fake_signer

USUAL = "http://169.254.169.254"
TOKEN_TTL = 300

_LARGEST = 1_000_000
_MOST = 5_000
_DEEPEST = 12
_OK = 200
_CREDENTIALS = "meta-data/iam/security-credentials/"
_IDENTITY_CREDENTIALS = "meta-data/identity-credentials/"
_KEYS = ("meta-data/public-keys/", "meta-data/managed-ssh-keys/")
_SIGNED = "dynamic/instance-identity/"
_TAGS = "meta-data/tags/instance/"


class RecordError(Exception):
    """The metadata could not be read; the message says where and why."""


class Reader:
    """Reads one metadata service with IMDSv2, never through a proxy.

    Args:
        url: `http://` and an IP address, with or without a port.
        timeout: seconds for each answer.

    Raises:
        RecordError: there is no metadata service, or it gives no token.
    """

    def __init__(self, url: str = USUAL, timeout: float = 5.0) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise RecordError(f"{url} is no address of a metadata service")
        self._url, self._host = url, parts.hostname
        self._port, self._timeout = parts.port or 80, timeout
        self._token = ""
        status, body = self._call("PUT", TOKEN_PATH, {TTL_HEADER: str(TOKEN_TTL)})
        if status != _OK:
            raise RecordError(f"{url} gave no session token: status {status}")
        self._token = body.decode("latin-1")

    def get(self, path: str) -> bytes | None:
        """What stands at a path below `/latest/`; None where there is nothing.

        Raises:
            RecordError: the service did not answer, or refused.
        """
        status, body = self._call("GET", f"/latest/{quote(path, safe='/:@+=,.-_~!$&()*;')}", {})
        if status == http.client.NOT_FOUND:
            return None
        if status != _OK:
            raise RecordError(f"{self._url} answered {path} with status {status}")
        return body

    def _call(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._token:
            headers[TOKEN_HEADER] = self._token
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, path, headers={"User-Agent": "imdsctl-record", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read(_LARGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise RecordError(f"no metadata service answers at {self._url}: {why}") from None
        finally:
            connection.close()


def record(
    reader: Reader,
    *,
    public_keys: bool = False,
    user_data: bool = False,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """All metadata as a values file: its tables `options` and `values`.

    Args:
        reader: of the instance.
        public_keys: record SSH public keys, too.
        user_data: record the user data, too. It often holds secrets.
        progress: told each path that is read.

    Raises:
        RecordError: something could not be read.
    """
    paths: dict[str, str] = {}
    tags: dict[str, str] = {}
    for path, text in _walk(reader, public_keys=public_keys, progress=progress):
        if path.startswith(_TAGS):
            tags[path.removeprefix(_TAGS)] = text
        else:
            paths[path] = text
    identity = paths.get(_SIGNED + "document")
    for name in SIGNATURES:
        if _SIGNED + name in paths:
            paths[_SIGNED + name] = fake_signer(b"recorded")(name, (identity or "").encode("utf-8"))
    values: dict[str, Any] = {"only_paths": True}
    values.update(_identity(paths, identity))
    values.update(_roles(reader, paths))
    if tags:
        values["tags"] = tags
    content = reader.get("user-data") if user_data else None
    if content is not None:
        try:
            values["user_data"] = content.decode("utf-8")
        except UnicodeDecodeError:
            values["user_data_base64"] = base64.b64encode(content).decode("ascii")
    values["paths"] = paths
    # Whether IMDSv1 is allowed stays open: only a call over IMDSv1 would show it.
    options = {"instance_metadata_tags": "enabled"} if tags else {}
    return {"options": options, "values": values}


def _identity(paths: dict[str, str], document: str | None) -> dict[str, Any]:
    """The values that credentials and tokens are made for."""
    values: dict[str, Any] = {}
    if "meta-data/instance-id" in paths:
        values["instance_id"] = paths["meta-data/instance-id"]
    if "meta-data/placement/availability-zone" in paths:
        values["availability_zone"] = paths["meta-data/placement/availability-zone"]
    if "meta-data/placement/region" in paths:
        values["region"] = paths["meta-data/placement/region"]
    try:
        members = json.loads(document or "{}")
    except ValueError:
        members = {}
    if isinstance(members, dict) and members.get("accountId"):
        values["account_id"] = str(members["accountId"])
    return values


def _roles(reader: Reader, paths: dict[str, str]) -> dict[str, Any]:
    """The instance's role by name; what it can do is never read."""
    values: dict[str, Any] = {"identity_credentials": False}
    role = (reader.get(_CREDENTIALS) or b"").decode("utf-8", "replace").strip()
    if role and "\n" not in role:
        iam: dict[str, Any] = {"role": role}
        try:
            info = json.loads(paths.pop("meta-data/iam/info", "{}"))
        except ValueError:
            info = {}
        for name, member in (
            ("instance_profile_arn", "InstanceProfileArn"),
            ("instance_profile_id", "InstanceProfileId"),
        ):
            if info.get(member):
                iam[name] = info[member]
        values["iam"] = iam
    if reader.get(_IDENTITY_CREDENTIALS) is not None:
        values["identity_credentials"] = True
    return values


def _walk(
    reader: Reader, *, public_keys: bool, progress: Callable[[str], None] | None
) -> Iterator[tuple[str, str]]:
    """Every item below `meta-data` and `dynamic` that holds no secret, with its text.

    Raises:
        RecordError: there are more than any instance has.
    """
    waiting = ["dynamic/", "meta-data/"]
    seen = 0
    while waiting:
        path = waiting.pop()
        if path.startswith((_CREDENTIALS, _IDENTITY_CREDENTIALS)):
            continue
        if path.startswith(_KEYS) and not public_keys:
            continue
        seen += 1
        if seen > _MOST or path.count("/") > _DEEPEST:
            raise RecordError(f"the metadata has no end; the last path read was {path}")
        if progress is not None:
            progress(path)
        if path.endswith("/"):
            waiting += reversed(_below(reader, path))
            continue
        content = reader.get(_reached(path))
        if content is not None:
            yield path, content.decode("utf-8", "replace")


def _below(reader: Reader, folder: str) -> list[str]:
    """The paths in a folder; public keys are listed as `0=name` and are folders, too."""
    listing = (reader.get(_reached(folder)) or b"").decode("utf-8", "replace")
    names = [name for name in listing.splitlines() if name and name not in (".", "..", "/")]
    if folder == "meta-data/public-keys/":
        names = [name if name.endswith("/") else f"{name}/" for name in names]
    return [folder + name for name in names]


def _reached(path: str) -> str:
    """How a path is asked for: a public key that is listed as `0=name` as `0`."""
    parts = path.split("/")
    if path.startswith("meta-data/public-keys/") and "=" in parts[2]:
        parts[2] = parts[2].split("=", 1)[0]
    return "/".join(parts)


def endpoint() -> str:
    """Where this instance's service is: the SDKs' variable, else the usual address."""
    return os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/") or USUAL
