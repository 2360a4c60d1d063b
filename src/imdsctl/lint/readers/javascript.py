"""JavaScript: fetch, axios, got, request, Node's http, and what a child process is given."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_javascript
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._javascript_clients import JAVASCRIPT
from imdsctl.lint.readers._javascript_forms import JavascriptForms
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.source import Source

KINDS: Final = ("javascript",)
_GRAMMAR: Final = Grammar(tree_sitter_javascript.language())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a JavaScript program."""
    yield from gone_through(source, _GRAMMAR, JavascriptForms, JAVASCRIPT)
