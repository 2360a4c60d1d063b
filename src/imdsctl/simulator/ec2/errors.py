"""Errors as EC2 puts them on the wire, with the HTTP status that goes with the code."""

import re
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException

STATUS = {"DryRunOperation": 412, "RequestLimitExceeded": 503, "UnauthorizedOperation": 403}
"""HTTP statuses of error codes that are not plain 400 (EC2 API Reference, error codes)."""

_INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")


class Refused(HTTPException):
    """A call that EC2 refuses, with AWS's error code and message.

    It is an HTTP exception because moto's own service exceptions always become status 400.
    """

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__()
        self.error_code = error_code
        self.message = message
        self.code = STATUS.get(error_code, 400)
        # werkzeug and moto take `description` as the response body.
        self.description = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{escape(error_code)}</Code>"
            f"<Message>{escape(message)}</Message></Error></Errors>"
            "<RequestID>7a62c49f-347e-4fc4-9331-6e8eexample</RequestID></Response>"
        )

    def get_headers(self, *_args: object, **_kwargs: object) -> list[tuple[str, str]]:
        """The headers of the error response."""
        return [("Content-Type", "text/xml;charset=UTF-8")]

    def __str__(self) -> str:
        return f"{self.error_code}: {self.message}"


def dry_run() -> Refused:
    """What a call with DryRun gets when it would have been permitted."""
    return Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def no_instances(ids: list[str]) -> Refused:
    """The error for instance ids that are malformed, or do not exist (any more)."""
    for instance_id in ids:
        if not _INSTANCE_ID.fullmatch(instance_id):
            return Refused("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
    if len(ids) == 1:
        text = f"The instance ID '{ids[0]}' does not exist"
    else:
        text = f"The instance IDs '{', '.join(ids)}' do not exist"
    return Refused("InvalidInstanceID.NotFound", text)
