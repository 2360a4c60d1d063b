"""The names of the operations of AWS's REST services, which the wire does not carry.

A REST request is known by its method and path; which operation that is stands in the service's
model (botocore), so that such calls are counted, refused and disturbed by name like all others.
"""

import re
from functools import cache

from botocore.loaders import create_loader

# By the name that the service has in a signature.
_MODELS = {"eks": "eks"}
_MEMBER = re.compile(r"\\\{(\w+)(\\\+)?\\\}")


def operation_of(service: str, method: str, path: str) -> str | None:
    """The operation that a REST request asks for; None where it is not known.

    Args:
        service: the service's name in the signature.
        method: the HTTP method.
        path: the path of the request line, without the query.
    """
    if service not in _MODELS:
        return None
    for wanted, pattern, operation in _table(_MODELS[service]):
        if wanted == method and pattern.fullmatch(path):
            return operation
    return None


@cache
def _table(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Method, path and name of every operation of a service, literal paths first."""
    model = create_loader().load_service_model(service, "service-2")
    rows = []
    for name, operation in model["operations"].items():
        path = operation["http"]["requestUri"].partition("?")[0]
        pattern = _MEMBER.sub(lambda found: ".+" if found.group(2) else "[^/]+", re.escape(path))
        rows.append((path.count("{"), operation["http"]["method"], re.compile(pattern), name))
    rows.sort(key=lambda row: (row[0], row[3]))
    return tuple((method, pattern, name) for _, method, pattern, name in rows)
