"""Go: net/http, resty, and what exec.Command is given."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_go
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._go_clients import GO
from imdsctl.lint.readers._go_forms import GoForms
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.source import Source

KINDS: Final = ("go",)
_GRAMMAR: Final = Grammar(tree_sitter_go.language())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a Go program."""
    yield from gone_through(source, _GRAMMAR, GoForms, GO)
