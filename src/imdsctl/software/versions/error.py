"""The one error of this room."""

from __future__ import annotations


class UnknownVersionError(ValueError):
    """A text that is no version in its ecosystem."""
