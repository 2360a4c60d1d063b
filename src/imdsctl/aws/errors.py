"""What went wrong with an AWS call, in values; nothing of a request or an answer is repeated.

botocore's own texts can hold whole bodies (with user data or credentials in them), so only AWS's
code and message are taken, and for everything else the kind of failure.
"""

import re
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 - botocore's own name for it
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidConfigError,
    InvalidRegionError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from imdsctl.aws.series import MalformedSeriesError
from imdsctl.model.diagnostics import NoAwsError, UsageError
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.ports import Outcome, Refused, Throttled, Unanswered

AWS_ERRORS: Final = (BotoCoreError, ClientError, ResponseParserError)
"""Everything that an AWS call can raise."""

THROTTLING: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
"""The codes with which AWS says "not now, too many requests"."""

# The services' ways to say that something else is going on just now.
_BUSY: Final = frozenset(
    {
        "AutomationExecutionLimitExceededException",
        "ResourceContention",
        "ScalingActivityInProgress",
    }
)

_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
# The caller's identity is asked where every account can answer: there these are the caller's fault.
_BAD_CREDENTIALS: Final = _EXPIRED | {
    "AccessDenied",
    "AuthFailure",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NO_CREDENTIALS: Final = (
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
)
_BAD_CONFIGURATION: Final = (
    ConfigNotFound,
    ConfigParseError,
    InvalidConfigError,
    InvalidRegionError,
    NoRegionError,
)
_CREDENTIALS_HINT: Final = (
    "check with `aws sts get-caller-identity`; log in again, or set AWS_PROFILE"
)
# botocore's texts of these name a profile or a variable, never a value.
_HARMLESS: Final = (PartialCredentialsError, ProfileNotFound, SSOTokenLoadError)
_WORDS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (ResponseParserError, "the answer is garbled"),
    (MalformedSeriesError, "times and values do not belong together"),
    (ReadTimeoutError, "no answer came in time"),
    ((ConnectTimeoutError, EndpointConnectionError), "cannot connect to the endpoint"),
    (ConnectionClosedError, "the connection was closed before an answer came"),
    ((ConnectionError, HTTPClientError), "the connection failed"),
    (
        NoCredentialsError,
        "neither the environment nor a profile, SSO or an instance's role has any",
    ),
    (_NO_CREDENTIALS, "there are no valid credentials"),
)
"""What is said of each kind of failure; the first that fits."""
_SERVER_ERROR: Final = 500


def code_of(problem: Exception) -> str:
    """AWS's error code, or the kind of failure where AWS gave none."""
    if isinstance(problem, ClientError):
        return str(problem.response.get("Error", {}).get("Code", "Unknown"))
    return type(problem).__name__


def status_of(problem: Exception) -> int:
    """The HTTP status of an error answer, 0 where there was no answer."""
    if isinstance(problem, ClientError):
        return int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def message_of(problem: Exception) -> str:
    """AWS's message, or a description of the failure without any content of the call."""
    if isinstance(problem, ClientError):
        message = str(problem.response.get("Error", {}).get("Message", ""))
        # The blob for DecodeAuthorizationMessage runs to a thousand characters.
        message = re.sub(
            r"\s*Encoded authorization failure message:.*", "", message, flags=re.DOTALL
        )
        if problem.operation_name == "AssumeRole":
            message = f"{message} (sts:AssumeRole)"
        return message
    if isinstance(problem, _HARMLESS):
        return str(problem)
    for kinds, words in _WORDS:
        if isinstance(problem, kinds):
            return words
    return "the call could not be made"


def why(problem: Exception) -> str:
    """One line for a report: AWS's code and message."""
    code, message = code_of(problem), message_of(problem)
    return f"{code}: {message}" if message else code


def raise_if_no_aws(problem: Exception, *, own: bool) -> None:
    """Raise where going on is pointless: there are no credentials, or they have expired.

    Args:
        problem: what the call raised.
        own: whether the call was made with the caller's own credentials, not an assumed role's.

    Raises:
        NoAwsError: there are no valid credentials.
        UsageError: the AWS configuration makes no sense.
    """
    expired = isinstance(problem, ClientError) and code_of(problem) in _EXPIRED and own
    if expired or isinstance(problem, _NO_CREDENTIALS):
        raise NoAwsError(
            "there are no valid AWS credentials", detail=why(problem), hint=_CREDENTIALS_HINT
        ) from None
    if isinstance(problem, _BAD_CONFIGURATION):
        raise UsageError(
            "the AWS configuration makes no sense",
            detail=str(problem),
            hint="check the regions asked for and ~/.aws/config",
        ) from None


def no_program(problem: OSError) -> NoAwsError:
    """The error for a `credential_process` that could not be started."""
    return NoAwsError(
        "there are no valid AWS credentials",
        detail=f"credential_process {problem.filename}: {problem.strerror}",
        hint="check that program in ~/.aws/config, or set AWS_PROFILE to another profile",
    )


def no_identity(problem: Exception) -> NoAwsError:
    """The error for a caller who cannot even be identified."""
    if isinstance(problem, ClientError) and code_of(problem) in _BAD_CREDENTIALS:
        return NoAwsError(
            "AWS does not accept these credentials", detail=why(problem), hint=_CREDENTIALS_HINT
        )
    return NoAwsError(
        "AWS cannot be reached",
        detail=f"sts:GetCallerIdentity: {why(problem)}",
        hint="check the network, the region and AWS_ENDPOINT_URL",
    )


def unreadable(
    cell: Cell, what: str, problem: Exception, *, own: bool, seen: int = 0
) -> Unreadable:
    """A failed reading as a value.

    Raises:
        NoAwsError: there are no valid credentials, so that no other reading can succeed either.
        UsageError: the AWS configuration makes no sense.
    """
    raise_if_no_aws(problem, own=own)
    return Unreadable(
        account=cell.account, region=cell.region, what=what, why=why(problem), seen=seen
    )


def lacking(cell: Cell, what: str, problem: LookupError, seen: int) -> Unreadable:
    """An answer that came, and lacks what AWS always says."""
    return Unreadable(
        account=cell.account,
        region=cell.region,
        what=what,
        why=f"the answer is not what AWS documents: it lacks {problem}",
        seen=seen,
    )


def failed(problem: Exception) -> Outcome:
    """A failed change as a value: refused, to be made again later, or perhaps made.

    Where no answer came, or the answer is an internal error, the change may have been made.

    Raises:
        NoAwsError: there are no valid credentials.
        UsageError: the AWS configuration makes no sense.
    """
    raise_if_no_aws(problem, own=False)
    code, message = code_of(problem), message_of(problem)
    if isinstance(problem, ClientError):
        if code in THROTTLING or code in _BUSY:
            return Throttled(code, message)
        if problem.operation_name != "AssumeRole" and (
            status_of(problem) >= _SERVER_ERROR or code in {"RequestTimeout", "Unknown"}
        ):
            return Unanswered(f"{code}: {message}" if message else code)
        return Refused(code, message)
    if isinstance(problem, ResponseParserError | HTTPClientError | ConnectionError):
        return Unanswered(f"{code}: {message}")
    # botocore would not even send it.
    return Refused(code, message)


def unread(problem: Exception) -> Outcome:
    """A failed look at the live resource before a change: nothing was changed for certain."""
    outcome = failed(problem)
    if isinstance(outcome, Unanswered):
        return Throttled("Unread", outcome.message)
    return outcome
