"""What lint says, in the formats of other tools; one format a file."""

import importlib
from datetime import datetime
from typing import Final

from imdsctl.lint.result import Report

FORMATS: Final = ("sarif", "junit", "github")


def rendered(form: str, report: Report, *, tool_version: str, generated_at: datetime) -> str:
    """The report in one of `FORMATS`; only that format's module is imported."""
    module = importlib.import_module(f"{__name__}.{form}")
    text: str = module.render(report, tool_version=tool_version, generated_at=generated_at)
    return text
