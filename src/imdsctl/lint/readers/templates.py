"""Files that `templatefile()` renders: what stands between Terraform's marks, line for line.

What an interpolation gives is not known from the file alone; a word takes its place. Templates of
other tools have these suffixes, too; what their marks make unreadable is left out.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from imdsctl.lint.facts import Fact
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _launch
from imdsctl.lint.readers._hcl_values import Values
from imdsctl.lint.readers._unknown import UNKNOWN
from imdsctl.lint.source import Source

KINDS = ("template",)


def read(source: Source) -> Iterator[Fact | Source]:
    """The text without the marks, as what it is."""
    text = Values(lambda _name, _steps: UNKNOWN).rendered(source.text)
    lines = source.lines or tuple(range(1, text.count("\n") + 2))
    carrier = replace(source, kind="", text=text, lines=lines)
    start = text.lstrip()
    kind = kind_of(PurePath(source.path).stem, start)
    if kind in (None, "template", "user-data"):
        yield from _launch.user_data(carrier, "template")
    else:
        yield replace(carrier, kind=str(kind), inside="template")
