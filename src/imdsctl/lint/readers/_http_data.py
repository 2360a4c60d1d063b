"""The requests that Terraform itself makes: `data "http"` of the provider hashicorp/http.

It asks from where Terraform runs, which on a runner in EC2 is an instance. Its `method` is GET,
HEAD or POST, so that it can send a session token and cannot fetch one (provider's documentation).
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from imdsctl.lint.facts import Known, Request
from imdsctl.lint.readers import _metadata_url
from imdsctl.lint.readers._hcl import Block
from imdsctl.lint.readers._module import Module, raw
from imdsctl.lint.readers._resources import place_of
from imdsctl.lint.source import Source
from imdsctl.lint.tokens import TOKEN

_HOLE: Final = re.compile(r"\$\{[^{}]*\}")


def requests(source: Source, module: Module, block: Block) -> Iterator[Request]:
    """The request of a `data "http"` block, if it goes to the metadata service."""
    if block.labels[:1] != ("http",) or "url" not in block.attributes:
        return
    url = block.attributes["url"]
    value = module.values.of(url.value)
    written = value if isinstance(value, str) else _HOLE.sub("*", raw(url).strip().strip('"'))
    target = _metadata_url.target(written)
    headers = _headers(module, block)
    if target is None or (
        isinstance(headers, dict)
        and _metadata_url.of_another_cloud([f"{name}: {value}" for name, value in headers.items()])
    ):
        return
    method = block.attributes.get("method")
    asked = module.values.of(method.value) if method else "GET"
    yield Request(
        place=place_of(source, block),
        client='data "http"',
        method=asked.upper() if isinstance(asked, str) else "",
        host=target.host,
        path=target.path,
        token=_token(headers),
        lifetime="no",
        checked="yes",
    )


def _headers(module: Module, block: Block) -> Any:
    attribute = block.attributes.get("request_headers")
    return module.values.of(attribute.value) if attribute else {}


def _token(headers: Any) -> Known:
    if not isinstance(headers, dict):
        return "unknown"
    return "yes" if any(str(name).lower() == TOKEN.lower() for name in headers) else "no"
