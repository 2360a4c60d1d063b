"""Ruby: Net::HTTP, open-uri, Faraday, HTTParty, rest-client, and what a shell is given."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_ruby
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.readers._ruby_clients import RUBY
from imdsctl.lint.readers._ruby_forms import RubyForms
from imdsctl.lint.source import Source

KINDS: Final = ("ruby",)
_GRAMMAR: Final = Grammar(tree_sitter_ruby.language())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a Ruby program."""
    yield from gone_through(source, _GRAMMAR, RubyForms, RUBY)
