"""Python: requests, httpx, urllib, aiohttp, pycurl, boto 2, and what a subprocess is given."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_python
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.readers._python_clients import PYTHON
from imdsctl.lint.readers._python_edits import mark
from imdsctl.lint.readers._python_forms import PythonForms
from imdsctl.lint.source import Source

KINDS: Final = ("python",)
_GRAMMAR: Final = Grammar(tree_sitter_python.language())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a Python program."""
    yield from gone_through(source, _GRAMMAR, PythonForms, PYTHON, mark)
