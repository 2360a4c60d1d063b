"""Headers of a client and of one of its requests put together."""

from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._values import Nothing, Tab, Value


def headers_over(base: Value, given: Value) -> Value:
    """A session's headers with those of one request over them."""
    if isinstance(given, Nothing):
        return base
    if not isinstance(base, Tab):
        return given
    merged = Tab(dict(base.entries), base.open)
    _known_methods.merge(merged, given)
    return merged
