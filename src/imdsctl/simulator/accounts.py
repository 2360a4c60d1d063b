"""Who calls: the accounts of a fleet, the roles that lead into them, and their regions."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.exceptions import HTTPException

from imdsctl.simulator import replies
from imdsctl.simulator.calls import Call, read_call
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.fleetfile import Account, Fleet

LONE_ACCOUNT = "123456789012"

# AWS Account Management Reference Guide, "AWS Regions": those that are on in every new account.
DEFAULT_REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)

# Services without regions, whose calls are signed for us-east-1 all the same.
_GLOBAL_SERVICES = frozenset({"iam", "organizations"})
# IAM User Guide: GetCallerIdentity needs no permission and cannot be denied.
_NEVER_DENIED = frozenset({"GetCallerIdentity"})
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/([\w+=,.@/-]+)")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LONGEST_SESSION = 43200
_SHORTEST_SESSION = 900
_INSTANCE_SESSION = 6 * 3600
_ASSUME_ROLE = Call("", "", "sts", "AssumeRole", "query")


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller behind an access key."""

    account: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials. `expiration` is in real time, as the client's own clock reads it."""

    identity: Identity
    access_key: str
    secret_key: str
    token: str
    expiration: datetime


class RefusedError(HTTPException):
    """An AssumeRole that AWS would refuse, as STS puts it on the wire.

    It is an HTTP exception because moto's own service exceptions always become status 400.
    """

    def __init__(self, error_code: str, status: int, message: str) -> None:
        super().__init__()
        reply = replies.error(_ASSUME_ROLE, error_code, message, status)
        self.code = status
        # moto takes `description` as the response body.
        self.description = reply.body.decode()

    def get_headers(self, *_: object, **__: object) -> list[tuple[str, str]]:
        """The headers of the error response."""
        return [("Content-Type", "text/xml;charset=UTF-8")]


class Accounts:
    """The accounts of a fleet as access keys and roles lead to them.

    Any access key that no AssumeRole gave out belongs to the first account of the fleet.
    """

    def __init__(self, fleet: Fleet | None = None) -> None:
        accounts = fleet.accounts if fleet is not None else ()
        self.own = accounts[0].id if accounts else LONE_ACCOUNT
        self.roles: Mapping[str, str] = {account.id: account.role for account in accounts}
        self.automation_roles: Mapping[str, str] = {
            account.id: account.automation_role for account in accounts
        } or {LONE_ACCOUNT: Account(LONE_ACCOUNT).automation_role}
        self.regions = tuple(
            sorted({*DEFAULT_REGIONS, *(r.name for account in accounts for r in account.regions)})
        )
        self._denied = {
            (account.id, region.name)
            for account in accounts
            for region in account.regions
            if region.denied
        }
        self._sessions: dict[str, Session] = {}
        self._owner = Identity(
            self.own, f"arn:aws:iam::{self.own}:user/operator", "AIDAIMDSCTLOPERATOR00"
        )

    def identity(self, access_key: str) -> Identity:
        """The identity that signs with `access_key`."""
        session = self._sessions.get(access_key)
        return session.identity if session is not None else self._owner

    def no_role(self, account: str, role: str) -> str:
        """Why Systems Manager cannot assume a role in an account, or nothing if it can."""
        if account not in {self.own, *self.roles}:
            return f"there is no account {account}"
        if role not in {self.roles.get(account), self.automation_roles.get(account)}:
            return f"there is no role {role}"
        return ""

    def denied(self, account: str, region: str) -> bool:
        """Whether the fleet refuses every call in an account's region."""
        return (account, region) in self._denied

    def denies(self, call: Call) -> bool:
        """Whether the fleet refuses every call in this account's region."""
        if call.service in _GLOBAL_SERVICES or call.operation in _NEVER_DENIED:
            return False
        return (call.account, call.region) in self._denied

    def assume(self, access_key: str, role_arn: str, session_name: str, seconds: int) -> Session:
        """Assume a role, as STS does.

        Raises:
            RefusedError: the parameters are no valid ones, or there is no such role to assume.
        """
        if not _SESSION_NAME.fullmatch(session_name):
            raise RefusedError(
                "ValidationError",
                400,
                f"1 validation error detected: Value '{session_name}' at 'roleSessionName' failed "
                "to satisfy constraint: Member must satisfy regular expression pattern: "
                r"[\w+=,.@-]*",
            )
        if not _SHORTEST_SESSION <= seconds <= _LONGEST_SESSION:
            raise RefusedError(
                "ValidationError",
                400,
                f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to "
                f"satisfy constraint: Member must have value between {_SHORTEST_SESSION} and "
                f"{_LONGEST_SESSION}",
            )
        matched = _ROLE_ARN.fullmatch(role_arn)
        if matched is None or self.roles.get(matched[1]) != matched[2]:
            raise RefusedError(
                "AccessDenied",
                403,
                f"User: {self.identity(access_key).arn} is not authorized to perform: "
                f"sts:AssumeRole on resource: {role_arn}",
            )
        account, role = matched[1], matched[2].rsplit("/", 1)[-1]
        identity = Identity(
            account,
            f"arn:aws:sts::{account}:assumed-role/{role}/{session_name}",
            f"AROA{account}IMDS:{session_name}",
        )
        return self._open(identity, seconds)

    def instance_session(self, account: str, role: str, instance: str) -> Session:
        """What an instance's metadata service has for its role: the session bears its id."""
        identity = Identity(
            account,
            f"arn:aws:sts::{account}:assumed-role/{role}/{instance}",
            f"AROA{account}HOST:{instance}",
        )
        return self._open(identity, _INSTANCE_SESSION)

    def _open(self, identity: Identity, seconds: int) -> Session:
        session = Session(
            identity,
            "ASIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16)),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(120),
            datetime.now(UTC) + timedelta(seconds=seconds),
        )
        self._sessions[session.access_key] = session
        return session


