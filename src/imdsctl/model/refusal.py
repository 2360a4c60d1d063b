"""What AWS says when it refuses a call, and how that is told."""

import re
from typing import Final, NamedTuple

_DENIED: Final = re.compile(
    r"(?:AccessDenied\w*|UnauthorizedOperation|AuthFailure|Client\.Unauthorized\w*): "
)
_ACTION: Final = re.compile(
    r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource: \S+)?(?P<how>.*)",
    re.DOTALL,
)


class Refusal(NamedTuple):
    """A refused call: IAM's name of it, and what AWS says of the policy; empty where it is silent.

    Source: IAM User Guide, "Troubleshoot access denied error messages".
    """

    action: str
    how: str


def refusal(why: str) -> Refusal | None:
    """The refusal in an error's words, `CODE: message`; None where it is none."""
    if not _DENIED.match(why):
        return None
    found = _ACTION.search(why)
    return Refusal(found["action"], found["how"].rstrip(". ")) if found else Refusal("", "")
