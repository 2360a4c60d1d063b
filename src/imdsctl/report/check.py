"""The formats in which `check` answers, by name."""

import importlib
from collections.abc import Iterable
from datetime import datetime

from imdsctl.model.control import ControlResult

FORMATS = ("json", "csv", "sarif", "junit", "ocsf", "asff")


def render_check(
    fmt: str, results: Iterable[ControlResult], *, tool_version: str, generated_at: datetime
) -> str:
    """The results in one of `FORMATS`; only that format's module is imported.

    Raises:
        ValueError: there is no such format.
    """
    if fmt not in FORMATS:
        raise ValueError(f"no format {fmt!r}; known are {', '.join(FORMATS)}")
    module = importlib.import_module(f"imdsctl.report.check_{fmt}")
    rendered: str = module.render(results, tool_version=tool_version, generated_at=generated_at)
    return rendered