_current = Accounts()


def use(accounts: Accounts) -> None:
    """Make `accounts` those that the extended STS and DescribeRegions answer from."""
    global _current  # noqa: PLW0603 - moto's backends are process-wide, so are the accounts
    _current = accounts


def for_instance(account: str, role: str, instance: str) -> Session:
    """The credentials of an instance's role, as the simulated AWS accepts them."""
    return _current.instance_session(account, role, instance)


def current() -> Accounts:
    """The accounts of the simulated AWS that is running."""
    return _current


def access_key_of(response: Any) -> str:
    """The access key that signed the request which a moto response object answers."""
    return _access_key(response)


def install() -> None:
    """Lay AssumeRole, GetCallerIdentity and DescribeRegions over moto's."""
    from moto.ec2.responses import EC2Response  # noqa: PLC0415 - moto is slow to import
    from moto.sts.responses import TokenResponse  # noqa: PLC0415

    TokenResponse.assume_role = _assume_role
    TokenResponse.get_caller_identity = _get_caller_identity
    EC2Response.describe_regions = _describe_regions


def _access_key(response: Any) -> str:
    headers = {"authorization": response.headers.get("Authorization", "")}
    return read_call("POST", response.uri.partition("//")[2], headers, b"").access_key


def _assume_role(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is slow to import

    session = _current.assume(
        _access_key(self),
        self._get_param("RoleArn") or "",
        self._get_param("RoleSessionName") or "",
        self._get_int_param("DurationSeconds", 3600),
    )
    return ActionResult(
        {
            "Credentials": {
                "AccessKeyId": session.access_key,
                "SecretAccessKey": session.secret_key,
                "SessionToken": session.token,
                "Expiration": session.expiration,
            },
            "AssumedRoleUser": {
                "AssumedRoleId": session.identity.user_id,
                "Arn": session.identity.arn,
            },
        }
    )


def _get_caller_identity(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is slow to import

    identity = _current.identity(_access_key(self))
    return ActionResult(
        {"UserId": identity.user_id, "Account": identity.account, "Arn": identity.arn}
    )


def _describe_regions(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is slow to import
    from moto.ec2.models.availability_zones_and_regions import (  # noqa: PLC0415
        RegionsAndZonesBackend,
    )

    self.error_on_dryrun()
    known = {region.name for region in RegionsAndZonesBackend.regions}
    commercial = {n for n in known if not n.startswith(("us-gov-", "cn-"))} | set(_current.regions)
    asked = self._get_param("RegionNames", [])
    unknown = [name for name in asked if name not in commercial]
    if unknown:
        raise Refused("InvalidParameterValue", f"Invalid region names: [{unknown[0]}]")
    everything = bool(asked) or self._get_param("AllRegions") is True
    names = [n for n in sorted(commercial) if everything or n in _current.regions]
    rows = [_region_row(name) for name in names if not asked or name in asked]
    for wanted in self._get_param("Filters", []):
        member = {
            "region-name": "RegionName",
            "endpoint": "Endpoint",
            "opt-in-status": "OptInStatus",
        }.get(wanted.get("Name"))
        if member is None:
            raise Refused("InvalidParameterValue", f"The filter '{wanted.get('Name')}' is invalid")
        rows = [row for row in rows if row[member] in wanted.get("Values", [])]
    return ActionResult({"Regions": rows})


def _region_row(name: str) -> dict[str, str]:
    if name in DEFAULT_REGIONS:
        status = "opt-in-not-required"
    else:
        status = "opted-in" if name in _current.regions else "not-opted-in"
    return {
        "RegionName": name,
        "Endpoint": f"ec2.{name}.amazonaws.com",
        "OptInStatus": status,
    }
