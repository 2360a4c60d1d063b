"""What several orders share."""

from __future__ import annotations

from typing import Any


def sign(left: Any, right: Any) -> int:
    """-1, 0 or 1."""
    return int(left > right) - int(left < right)


def digits(text: str) -> bool:
    """Whether it is a number in ASCII; `str.isdigit` takes `²`, too."""
    return text.isascii() and text.isdigit()
