"""TypeScript: what JavaScript has, with types, in the grammar of .ts or of .tsx."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_typescript
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._javascript_clients import JAVASCRIPT
from imdsctl.lint.readers._javascript_forms import JavascriptForms
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.source import Source

KINDS: Final = ("typescript",)
_PLAIN: Final = Grammar(tree_sitter_typescript.language_typescript())
_WITH_MARKUP: Final = Grammar(tree_sitter_typescript.language_tsx())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a TypeScript program."""
    grammar = _WITH_MARKUP if source.path.lower().endswith(".tsx") else _PLAIN
    yield from gone_through(source, grammar, JavascriptForms, JAVASCRIPT)
