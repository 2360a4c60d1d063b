"""Lines of people's files as they are shown: without what could be a secret."""

import re
from typing import Final

from imdsctl.host.redact import redact

_REFERENCE: Final = re.compile(
    # A header whose value is a variable, a call or a template's expression, and a variable that
    # is given what a command prints: both speak of a token and hold none.
    r"""(?ix)
    x-aws-ec2-metadata-token \\?["']? \s* [:=]>? \s* \\?["']?
    (?: \$\{?\w+\}? | \$\( | \{\{.*?\}\} | [a-z_]\w*\(\) )
    | \b\w*token\w* \s* = \s* ["']? (?: \$\( | ` )
    """
)
_KEPT: Final = "\ufdd0"
"""Stands for what is kept; it is no character, so no file has it."""


def masked(line: str) -> str:
    """A line with `***` where a token, key or password could be.

    What only speaks of a token stays, so that a patch can be read: `$TOKEN`, `$(curl …`.
    """
    kept = _REFERENCE.findall(line) if _KEPT not in line else []
    text = _REFERENCE.sub(_KEPT, line) if kept else line
    text = redact([text])[0]
    if text.count(_KEPT) != len(kept):
        return redact([line])[0]
    for one in kept:
        text = text.replace(_KEPT, one, 1)
    return text
